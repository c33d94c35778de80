"""What is written on the command line of orders: so many of an article, amounts, times."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click

from cli.calls_grpc import Json
from kernel.money import Money

_QUANTITY = re.compile(r"(?P<sku>.+)=(?P<quantity>[1-9][0-9]{0,5})", re.ASCII | re.DOTALL)
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,3})?", re.ASCII)


class Quantity(click.ParamType[Json]):
    """So many of an article, "MUG=2", as the contract's OrderQuantity.

    Args:
        or_all: Whether the number may be left out; the value is then {"sku": "MUG"}, all that is left of it.
    """

    def __init__(self, *, or_all: bool) -> None:
        self.name = "SKU[=N]" if or_all else "SKU=N"
        self._or_all = or_all

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Json:  # noqa: ANN401  (click's own)
        """Return the document of the quantity."""
        if isinstance(value, dict):
            return value
        found = _QUANTITY.fullmatch(value)
        if found is not None:
            return {"sku": found["sku"], "quantity": int(found["quantity"])}
        if not value or not self._or_all:
            self.fail(f"{value!r} is not {self.name}: an article and how many of it, as in MUG-BLUE=2.", param, ctx)
        return {"sku": value}


class Amount(click.ParamType[Decimal]):
    """An amount of money without its currency, "12.34", exact."""

    name = "AMOUNT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:  # noqa: ANN401  (click's own)
        """Return the amount in major units."""
        if isinstance(value, Decimal):
            return value
        if not _AMOUNT.fullmatch(value) or not Decimal(value):
            self.fail(f"{value!r} is no amount: write 12.34, without currency, sign or separators.", param, ctx)
        return Decimal(value)


class Moment(click.ParamType[str]):
    """A time, "2026-03-01" or "2026-03-01T09:30:00Z"; without a zone it is UTC."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401  (click's own)
        """Return the time as the REST API writes it."""
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: write 2026-03-01 or 2026-03-01T09:30:00Z.", param, ctx)
        aware = time if time.tzinfo else time.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def exact(amount: Decimal, currency_code: str) -> Json:
    """Return the amount as the contract's Money.

    Raises:
        UsageError: The currency has fewer digits than the amount, or nothing costs that much.
    """
    try:
        money = Money.from_decimal(amount, currency_code)
    except ArithmeticError:
        raise click.UsageError("That is no amount.") from None
    if money.to_decimal() != amount:
        raise click.UsageError(f"The order is in {currency_code}, whose smallest amount is {Money(currency_code, 1)}.")
    return {"currency_code": currency_code, "minor_units": money.minor_units}
