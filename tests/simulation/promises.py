"""The promises, checked by an observer that is no part of the product: at every instant, and when all is quiet."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from kernel.errors import Reason
from kernel.money import Money
from notify_svc.adapters.tables import METADATA as NOTIFY_TABLES
from notify_svc.adapters.tables import NOTIFICATIONS
from notify_svc.domain.notification import Kind
from order_svc.adapters.tables import METADATA as ORDER_TABLES
from order_svc.adapters.tables import ORDER_EVENTS, ORDER_TASKS, ORDERS
from payment_svc.adapters.tables import METADATA as PAYMENT_TABLES
from payment_svc.domain.intent import Intent, IntentStatus
from tax_svc.adapters.tables import METADATA as TAX_TABLES
from tests.fakes.tax_authority import FakeTaxAuthority
from tests.simulation.idling import MAILS_DUE, NEWS_DUE, ORDERS_DUE, PARKED_SINCE, PAYMENTS_OPEN, UNPARKED_DUE
from tests.simulation.mail_events import end_of
from tests.simulation.providers import SendGrid
from tests.simulation.shelf import shelf
from tests.simulation.shops import Told
from tests.simulation.stripe_world import Stripe
from tests.simulation.world import World

_OPEN = {"PENDING", "PAYMENT_ACTION_REQUIRED"}
_FINAL = {IntentStatus.SUCCEEDED, IntentStatus.CANCELLED}
_MOST_MAILS = 3


class Promises:
    """What is watched.

    Args:
        world: Where broken promises are written down.

    Attributes:
        given_up: Is told of an order that stops waiting for its customer.
    """

    def __init__(self, world: World) -> None:
        self.given_up: Callable[[str], None] = lambda _: None
        self._world = world

    def may_charge(self, order_id: str, intent_id: str) -> str:
        """P-11, P-13: money may only move on the intent whose id is stored, and for no order that is over."""
        stored = shelf(PAYMENT_TABLES).row("SELECT intent_id FROM payments WHERE order_id = ?", order_id)
        if stored != (intent_id,):
            return f"P-11: money moves on {intent_id} of order {order_id}, and stored is {stored}"
        state = _state(order_id)
        return "" if state in _OPEN else f"P-13: order {order_id} is charged as {state}"

    def may_mail(self, order_id: str) -> str:
        """P-33: no confirmation for an order that is not paid."""
        state = _state(order_id)
        return "" if state == "PAID" else f"P-33: order {order_id} is confirmed as {state}"

    def moved(self, order_id: str, before: str, after: str, was: int, now: int, fence: int, next_fence: int) -> None:
        """P-5, P-8: what happens to an order, told by the database itself."""
        self._world.note(f"order {order_id} {before} {was} -> {after} {now}")
        if (before, after) == ("PAYMENT_ACTION_REQUIRED", "PENDING"):
            self.given_up(order_id)
        if before not in _OPEN and before != after:
            self._world.violated(f"P-5: order {order_id} left {before} for {after}")
        if now != was + 1 or next_fence <= fence:
            self._world.violated(f"P-8: order {order_id} went from version {was}/{fence} to {now}/{next_fence}")

    def readable(self, told: list[Told]) -> None:
        """P-1: every order that somebody was told of is there."""
        for each in told:
            for order_id in each.order_ids:
                if _state(order_id) is None:
                    self._world.violated(f"P-1: order {order_id} of {each.key} is lost")


def _state(order_id: str) -> str | None:
    found = shelf(ORDER_TABLES).row("SELECT state FROM orders WHERE order_id = ?", order_id)
    return None if found is None else str(found[0])


def quiet(stripe: Stripe) -> bool:
    """Say whether nothing is left to be done anywhere, except where somebody's work in the dashboard is in the way."""
    waiting = ((NOTIFY_TABLES, MAILS_DUE), (PAYMENT_TABLES, PAYMENTS_OPEN), (PAYMENT_TABLES, NEWS_DUE))
    if any(shelf(kept).earliest(query) is not None for kept, query in waiting):
        return False
    orders = shelf(ORDER_TABLES)
    if orders.earliest(UNPARKED_DUE) is not None or orders.earliest(PARKED_SINCE) is not None:
        return False
    if orders.earliest(ORDERS_DUE) is not None:
        parked = orders.ask(select(ORDERS.c.order_id).where(ORDERS.c.wake_at.is_not(None)))
        if not all(stripe.by_hand[order.order_id] for order in parked):
            return False
    return all(_noticed(intent, stripe) for intent in stripe.intents.values())


