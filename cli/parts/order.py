"""The order service as a part of the mesh."""

from collections.abc import Mapping
from functools import partial

from cli.database import Database
from cli.part import Part
from order_svc.__main__ import MIGRATIONS, running
from order_svc.adapters.retention import RULES
from order_svc.config import OrderConfig


def part(values: Mapping[str, str]) -> Part:
    """Return the part that the environment describes.

    Raises:
        ConfigError: Some of it is wrong.
    """
    config = OrderConfig.from_env(values)
    database = Database(config.database_url.reveal(), MIGRATIONS, RULES)
    return Part("order", config.address, "ORDER_ADDR", partial(running, config), database)
