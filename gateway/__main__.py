"""The gateway in a process of its own: `python -m gateway`."""

import chassis.process  # isort: skip  (settings that grpc reads when it is imported)

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.config import ConfigError
from chassis.logs import configure
from chassis.service import until_stopped
from chassis.telemetry.setup import Telemetry, start_telemetry
from gateway.config import GatewayConfig
from gateway.server import running
from kernel.clock import SystemClock
from kernel.ids import Uuid7Ids

_logger = logging.getLogger(__name__)


@asynccontextmanager
async def _announced(config: GatewayConfig, telemetry: Telemetry) -> AsyncIterator[str]:
    """Run the gateway and log where it listens: port 0 leaves that open."""
    clock = SystemClock()
    async with running(config, telemetry, clock=clock, ids=Uuid7Ids(clock)) as address:
        _logger.info("gateway.listening", extra={"address": address})
        yield address


def main() -> None:
    """Read the environment, listen, and serve until told to stop."""
    try:
        config = GatewayConfig.from_env()
    except ConfigError as error:
        sys.exit(f"gateway: {error}")
    configure("gateway")
    telemetry = start_telemetry("gateway", config.data_dir, config.otlp_endpoint, config.metrics_address)
    try:
        chassis.process.run(until_stopped(_announced(config, telemetry)))
    except OSError as error:
        sys.exit(f"gateway: {error}")
    finally:
        telemetry.shutdown()


if __name__ == "__main__":
    main()
