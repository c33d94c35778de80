"""What of an order was handed to carriers, and what is left to be."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kernel.errors import Refusal
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


def check_quantities(wanted: Sequence[Quantity], skus: set[str], left: Counter[str], purpose: str) -> None:
    """Refuse quantities that the order has not.

    Args:
        wanted: What is asked for.
        skus: The lines that can be asked for.
        left: How many are left of each.
        purpose: What they are left for: "to be shipped".

    Raises:
        Refusal: It names the field.
    """
    seen: set[str] = set()
    for position, each in enumerate(wanted):
        named = f"items[{position}]"
        if each.sku not in skus:
            raise Refusal.of_field(f"{named}.sku", f"{each.sku} is none of this order's")
        if each.sku in seen:
            raise Refusal.of_field(f"{named}.sku", f"{each.sku} stands twice; put the quantities together")
        if each.quantity > left[each.sku]:
            raise Refusal.of_field(
                f"{named}.quantity", f"only {max(0, left[each.sku])} of {each.sku} are left {purpose}"
            )
        seen.add(each.sku)
