"""The payment service as a part of the mesh."""

from collections.abc import Mapping
from functools import partial

from cli.database import Database
from cli.part import Part
from payment_svc.__main__ import MIGRATIONS, running
from payment_svc.adapters.retention import RULES
from payment_svc.config import PaymentConfig


def part(values: Mapping[str, str]) -> Part:
    """Return the part that the environment describes.

    Raises:
        ConfigError: Some of it is wrong.
    """
    config = PaymentConfig.from_env(values)
    database = Database(config.database_url.reveal(), MIGRATIONS, RULES)
    return Part("payment", config.address, "PAYMENT_ADDR", partial(running, config), database, config.stripe_api_base)
