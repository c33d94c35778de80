"""What is handed to carriers, and what has arrived: the two commands about goods."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kernel.errors import Refusal
from order_svc.domain.commands import Command, beside, nothing_to_do
from order_svc.domain.fulfilment import Quantity, Shipment, check_quantities, unshipped
from order_svc.domain.hold import capture_amount, shipped_state
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.refund import counted_items
from order_svc.domain.task import NewTask, TaskKind
from order_svc.domain.transition import Transition, moved


@dataclass(frozen=True, slots=True)
class Handover:
    """What is handed to a carrier.

    Attributes:
        items: Empty for everything that is left.
        carrier: May be empty.
        tracking_number: May be empty.
        tracking_url: May be empty.
        release_rest: Nothing more will be shipped.
    """

    items: tuple[Quantity, ...] = ()
    carrier: str = ""
    tracking_number: str = ""
    tracking_url: str = ""
    release_rest: bool = False


def ship(order: Order, handover: Handover, now: datetime) -> Transition:
    """Note a shipment, or have the money for it taken first.

    Args:
        order: As it stands.
        handover: What is shipped.
        now: The time.

    Raises:
        Refusal: The state does not allow it, the order has no such articles left, or there would be nothing to take.
    """
    nothing_to_do(Command.SHIP, order)
    held = order.stage is Stage.HOLDING
    if handover.release_rest and not held:
        raise Refusal.of_field("release_rest", "is for the first shipment of an order whose money is held")
    items = _left_to_ship(order, handover.items)
    shipment = Shipment(
        number=len(order.shipments) + 1,
        items=items,
        carrier=handover.carrier,
        tracking_number=handover.tracking_number,
        tracking_url=handover.tracking_url,
        shipped_at=None if held else now,
        release_rest=handover.release_rest,
    )
    shipments = (*order.shipments, shipment)
    facts = {"shipment": str(shipment.number), "articles": str(sum(each.quantity for each in items))}
    if held:
        waiting = moved(order, now, stage=Stage.CAPTURING, shipments=shipments)
        if capture_amount(waiting).minor_units <= 0:
            raise Refusal.of_field(
                "release_rest", "would let go of all that is held: what is shipped costs nothing; ship without it"
            )
        return Transition(waiting, "shipment.waiting", facts)
    shipped = moved(order, now, state=shipped_state(order, shipments), shipments=shipments)
    return beside(shipped, "order.shipped", facts, (NewTask(TaskKind.SEND_SHIPPED, shipment.number),), now)


def deliver(order: Order, number: int, now: datetime) -> Transition | None:
    """Note that goods have arrived.

    Args:
        order: As it stands.
        number: Of the shipment; 0 for all that are on their way.
        now: The time.

    Raises:
        Refusal: The state does not allow it, or there is no such shipment.
    """
    if nothing_to_do(Command.DELIVER, order):
        return None
    if number and number not in {each.number for each in order.shipments}:
        raise Refusal.of_field("shipment_id", f"{number} is no shipment of this order")
    arrived = [each for each in order.shipments if not each.delivered_at and number in {0, each.number}]
    over = order.state is State.SHIPPED
    if not arrived and not (over and all(each.delivered_at for each in order.shipments)):
        return None
    shipments = tuple(replace(each, delivered_at=now) if each in arrived else each for each in order.shipments)
    facts = {"shipments": " ".join(str(each.number) for each in arrived)}
    if over and all(each.delivered_at for each in shipments):
        delivered = moved(order, now, state=State.DELIVERED, shipments=shipments)
        return beside(delivered, "order.delivered", facts, (NewTask(TaskKind.SEND_DELIVERED),), now)
    return beside(moved(order, now, shipments=shipments), "shipment.delivered", facts, (), now)


def _left_to_ship(order: Order, wanted: Sequence[Quantity]) -> tuple[Quantity, ...]:
    """Return what the shipment holds.

    Raises:
        Refusal: An article is not the order's, or not so many of it are left.
    """
    given_back = Shipment(0, tuple(counted_items(order.refunds)))
    if not wanted:
        left = unshipped(order.draft, (*order.shipments, given_back))
        if not left:
            raise Refusal.of_field("items", "are all shipped or given back already")
        return left
    left_of = Counter({each.sku: each.quantity for each in unshipped(order.draft, order.shipments)})
    check_quantities(wanted, {item.sku for item in order.draft.articles}, left_of, "to be shipped")
    return tuple(wanted)
