"""The tax service as a part of the mesh."""

from collections.abc import Mapping
from functools import partial

from cli.database import Database
from cli.part import Part
from tax_svc.__main__ import MIGRATIONS, running
from tax_svc.adapters.retention import RULES
from tax_svc.config import TaxConfig


def part(values: Mapping[str, str]) -> Part:
    """Return the part that the environment describes.

    Raises:
        ConfigError: Some of it is wrong.
    """
    config = TaxConfig.from_env(values)
    database = Database(config.database_url.reveal(), MIGRATIONS, RULES)
    return Part("tax", config.address, "TAX_ADDR", partial(running, config), database, config.avatax_url)
