"""What must be true of money, goods and tax documents when all is quiet: three ledgers agree to the minor unit."""

from kernel.money import Money
from order_svc.domain import shares
from order_svc.domain.news import DISPUTED
from order_svc.domain.order import Order
from order_svc.domain.payment import RefundState
from order_svc.domain.refund import Refund, RefundKind
from order_svc.domain.refunding import FAILED
from payment_svc.adapters.tables import METADATA as PAYMENT_TABLES
from payment_svc.domain.intent import IntentStatus
from tax_svc.adapters.tables import METADATA as TAX_TABLES
from tests.fakes.tax_authority import FakeTaxAuthority
from tests.simulation.moves import GIVEN_UP
from tests.simulation.records import address_refused, ledger
from tests.simulation.shelf import shelf
from tests.simulation.stripe_world import Stripe
from tests.simulation.world import World

_FINAL = {IntentStatus.SUCCEEDED, IntentStatus.CANCELLED}
_DECIDED = {"WON", "LOST"}
_LIVE = {IntentStatus.AUTHORIZED, IntentStatus.PROCESSING}


def check_money(world: World, order: Order, stripe: Stripe) -> None:
    """P-10 to P-19: Stripe has kept what the order says, held money is taken or let go, and our ledger knows it."""
    order_id, unheard = order.order_id, _unheard(order, stripe)
    taken = stripe.captured[order_id]
    kept = taken - stripe.given_back(order_id)
    due = 0 if order.state in GIVEN_UP else taken - _counted(order) - unheard
    if kept != due:
        world.violated(f"P-12: order {order_id} is {order.state}, {kept} was kept and {due} is due")
    if order.state not in GIVEN_UP and unheard > stripe.untold[order_id]:
        lost = stripe.untold[order_id]
        world.violated(
            f"P-16: order {order_id} has not heard of {unheard} given back by hand: no event but of {lost} was lost"
        )
    let_go = sum(each.amount.minor_units for each in order.refunds if each.kind is RefundKind.RELEASED)
    if order.state not in GIVEN_UP and (order.total is None or taken != order.total.minor_units - let_go):
        world.violated(f"P-18: order {order_id} is {order.state}: {taken} of {order.total} was taken, {let_go} let go")
    if taken and order.state not in GIVEN_UP and order.captured.minor_units != taken:
        world.violated(f"P-16: order {order_id} says {order.captured} was taken, and Stripe {taken}")
    if order.state in GIVEN_UP and any(each.shipped_at for each in order.shipments):
        world.violated(f"P-18: order {order_id} is {order.state} and shipped")
    live = [each.intent_id for each in stripe.intents.values() if each.order_id == order_id and each.status in _LIVE]
    if live:
        world.violated(f"P-13: order {order_id} is {order.state} and {live} may still move money")
    for intent in (each for each in stripe.intents.values() if each.order_id == order_id and each.status in _FINAL):
        stored = shelf(PAYMENT_TABLES).row("SELECT state FROM payments WHERE intent_id = ?", intent.intent_id)
        if stored not in {None, (intent.status,)}:
            world.violated(f"P-16: {intent.intent_id} is {intent.status}, and the ledger says {stored}")
    if (ours := ledger(order_id)) not in {kept, kept + unheard}:
        world.violated(f"P-16: order {order_id}: the ledger says {ours}, Stripe {kept}, and {unheard} is unheard of")


def check_refunds(world: World, order: Order, stripe: Stripe) -> None:
    """P-14, P-17: each refund of the order is one of Stripe's, as it ended there; and none of Stripe's is left out."""
    named = [each.provider_refund_id for each in order.refunds if each.provider_refund_id]
    if len(named) != len(set(named)):
        world.violated(f"P-14: order {order.order_id} counts a refund twice: {named}")
    for refund in order.refunds:
        if refund.kind is not RefundKind.RELEASED:
            _check_refund(world, order, refund, stripe)


