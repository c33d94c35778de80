"""The gateway in a process of its own: `python -m gateway`."""

from chassis import process

# isort: split
# What follows imports grpc, which reads the process's settings at import.
import sys

from chassis import logs
from chassis.config import ConfigError
from chassis.service import until_stopped
from chassis.telemetry.setup import start_telemetry
from gateway.config import GatewayConfig
from gateway.server import running
from kernel.clock import SystemClock
from kernel.ids import Uuid7Ids


async def _serve(config: GatewayConfig) -> None:
    clock = SystemClock()
    telemetry = start_telemetry("gateway", config.data_dir, config.otlp_endpoint)
    try:
        await until_stopped(running(config, telemetry, clock=clock, ids=Uuid7Ids(clock)))
    finally:
        await telemetry.aclose()


def main() -> None:
    """Read the environment, listen, and serve until told to stop."""
    try:
        config = GatewayConfig.from_env()
    except ConfigError as error:
        sys.exit(f"gateway: {error}")
    logs.configure("gateway")
    try:
        process.run(_serve(config))
    except OSError as error:
        sys.exit(f"gateway: {error}")


if __name__ == "__main__":
    main()
