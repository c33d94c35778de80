"""The promises, checked by an observer that is no part of the product: at every instant, and when all is quiet.

What is checked in the end of money and documents is told in accounts.py, and of mails in letters.py.
"""

from collections import defaultdict
from collections.abc import Callable

from sqlalchemy import select

from kernel.money import Money
from notify_svc.adapters.tables import METADATA as NOTIFY_TABLES
from notify_svc.adapters.tables import NOTIFICATIONS
from notify_svc.domain.notification import Notification
from order_svc.adapters.columns_json import shipments_from_json
from order_svc.adapters.tables import METADATA as ORDER_TABLES
from order_svc.adapters.tables import ORDER_EVENTS, ORDERS
from order_svc.domain.order import Order
from order_svc.domain.refund import RefundKind
from payment_svc.adapters.tables import METADATA as PAYMENT_TABLES
from payment_svc.domain.intent import Intent
from tests.fakes.tax_authority import FakeTaxAuthority
from tests.simulation.accounts import check_disputes, check_money, check_refunds, check_tax
from tests.simulation.errands import Told
from tests.simulation.idling import (
    HOOKS_DUE,
    MAILS_DUE,
    NEWS_DUE,
    ORDERS_DUE,
    PARKED_SINCE,
    PAYMENTS_OPEN,
    UNPARKED_DUE,
    MailNews,
)
from tests.simulation.letters import check_mails, lie
from tests.simulation.moves import ENDS, GIVEN_UP, MOVES, OPEN, REACHABLE, TAKEN
from tests.simulation.providers import SendGrid
from tests.simulation.records import address_refused, column, ledger, refunds_in_ledger, state_of, stored_order
from tests.simulation.shelf import shelf
from tests.simulation.stripe_world import Stripe
from tests.simulation.world import World


class Promises:
    """What is watched.

    Args:
        world: Where broken promises are written down.

    Attributes:
        given_up: Is told of an order that stops waiting for its customer.
        stripe: Says what was taken and given back.
        been: The states that each order has been in.
    """

    def __init__(self, world: World) -> None:
        self.given_up: Callable[[str], None] = lambda _: None
        self.stripe: Stripe | None = None
        self.been: defaultdict[str, set[str]] = defaultdict(lambda: {"PENDING"})
        self._world = world

    def may_charge(self, order_id: str, intent_id: str) -> str:
        """P-11, P-13: money may only move on the intent whose id is stored, and for no order that is over."""
        stored = shelf(PAYMENT_TABLES).row("SELECT intent_id FROM payments WHERE order_id = ?", order_id)
        if stored != (intent_id,):
            return f"P-11: money moves on {intent_id} of order {order_id}, and stored is {stored}"
        state = state_of(order_id)
        return "" if state in OPEN else f"P-13: order {order_id} is charged as {state}"

    def may_capture(self, order_id: str, amount: Money) -> str:
        """P-18: held money is taken for a shipment that was written down before: all, or what is left of the order."""
        stage, total = column("stage", order_id), column("total", order_id)
        shipments = shipments_from_json(column("shipments", order_id))
        if stage != "CAPTURING" or not shipments:
            return f"P-18: {amount} of order {order_id} is taken as {stage} with {len(shipments)} shipments"
        whole = amount.minor_units == total
        if whole is shipments[-1].release_rest:
            return f"P-18: {amount} of {total} of order {order_id} is taken for {shipments[-1]}"
        return ""

    def may_mail(self, notification: Notification) -> str:
        """P-33: no mail tells what is not so."""
        return lie(notification, self.been[notification.summary.order_id])

    def moved(self, order_id: str, before: str, after: str, was: int, now: int, fence: int, next_fence: int) -> None:
        """P-5, P-8, P-18, P-19: what happens to an order, told by the database itself."""
        self._world.note(f"order {order_id} {before} {was} -> {after} {now}")
        self.been[order_id].add(after)
        if (before, after) == ("PAYMENT_ACTION_REQUIRED", "PENDING"):
            self.given_up(order_id)
        if before != after:
            self._changed(order_id, before, after)
        if now != was + 1 or next_fence <= fence:
            self._world.violated(f"P-8: order {order_id} went from version {was}/{fence} to {now}/{next_fence}")

    def _changed(self, order_id: str, before: str, after: str) -> None:
        assert self.stripe is not None, "the world has begun"
        if after not in MOVES[before]:
            self._world.violated(f"P-5: order {order_id} left {before} for {after}")
        taken = self.stripe.captured[order_id]
        if after in TAKEN and not taken:
            self._world.violated(f"P-18: order {order_id} is {after}, and nothing was taken")
        if after == "CANCELLED" and taken != self.stripe.given_back(order_id):
            self._world.violated(f"P-19: order {order_id} is cancelled, and {taken} was taken")

    def readable(self, told: list[Told]) -> None:
        """P-1: every order that somebody was told of is there."""
        for each in told:
            for order_id in each.order_ids:
                if state_of(order_id) is None:
                    self._world.violated(f"P-1: order {order_id} of {each.key} is lost")


def quiet(stripe: Stripe) -> bool:
    """Say whether nothing is left to be done anywhere."""
    orders, mails, payments = (shelf(kept) for kept in (ORDER_TABLES, NOTIFY_TABLES, PAYMENT_TABLES))
    waiting = (
        (mails, MAILS_DUE),
        (payments, PAYMENTS_OPEN),
        (payments, NEWS_DUE),
        (orders, UNPARKED_DUE),
        (orders, PARKED_SINCE),
        (orders, ORDERS_DUE),
        (orders, HOOKS_DUE),
    )
    if any(kept.earliest(query) is not None for kept, query in waiting) or MailNews(mails, orders).is_heard():
        return False
    return all(_noticed(intent, stripe) for intent in stripe.intents.values())


