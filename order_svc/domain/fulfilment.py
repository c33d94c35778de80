"""What of an order was handed to carriers, and what is left to be."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from order_svc.domain.draft import Draft


@dataclass(frozen=True, slots=True)
class Quantity:
    """So many of an article."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Shipment:
    """Goods that were handed to a carrier, or will be as soon as their money is taken.

    Attributes:
        number: Names it within its order, from 1.
        items: What is in it.
        carrier: May be empty.
        tracking_number: May be empty.
        tracking_url: May be empty.
        shipped_at: None while it waits for held money to be taken.
        delivered_at: None until it arrived.
        release_rest: Nothing more will be shipped: what else is held is let go.
    """

    number: int
    items: tuple[Quantity, ...]
    carrier: str = ""
    tracking_number: str = ""
    tracking_url: str = ""
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    release_rest: bool = False


def unshipped(draft: Draft, shipments: Iterable[Shipment]) -> tuple[Quantity, ...]:
    """Return what no shipment holds yet, in the order of the items."""
    left = Counter({item.sku: item.quantity for item in draft.articles})
    for shipment in shipments:
        left.subtract({each.sku: each.quantity for each in shipment.items})
    return tuple(Quantity(sku, count) for sku, count in left.items() if count > 0)
