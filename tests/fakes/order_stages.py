"""Orders at every stage, what may come of their next step, and the step's own function for it."""

from dataclasses import replace
from datetime import timedelta

from kernel.errors import FieldViolation, Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.domain.hold import after_capture, after_hold
from order_svc.domain.news import after_catching_up
from order_svc.domain.order import Failure, Order, Stage
from order_svc.domain.payment import Payment, PaymentState
from order_svc.domain.refunding import after_give_back
from order_svc.domain.saga import after_cancel, after_charge, after_quote, after_refund, next_step
from order_svc.domain.step import Refunded, Step
from order_svc.domain.tax import Tax
from order_svc.domain.transition import Transition
from tests.fakes.order_samples import NOW, a_payment, an_order, euros
from tests.fakes.order_samples import refunded as made

LATER = NOW + timedelta(minutes=1)
ACTION_SECONDS = 1800.0
TOTAL = an_order(Stage.CHARGING).total
assert TOTAL is not None
FULL = TOTAL.minor_units

Outcome = Done[Tax] | Done[Payment] | Done[Refunded] | NotDone[Refusal] | Unknown

# What the services refuse because of what was asked.
FINAL = [
    Reason.VALIDATION_FAILED,
    Reason.ADDRESS_INVALID,
    Reason.AMOUNT_OUT_OF_RANGE,
    Reason.PAYMENT_DECLINED,
    Reason.PAYMENT_METHOD_INVALID,
    Reason.PROVIDER_REFUSED,
    Reason.TAX_UNAVAILABLE,
]
# What passes: the same call may succeed later.
PASSING = [
    Reason.VERSION_MISMATCH,
    Reason.UNAVAILABLE,
    Reason.DEADLINE_EXCEEDED,
    Reason.OVERLOADED,
    Reason.INTERNAL,
    Reason.NOT_IMPLEMENTED,
    Reason.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED,
]
IMPOSSIBLE = [reason for reason in Reason if reason not in {*FINAL, *PASSING}]


def refused(reason: Reason) -> NotDone[Refusal]:
    return NotDone(Refusal(reason, "No.", fields=(FieldViolation("ship_to", "is wrong"),)))


def paid(state: PaymentState = PaymentState.SUCCEEDED, captured: int | None = None, refunded: int = 0) -> Done[Payment]:
    """Return a payment in the state; `captured` where it is not what the state says."""
    assert TOTAL is not None
    payment = a_payment(TOTAL, state, refunded=euros(refunded))
    return Done(payment if captured is None else replace(payment, captured=euros(captured)))


def back(captured: int | None = None, refunded: int = 0, *, failed: bool = False) -> Done[Refunded]:
    """Return what came of a refund, and what the payment then is."""
    return Done(made(paid(captured=captured, refunded=refunded).value, failed=failed))


def undoing(captured: int) -> Order:
    failure = Failure(Reason.PAYMENT_DECLINED, "Too late.")
    payment = a_payment(euros(FULL), PaymentState.ACTION_REQUIRED, captured=euros(captured))
    return an_order(Stage.UNDOING, payment=payment, failure=failure)


def take(order: Order, outcome: Outcome) -> Transition:
    """Do what the driver does: feed the outcome of the next step to the function of that step."""
    match next_step(order):
        case Step.QUOTE_TAX:
            return after_quote(order, outcome, LATER, 1.0)  # type: ignore[arg-type]  # the rows fit their stage
        case Step.CHARGE | Step.READ_PAYMENT:
            return after_charge(order, outcome, LATER, ACTION_SECONDS, 1.0)  # type: ignore[arg-type]  # as above
        case Step.READ_HOLD:
            return after_hold(order, outcome, LATER, 1.0)  # type: ignore[arg-type]  # as above
        case Step.CATCH_UP:
            return after_catching_up(order, outcome, LATER, 1.0)  # type: ignore[arg-type]  # as above
        case Step.CAPTURE:
            return after_capture(order, outcome, LATER, 1.0)  # type: ignore[arg-type]  # as above
        case Step.GIVE_BACK:
            return after_give_back(order, outcome, LATER, 1.0)  # type: ignore[arg-type]  # as above
        case Step.CANCEL_PAYMENT:
            return after_cancel(order, outcome, LATER, 1.0)  # type: ignore[arg-type]  # as above
        case Step.REFUND:
            return after_refund(order, outcome, LATER, 1.0)  # type: ignore[arg-type]  # as above
        case None:
            raise AssertionError("nothing is to be done for this order")


QUOTING, CHARGING, AWAITING = an_order(Stage.QUOTING), an_order(Stage.CHARGING), an_order(Stage.AWAITING_CUSTOMER)
UNDERWAY = replace(CHARGING, payment=a_payment(TOTAL, PaymentState.PENDING))
CANCELLING, REFUNDING = undoing(0), undoing(FULL)