def parked() -> list[str]:
    """Return the ids of orders that wait for a person to take them up again."""
    if shelf(ORDER_TABLES).earliest(PARKED_SINCE) is None:
        return []
    waits = (ORDERS.c.needs_review, ORDERS.c.wake_at.is_(None), ORDERS.c.stage != "SETTLED")
    return [row.order_id for row in shelf(ORDER_TABLES).ask(select(ORDERS.c.order_id).where(*waits))]


def in_review() -> bool:
    """Say whether any order waits for a person, or for a refund's next day, or any mail that may have been sent."""
    mails = select(NOTIFICATIONS.c.notification_id)
    parked_mails = mails.where(NOTIFICATIONS.c.state == "ACCEPTED", NOTIFICATIONS.c.due_at.is_(None)).limit(1)
    orders = select(ORDERS.c.order_id).where(ORDERS.c.needs_review).limit(1)
    return bool(shelf(ORDER_TABLES).ask(orders) or shelf(NOTIFY_TABLES).ask(parked_mails))


def _noticed(intent: Intent, stripe: Stripe) -> bool:
    """Say whether our ledger has heard of all that was taken and given back; by hand, it depends on webhooks alone."""
    kept = stripe.captured[intent.order_id] - stripe.given_back(intent.order_id)
    return _ledger(intent.order_id) in {kept, kept + stripe.by_hand[intent.order_id]}


def _ledger(order_id: str) -> int:
    """Return the minor units of an order that we say we have."""
    (kept,) = shelf(PAYMENT_TABLES).row("SELECT sum(captured - refunded) FROM payments WHERE order_id = ?", order_id)
    return kept or 0


def check_end(world: World, told: list[Told], stripe: Stripe, authority: FakeTaxAuthority, sendgrid: SendGrid) -> None:
    """Check what must be true when all is quiet."""
    orders = shelf(ORDER_TABLES).ask(select(ORDERS))
    if len(orders) > len(told):
        world.violated(f"P-2: {len(orders)} orders for {len(told)} keys")
    for order in orders:
        _check_order(world, order, stripe)
        _check_money(world, order, stripe)
        _check_tax(world, order, authority)
        _check_mail(world, order, sendgrid)
    _check_mails(world, sendgrid)
    states = {order.order_id: order.state for order in orders}
    for each in told:
        for end in each.ends:
            if states.get(each.order_ids[0]) != end:
                world.violated(f"P-7: {each.key} was told {end} and is {states.get(each.order_ids[0])}")
    for intent in stripe.intents.values():
        if intent.captured.minor_units and intent.order_id not in states:
            world.violated(f"P-12: {intent.intent_id} belongs to no order")


def _check_order(world: World, order: Any, stripe: Stripe) -> None:  # noqa: ANN401  (a row)
    told = f"{order.state}/{order.stage}, review {order.needs_review}"
    hindered = stripe.failed_refunds[order.order_id] or stripe.by_hand[order.order_id] or _address_refused(order)
    if order.needs_review and not hindered:
        world.violated(f"P-4: order {order.order_id} is parked, and nothing is the matter: {told}")
    if order.state not in {"PAID", "FAILED"} and not (order.needs_review and hindered):
        world.violated(f"P-4: order {order.order_id} ends as {told}")
    query = select(ORDER_EVENTS.c.version).where(
        ORDER_EVENTS.c.order_id == order.order_id, ORDER_EVENTS.c.cause != "outbox"
    )
    versions = sorted(row.version for row in shelf(ORDER_TABLES).ask(query))
    if versions != list(range(1, order.revision + 1)):
        world.violated(f"P-8: order {order.order_id} at {order.revision} has the journal {versions}")