def _check_refund(world: World, order: Order, refund: Refund, stripe: Stripe) -> None:
    made = (each.refund for each in stripe.refunds)
    there = next((each for each in made if each.provider_refund_id == refund.provider_refund_id), None)
    told = f"refund {refund.number} of order {order.order_id} is {refund.state}"
    if refund.state is RefundState.PENDING:
        world.violated(f"P-17: {told} for ever")
    if refund.state is RefundState.SUCCEEDED and there is None:
        world.violated(f"P-17: {told}, and Stripe has none")
    if there is not None and (there.state.value, there.amount) != (refund.state.value, refund.amount):
        world.violated(f"P-17: {told} of {refund.amount}, and Stripe has {there}")
    hindered = stripe.failed_refunds[order.order_id] or stripe.by_hand[order.order_id]
    if refund.state is RefundState.FAILED and not hindered:
        world.violated(f"P-17: {told} ({refund.failure_reason}), and nothing was in its way")
    if refund.state is RefundState.FAILED and not _alerted(order, refund):
        world.violated(f"P-17: {told}, and nobody is told")


def check_disputes(world: World, order: Order, stripe: Stripe) -> None:
    """P-36: a paid order shows its dispute as the latest event told it, or as it stood after that."""
    there = stripe.disputed.get(order.order_id)
    if there is None or order.state in GIVEN_UP:
        return
    known = {each.provider_dispute_id: each.state for each in order.payment.disputes} if order.payment else {}
    shown = [each for each in order.alerts if (each.kind, each.subject) == (DISPUTED, there.dispute_id)]
    if len(shown) != 1 or known.get(there.dispute_id) not in {there.state.value, *_DECIDED}:
        world.violated(f"P-36: the dispute {there} of order {order.order_id} shows as {shown}, known is {known}")


def check_tax(world: World, order: Order, authority: FakeTaxAuthority) -> None:
    """P-20 to P-23: one document for a sale, one for each return, and together they say what was kept."""
    recorded = authority.recorded.get(order.order_id)
    returned = {code: kept for code, kept in authority.returned.items() if kept[0].order_id == order.order_id}
    if address_refused(order.order_id):
        return  # A person is told.
    sold = order.state not in GIVEN_UP
    if sold is not (recorded is not None):
        world.violated(f"P-20: order {order.order_id} is {order.state} and its tax document is {recorded}")
    if returned and not sold:
        world.violated(f"P-21: order {order.order_id} is {order.state} and has returns")
    if recorded is None or not sold:
        return
    ours = [row.code for row in shelf(TAX_TABLES).ask(TAX_TABLES.tables["tax_documents"].select())]
    if ours.count(order.order_id) != 1 or order.tax_document != order.order_id:
        world.violated(f"P-20: order {order.order_id} has the documents {ours}")
    if recorded[0].subtotal() != order.draft.subtotal:
        world.violated(f"P-20: order {order.order_id} is recorded with another amount")
    _check_true_up(world, order, recorded[1].tax)
    _check_returns(world, order, {code: kept[0].amount() + kept[0].tax() for code, kept in returned.items()})


def _check_true_up(world: World, order: Order, tax: Money) -> None:
    assert order.tax is not None, "it is recorded"
    if order.tax_difference != tax - order.tax.amount:
        world.violated(f"P-22: order {order.order_id} charged {order.tax.amount}, {tax} is recorded: not {order}")


def _check_returns(world: World, order: Order, returned: dict[str, Money]) -> None:
    booked = {each.number: each for each in order.refunds if each.booked}
    if set(returned) != {order.refund_documents.get(number) for number in booked}:
        world.violated(f"P-23: order {order.order_id} has the returns {returned}, and booked {list(booked)}")
        return
    for number, refund in booked.items():
        worth = shares.total(refund.shares, order.draft.currency_code)
        if returned[order.refund_documents[number]] != worth or (refund.counts and worth != refund.amount):
            world.violated(f"P-23: refund {number} of order {order.order_id} is {refund.amount}: {returned}")
    if any(each.counts and not each.booked for each in order.refunds):
        world.violated(f"P-23: order {order.order_id} has refunds without a document")


def _counted(order: Order) -> int:
    """Return what went back of what was taken, as the order has it."""
    given = [each for each in order.refunds if each.counts and each.kind is not RefundKind.RELEASED]
    return sum(each.amount.minor_units for each in given)


def _unheard(order: Order, stripe: Stripe) -> int:
    """Return what went back by hand without the order's knowing: whose webhooks were lost."""
    heard = [each for each in order.refunds if each.counts and each.kind is RefundKind.BY_HAND]
    return stripe.by_hand[order.order_id] - sum(each.amount.minor_units for each in heard)


def _alerted(order: Order, refund: Refund) -> bool:
    return any(alert.kind == FAILED and alert.subject == str(refund.number) for alert in order.alerts)
