"""The gateway as a part of the mesh."""

from collections.abc import Mapping
from functools import partial

from cli.database import Database
from cli.part import Part
from gateway.access.key_table import MIGRATIONS
from gateway.config import GatewayConfig
from gateway.server import running
from kernel.clock import SystemClock
from kernel.ids import Uuid7Ids


def part(values: Mapping[str, str]) -> Part:
    """Return the part that the environment describes.

    Raises:
        ConfigError: Some of it is wrong.
    """
    config = GatewayConfig.from_env(values)
    clock = SystemClock()
    run = partial(running, config, clock=clock, ids=Uuid7Ids(clock))
    # Each look at the keys opens them anew: `ordermesh keys` writes to the same file.
    database = Database(config.auth.database_url, MIGRATIONS, held=False)
    return Part("gateway", config.address, "ORDERMESH_GATEWAY_ADDR", run, database)
