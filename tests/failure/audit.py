"""`ordermesh audit` as a second judge, which knows nothing of shops and compares the services with the providers."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

_ROOT = Path(__file__).parents[2]


async def audited(values: Mapping[str, str]) -> str:
    """Return "clean", or what the audit has to say.

    Args:
        values: The environment, which says where the services listen.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "audit", "--grace", "0", "--output", "json"),
        cwd=_ROOT,
        env=values,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    return "clean" if process.returncode == 0 else f"exit {process.returncode}: {(said + complained).decode()}"
