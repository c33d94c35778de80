"""Run the sandbox in a process of its own: `python -m sandbox`."""

import asyncio
import signal
import sys

import uvloop

from sandbox.config import ConfigError, SandboxConfig
from sandbox.server import Sandbox


async def _run(config: SandboxConfig) -> None:
    sandbox = Sandbox(config)
    await sandbox.start()
    print(f"sandbox: listening on {sandbox.base_url}, state in {config.data_dir}", flush=True)  # noqa: T201  (its one line of output)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    await sandbox.stop()


def main() -> None:
    """Read the environment, listen, and serve until told to stop."""
    try:
        config = SandboxConfig.from_env()
    except ConfigError as error:
        sys.exit(f"sandbox: {error}")
    uvloop.run(_run(config))


if __name__ == "__main__":
    main()
