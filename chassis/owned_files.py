"""Files that hold certificates and keys: replaced whole, and for whoever their folder belongs to.

Root renews them on a machine whose services run as somebody else. What it writes would be root's, for nobody else to
read, and a service that cannot read the new file goes on with the old one until that is void.
"""

import os
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder that nobody but its owner looks into; root makes it for whoever the one around it belongs to."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _give(folder, folder.parent)


def replace(file: Path, content: bytes, mode: int) -> None:
    """Write a file so that a reader sees the old one or the new one, whole; root writes it for its folder's owner.

    Raises:
        OSError: It is as it was.
    """
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    # Where the folder is somebody else's, root follows no link that they have put there.
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as writing:
        os.fchmod(descriptor, mode)
        _give(descriptor, file.parent)
        writing.write(content)
    fresh.replace(file)


def _give(made: Path | int, around: Path) -> None:
    """Give what was just made to the owner of the folder around it; only root can, and nobody else has to."""
    if os.geteuid() == 0:
        owner = around.stat()
        os.chown(made, owner.st_uid, owner.st_gid)
