"""The notification service as a part of the mesh."""

from collections.abc import Mapping
from functools import partial

from cli.database import Database
from cli.part import Part
from notify_svc.__main__ import MIGRATIONS, running
from notify_svc.adapters.retention import RULES
from notify_svc.config import NotifyConfig


def part(values: Mapping[str, str]) -> Part:
    """Return the part that the environment describes.

    Raises:
        ConfigError: Some of it is wrong.
    """
    config = NotifyConfig.from_env(values)
    database = Database(config.database_url.reveal(), MIGRATIONS, RULES)
    return Part("notify", config.address, "NOTIFY_ADDR", partial(running, config), database, config.sendgrid_url)
