"""An order in every situation in which a command can meet it: each state, and where it matters each stage of it."""

from dataclasses import replace

from kernel.errors import Reason
from order_svc.domain.draft import CaptureMode, Terms
from order_svc.domain.fulfilment import Quantity, Shipment
from order_svc.domain.order import Failure, Order, Stage, State
from order_svc.domain.payment import PaymentState, RefundState
from order_svc.domain.refund import Refund, RefundKind
from order_svc.domain.shares import of_amount, whole
from tests.fakes.order_samples import NOW, a_payment, an_order, euros

TOTAL = an_order(Stage.CHARGING).total
assert TOTAL is not None
HELD = a_payment(TOTAL, PaymentState.AUTHORIZED, hold_expires_at=NOW)
TAKEN = a_payment(TOTAL)
FAILURE = Failure(Reason.PAYMENT_DECLINED, "The card was declined.", "insufficient_funds")

MUG = Shipment(1, (Quantity("mug", 2),), shipped_at=NOW)
REST = Shipment(2, (Quantity("hat", 1),), shipped_at=NOW)
ARRIVED = replace(MUG, delivered_at=NOW), replace(REST, delivered_at=NOW)
WAITING = replace(MUG, shipped_at=None)


def an_asked_refund(order: Order, number: int = 1, minor_units: int = 100) -> Refund:
    """Return a refund that payment_svc is still to be asked for."""
    assert order.tax is not None
    parts = of_amount(euros(minor_units), whole(order.draft, order.tax))
    return Refund(number, RefundKind.ASKED, parts, euros(minor_units), NOW)


def _paid(state: State, **changes: object) -> Order:
    return an_order(Stage.SETTLED, state=state, payment=TAKEN, **changes)


def _held(stage: Stage, state: State = State.AUTHORIZED, **changes: object) -> Order:
    terms = Terms(CaptureMode.ON_SHIPMENT, reference="shop-1")
    return an_order(stage, **{"state": state, "payment": HELD, "terms": terms, **changes})


def _refunding(state: State) -> Order:
    paid = _paid(state)
    return replace(paid, stage=Stage.REFUNDING, refunds=(an_asked_refund(paid),))


_AWAITING = an_order(Stage.AWAITING_CUSTOMER)

SITUATIONS: dict[str, Order] = {
    "PENDING, quoting": an_order(Stage.QUOTING),
    "PENDING, charging": an_order(Stage.CHARGING),
    "PENDING, failing": an_order(Stage.UNDOING, failure=FAILURE, payment=a_payment(TOTAL, PaymentState.PENDING)),
    "PENDING, being cancelled": an_order(Stage.UNDOING, cancelling=True),
    "PAYMENT_ACTION_REQUIRED, 3-D Secure": _AWAITING,
    "PAYMENT_ACTION_REQUIRED, declined": replace(_AWAITING, payment=a_payment(TOTAL, PaymentState.DECLINED)),
    "PAYMENT_ACTION_REQUIRED, being cancelled": replace(_AWAITING, stage=Stage.UNDOING, cancelling=True),
    "AUTHORIZED": _held(Stage.HOLDING),
    "AUTHORIZED, capturing": _held(Stage.CAPTURING, shipments=(WAITING,)),
    "AUTHORIZED, being cancelled": _held(Stage.UNDOING, cancelling=True),
    "PAID": _paid(State.PAID),
    "PAID, refunding": _refunding(State.PAID),
    "PAID, catching up": replace(_paid(State.PAID), stage=Stage.CATCHING_UP),
    "PROCESSING": _paid(State.PROCESSING),
    "PROCESSING, held": _held(Stage.HOLDING, State.PROCESSING),
    "PROCESSING, shipped in part": _paid(State.PROCESSING, shipments=(MUG,)),
    "PROCESSING, capturing": _held(Stage.CAPTURING, State.PROCESSING, shipments=(WAITING,)),
    "PROCESSING, being cancelled": _held(Stage.UNDOING, State.PROCESSING, cancelling=True),
    "SHIPPED": _paid(State.SHIPPED, shipments=(MUG, REST)),
    "SHIPPED, refunding": replace(_refunding(State.SHIPPED), shipments=(MUG, REST)),
    "DELIVERED": _paid(State.DELIVERED, shipments=ARRIVED),
    "FAILED": an_order(Stage.SETTLED, state=State.FAILED, failure=FAILURE),
    "FAILED, giving money back": an_order(Stage.UNDOING, state=State.FAILED, failure=FAILURE, payment=TAKEN),
    "CANCELLED": an_order(Stage.SETTLED, state=State.CANCELLED),
    "REFUNDED": replace(
        _paid(State.REFUNDED, shipments=(MUG, REST)),
        payment=replace(TAKEN, refunded=TOTAL),
        refunds=(
            replace(
                an_asked_refund(_paid(State.PAID), minor_units=TOTAL.minor_units),
                state=RefundState.SUCCEEDED,
                refund_id="r-1",
            ),
        ),
    ),
}
