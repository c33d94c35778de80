"""Amounts and times as a person writes them."""

from typing import Any

from kernel.money import Money

Json = dict[str, Any]


def money(document: Json | None) -> str:
    """Return an amount: "10.99 EUR"; a dash where there is none."""
    return "-" if document is None else str(Money(document["currency_code"], document["minor_units"]))


def is_some(document: Json | None) -> bool:
    """Return whether there is an amount, and one that is not zero."""
    return document is not None and document["minor_units"] != 0


def moment(time: str) -> str:
    """Return a time to the second: "2026-03-01 09:30:05Z"."""
    return f"{time[:10]} {time[11:19]}Z"


def quantities(items: list[Json]) -> str:
    """Return so many of some articles: "2 x MUG, 1 x TEE"."""
    return ", ".join(f"{each['quantity']} x {each['sku']}" for each in items)