def _check_money(world: World, order: Any, stripe: Stripe) -> None:  # noqa: ANN401  (a row)
    by_hand = stripe.by_hand[order.order_id]
    kept = stripe.captured[order.order_id] - stripe.given_back(order.order_id)
    due = order.total - by_hand if order.state == "PAID" else 0
    if kept != due:
        world.violated(f"P-12: order {order.order_id} is {order.state}, {kept} was kept and {due} is due")
    live = [
        each.intent_id
        for each in stripe.intents.values()
        if each.order_id == order.order_id and each.status in {IntentStatus.AUTHORIZED, IntentStatus.PROCESSING}
    ]
    if live:
        world.violated(f"P-13: order {order.order_id} is {order.state} and {live} may still move money")
    for intent in (each for each in stripe.intents.values() if each.status in _FINAL):
        stored = shelf(PAYMENT_TABLES).row("SELECT state FROM payments WHERE intent_id = ?", intent.intent_id)
        if stored not in {None, (intent.status,)}:
            world.violated(f"P-16: {intent.intent_id} is {intent.status}, and the ledger says {stored}")
    if (ledger := _ledger(order.order_id)) not in {kept, kept + by_hand}:
        world.violated(f"P-16: order {order.order_id}: the ledger says {ledger}, Stripe {kept}, and {by_hand} by hand")


def _check_tax(world: World, order: Any, authority: FakeTaxAuthority) -> None:  # noqa: ANN401  (a row)
    recorded = authority.recorded.get(order.order_id)
    if order.needs_review and recorded is None and _address_refused(order):
        return  # AvaTax was away for the quote, and will never record a sale to this address: a person is told.
    if (order.state == "PAID") is not (recorded is not None):
        world.violated(f"P-20: order {order.order_id} is {order.state} and its tax document is {recorded}")
    documents = shelf(TAX_TABLES).ask(TAX_TABLES.tables["tax_documents"].select())
    ours = [row for row in documents if row.code == order.order_id] if order.state == "PAID" else []
    if order.state == "PAID" and (len(ours) != 1 or order.tax_document != order.order_id):
        world.violated(f"P-20: order {order.order_id} has the documents {ours}")
    if recorded is not None and recorded[0].subtotal() != Money(order.currency_code, order.subtotal):
        world.violated(f"P-20: order {order.order_id} is recorded with another amount")


def _address_refused(order: Any) -> bool:  # noqa: ANN401  (a row)
    query = select(ORDER_TASKS.c.last_error).where(
        ORDER_TASKS.c.order_id == order.order_id, ORDER_TASKS.c.due_at.is_(None)
    )
    return any(row.last_error == Reason.ADDRESS_INVALID for row in shelf(ORDER_TABLES).ask(query))


def _check_mails(world: World, sendgrid: SendGrid) -> None:
    """P-31, P-32: no mail goes out too often, and every one is where its events say, also when its answer was lost."""
    for row in shelf(NOTIFY_TABLES).ask(select(NOTIFICATIONS)):
        copies = sendgrid.copies[row.notification_id]
        if copies > _MOST_MAILS:
            world.violated(f"P-31: the mail {row.notification_id} went out {copies} times")
        end = end_of(row.notification_id)
        if not copies or end is None:
            continue
        if row.state != end.value or row.due_at is not None:
            world.violated(
                f"P-32: the mail {row.notification_id} is {row.state}, due {row.due_at}, and not {end.value}"
            )
        if row.news_at is not None and not end.is_news():
            world.violated(f"P-32: the mail {row.notification_id} is {row.state}, and its news since {row.news_at}")


def _check_mail(world: World, order: Any, sendgrid: SendGrid) -> None:  # noqa: ANN401  (a row)
    if order.state != "PAID":
        return
    query = select(NOTIFICATIONS).where(
        NOTIFICATIONS.c.order_id == order.order_id, NOTIFICATIONS.c.kind == Kind.ORDER_CONFIRMATION.value
    )
    found = shelf(NOTIFY_TABLES).ask(query)
    mails = sendgrid.mails[order.order_id]
    if len(found) != 1:
        world.violated(f"P-30: order {order.order_id} has {len(found)} confirmations")
    # Parked: so many attempts of unknown outcome that a person, or an event of SendGrid's, has to say.
    elif not mails and not (found[0].state == "ACCEPTED" and found[0].open_attempts >= _MOST_MAILS):
        world.violated(f"P-30: order {order.order_id} is paid and was never confirmed")
    if mails > _MOST_MAILS:
        world.violated(f"P-31: order {order.order_id} was confirmed {mails} times")
