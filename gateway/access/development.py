"""The development key: `ordermesh up` makes and prints it, and only a gateway that listens on loopback takes it."""

import hmac
import os
from collections.abc import Callable
from pathlib import Path

from gateway.access.api_keys import development_key


def key_in(file: Path, chance: Callable[[int], bytes]) -> str:
    """Return the key in the file, which is made the first time; it stays the same while the data do."""
    if file.exists():
        return file.read_text().strip()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = development_key(chance)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as writing:
        writing.write(f"{made}\n")
    return made


def reader(file: Path | None) -> Callable[[str], bool]:
    """Return what tells the key from others; where there is no file, none is it."""

    def is_it(presented: str) -> bool:
        if file is None or not file.is_file():
            return False
        return hmac.compare_digest(file.read_text().strip().encode(), presented.encode())

    return is_it