def parked() -> list[str]:
    """Return the ids of orders that wait for a person to take them up again."""
    if shelf(ORDER_TABLES).earliest(PARKED_SINCE) is None:
        return []
    waits = (ORDERS.c.needs_review, ORDERS.c.wake_at.is_(None), ORDERS.c.stage != "SETTLED")
    return [row.order_id for row in shelf(ORDER_TABLES).ask(select(ORDERS.c.order_id).where(*waits))]


def marked() -> list[str]:
    """Return the ids of orders that a person has to look at, though nothing of them waits."""
    settled = (ORDERS.c.needs_review, ORDERS.c.stage == "SETTLED")
    return [row.order_id for row in shelf(ORDER_TABLES).ask(select(ORDERS.c.order_id).where(*settled))]


def in_review() -> bool:
    """Say whether any order waits for a person, or for a refund's next day, or any mail that may have been sent."""
    mails = select(NOTIFICATIONS.c.notification_id)
    parked_mails = mails.where(NOTIFICATIONS.c.state == "ACCEPTED", NOTIFICATIONS.c.due_at.is_(None)).limit(1)
    orders = select(ORDERS.c.order_id).where(ORDERS.c.needs_review).limit(1)
    return bool(shelf(ORDER_TABLES).ask(orders) or shelf(NOTIFY_TABLES).ask(parked_mails))


def _noticed(intent: Intent, stripe: Stripe) -> bool:
    """Say whether our ledger has heard of all that was taken and given back; by hand, it depends on webhooks alone."""
    kept = stripe.captured[intent.order_id] - stripe.given_back(intent.order_id)
    if ledger(intent.order_id) not in {kept, kept + stripe.by_hand[intent.order_id]}:
        return False
    # What was given back by hand may hide in the sum that a refund of ours has failed.
    ours = refunds_in_ledger(intent.order_id)
    made = {each.refund.provider_refund_id: each.refund.state for each in stripe.refunds}
    return all(made[refund_id] == state for refund_id, state in ours.items())


def check_end(
    world: World,
    promises: Promises,
    told: list[Told],
    stripe: Stripe,
    authority: FakeTaxAuthority,
    sendgrid: SendGrid,
) -> list[Order]:
    """Check what must be true when all is quiet, and return all orders."""
    orders = [stored_order(row.order_id) for row in shelf(ORDER_TABLES).ask(select(ORDERS.c.order_id))]
    if len(orders) > len(told):
        world.violated(f"P-2: {len(orders)} orders for {len(told)} keys")
    for order in orders:
        _check_order(world, order, stripe)
        check_money(world, order, stripe)
        check_refunds(world, order, stripe)
        check_tax(world, order, authority)
        check_disputes(world, order, stripe)
    check_mails(world, orders, promises.been, sendgrid)
    by_id = {order.order_id: order for order in orders}
    for each in told:
        _check_told(world, each, next((by_id.get(order_id) for order_id in each.order_ids), None))
    for intent in stripe.intents.values():
        if intent.captured.minor_units and intent.order_id not in by_id:
            world.violated(f"P-12: {intent.intent_id} belongs to no order")
    return orders


def _check_told(world: World, told: Told, order: Order | None) -> None:
    """P-7, P-9: what was answered stays true, and each key counts once."""
    if order is None:
        return
    for heard in told.ends:
        if order.state.value not in REACHABLE[heard]:
            world.violated(f"P-7: {told.key} was told {heard} and is {order.state}")
    refunds = sum(each.kind is RefundKind.ASKED for each in order.refunds)
    if not told.accepted["RefundOrder"] <= refunds <= told.asked["RefundOrder"]:
        world.violated(f"P-9: {told.key} has {refunds} refunds, and {told.accepted} of {told.asked} were accepted")
    ships, shipments = told.accepted["ShipOrder"], len(order.shipments)
    lost = order.state in GIVEN_UP  # A hold that lapsed takes the shipment with it that waited for it.
    if shipments > told.asked["ShipOrder"] or (shipments < ships and not lost):
        world.violated(f"P-9: {told.key} has {shipments} shipments, and {told.accepted} of {told.asked} were accepted")


def _check_order(world: World, order: Order, stripe: Stripe) -> None:
    """P-4, P-8: the order has ended, nobody is called without need, and its story has no gap."""
    told = f"{order.state}/{order.stage}, review {order.needs_review}"
    by_hand = stripe.by_hand[order.order_id]
    hindered = stripe.failed_refunds[order.order_id] or by_hand or address_refused(order.order_id) or order.alerts
    if order.needs_review and not hindered:
        world.violated(f"P-4: order {order.order_id} is parked, and nothing is the matter: {told}")
    ended = order.state in ENDS and order.stage.value == "SETTLED"
    if not ended and not (order.needs_review and hindered):
        world.violated(f"P-4: order {order.order_id} ends as {told}")
    query = select(ORDER_EVENTS.c.version).where(
        ORDER_EVENTS.c.order_id == order.order_id, ORDER_EVENTS.c.cause != "outbox"
    )
    versions = sorted(row.version for row in shelf(ORDER_TABLES).ask(query))
    if versions != list(range(1, order.version + 1)):
        world.violated(f"P-8: order {order.order_id} at {order.version} has the journal {versions}")
