"""The saga as a table, part two: orders whose money is held, taken, given back, or that are to be cancelled."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from kernel.outcome import Done, Unknown
from order_svc.domain.draft import CaptureMode, Terms
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.payment import Dispute, PaymentRefund, PaymentState, RefundState
from order_svc.domain.saga import next_step
from order_svc.domain.step import Refunded, Step
from order_svc.domain.task import NewTask, TaskKind
from tests.fakes.order_samples import an_order, euros
from tests.fakes.order_situations import SITUATIONS
from tests.fakes.order_stages import FINAL, FULL, IMPOSSIBLE, LATER, PASSING, Outcome, paid, refused, take

P, S = PaymentState, State
HOLDING, CAPTURING = SITUATIONS["AUTHORIZED"], SITUATIONS["AUTHORIZED, capturing"]
IN_PART = replace(CAPTURING, shipments=(replace(CAPTURING.shipments[0], release_rest=True),))
GIVING_BACK, CATCHING_UP = SITUATIONS["PAID, refunding"], SITUATIONS["PAID, catching up"]
CANCELLING = replace(SITUATIONS["PENDING, being cancelled"], tax=GIVING_BACK.tax)
LETTING_GO = SITUATIONS["AUTHORIZED, being cancelled"]
READING = {"read_hold": HOLDING, "catch_up": CATCHING_UP}
HOLD = replace(an_order(Stage.CHARGING), terms=Terms(CaptureMode.ON_SHIPMENT, reference="shop-1"))
TO_ANOTHER = replace(an_order(Stage.CHARGING), terms=Terms(keep_after_decline=True, reference="shop-1"))

COMMIT, CONFIRM, TOLD = (
    NewTask(TaskKind.COMMIT_TAX),
    NewTask(TaskKind.SEND_CONFIRMATION),
    NewTask(TaskKind.SEND_PAYMENT_FAILED),
)
SHIPPED, CANCELLED = NewTask(TaskKind.SEND_SHIPPED, 1), NewTask(TaskKind.SEND_CANCELLED)
BACK = (NewTask(TaskKind.REFUND_TAX, 1), NewTask(TaskKind.SEND_REFUNDED, 1))


def given(state: RefundState, units: int = 100) -> Done[Refunded]:
    """Return what came of asking for the refund."""
    counts = state is not RefundState.FAILED
    refund = PaymentRefund("r-1", "re_1", state, euros(units))
    return Done(Refunded(replace(paid(refunded=units if counts else 0).value, refunds=(refund,)), refund))


DISPUTED = Done(
    replace(paid().value, disputes=(Dispute("dp_1", "NEEDS_RESPONSE", euros(FULL), "fraudulent", None, LATER),))
)
BY_HAND = Done(
    replace(
        paid(refunded=100).value,
        refunds=(PaymentRefund("r-1", "re_1", RefundState.SUCCEEDED, euros(100), by_hand=True),),
    )
)


@dataclass(frozen=True)
class Row:
    """One line: an order, what came of its next step, and what the order then is."""

    order: Order
    outcome: Outcome
    stage: Stage
    state: State
    kind: str
    tasks: tuple[NewTask, ...] = ()
    waits: bool = False
    review: bool = False
    ends: bool = False


TABLE: dict[str, Row] = {
    "held": Row(
        HOLD, paid(P.AUTHORIZED), Stage.HOLDING, S.AUTHORIZED, "payment.authorized", (CONFIRM,), waits=True, ends=True
    ),
    "taken at once after all": Row(
        HOLD, paid(), Stage.SETTLED, S.PAID, "payment.charged", (COMMIT, CONFIRM), ends=True
    ),
    "declined, another card may come": Row(
        TO_ANOTHER,
        paid(P.DECLINED),
        Stage.AWAITING_CUSTOMER,
        S.PAYMENT_ACTION_REQUIRED,
        "payment.declined",
        (NewTask(TaskKind.SEND_PAYMENT_FAILED, 1, timedelta(minutes=5)),),
        waits=True,
    ),
    "still held": Row(
        HOLDING, paid(P.AUTHORIZED), Stage.HOLDING, S.AUTHORIZED, "hold.expiring", waits=True, review=True
    ),
    "hold gone": Row(HOLDING, paid(P.CANCELLED), Stage.SETTLED, S.FAILED, "order.failed", (TOLD,), ends=True),
    "taken by somebody": Row(HOLDING, paid(), Stage.SETTLED, S.PAID, "payment.captured", (COMMIT,), ends=True),
    "taken by somebody, and given back": Row(
        HOLDING, paid(refunded=100), Stage.CATCHING_UP, S.PAID, "payment.captured", (COMMIT,), ends=True
    ),
    "charged, and disputed": Row(
        HOLD, DISPUTED, Stage.CATCHING_UP, S.PAID, "payment.charged", (COMMIT, CONFIRM), ends=True
    ),
    "given back by hand": Row(CATCHING_UP, BY_HAND, Stage.SETTLED, S.PAID, "refund.taken_in", BACK),
    "disputed": Row(CATCHING_UP, DISPUTED, Stage.SETTLED, S.PAID, "payment.disputed", review=True),
    "catching up unknown": Row(CATCHING_UP, Unknown("x"), Stage.CATCHING_UP, S.PAID, "catch_up.retried", waits=True),
    "hold unclear": Row(HOLDING, paid(P.PENDING), Stage.HOLDING, S.AUTHORIZED, "read_hold.retried", waits=True),
    "hold unknown": Row(HOLDING, Unknown("x"), Stage.HOLDING, S.AUTHORIZED, "read_hold.retried", waits=True),
    "shipped": Row(CAPTURING, paid(), Stage.SETTLED, S.PROCESSING, "order.shipped", (COMMIT, SHIPPED), ends=True),
    "shipped in part, the rest let go": Row(
        IN_PART,
        paid(captured=4797),
        Stage.SETTLED,
        S.SHIPPED,
        "order.shipped",
        (COMMIT, SHIPPED, NewTask(TaskKind.REFUND_TAX, 1)),
        ends=True,
    ),
    "hold gone, not shipped": Row(
        CAPTURING, paid(P.CANCELLED), Stage.SETTLED, S.FAILED, "order.failed", (TOLD,), ends=True
    ),
    "not captured yet": Row(
        CAPTURING, paid(P.AUTHORIZED), Stage.CAPTURING, S.AUTHORIZED, "capture.retried", waits=True
    ),
    "capture unknown": Row(CAPTURING, Unknown("x"), Stage.CAPTURING, S.AUTHORIZED, "capture.retried", waits=True),
    "given back": Row(GIVING_BACK, given(RefundState.SUCCEEDED), Stage.SETTLED, S.PAID, "refund.succeeded", BACK),
    "on its way back": Row(GIVING_BACK, given(RefundState.PENDING), Stage.SETTLED, S.PAID, "refund.succeeded", BACK),
    "all given back": Row(
        GIVING_BACK, given(RefundState.SUCCEEDED, FULL), Stage.SETTLED, S.REFUNDED, "refund.succeeded", BACK, ends=True
    ),
    "not given back": Row(GIVING_BACK, given(RefundState.FAILED), Stage.SETTLED, S.PAID, "refund.failed", review=True),
    "give back unknown": Row(GIVING_BACK, Unknown("x"), Stage.REFUNDING, S.PAID, "give_back.retried", waits=True),
    "cancelled": Row(
        CANCELLING, paid(P.CANCELLED), Stage.SETTLED, S.CANCELLED, "order.cancelled", (CANCELLED,), ends=True
    ),
    "cancelled too late": Row(
        CANCELLING, paid(), Stage.SETTLED, S.PAID, "payment.charged", (COMMIT, CONFIRM), ends=True
    ),
    "cancelled, and not what was asked for was taken": Row(
        CANCELLING, paid(captured=FULL - 1), Stage.UNDOING, S.PENDING, "payment.mismatched"
    ),
    "hold let go": Row(
        LETTING_GO, paid(P.CANCELLED), Stage.SETTLED, S.CANCELLED, "order.cancelled", (CANCELLED,), ends=True
    ),
    "hold not let go yet": Row(
        LETTING_GO, paid(P.AUTHORIZED), Stage.UNDOING, S.AUTHORIZED, "cancel_payment.retried", waits=True
    ),
    **{
        f"{step} hindered: {reason}": Row(
            order, refused(reason), order.stage, order.state, f"{step}.retried", waits=True
        )
        for step, order in {**READING, "capture": CAPTURING, "give_back": GIVING_BACK}.items()
        for reason in PASSING
    },
    **{
        f"{step} impossible: {reason}": Row(
            order, refused(reason), order.stage, order.state, f"{step}.refused", review=True
        )
        for step, order in {**READING, "capture": CAPTURING, "cancel_payment": LETTING_GO}.items()
        for reason in (*IMPOSSIBLE, *FINAL)
    },
    **{
        f"not given back: {reason}": Row(
            GIVING_BACK, refused(reason), Stage.SETTLED, S.PAID, "refund.failed", review=True
        )
        for reason in (*IMPOSSIBLE, *FINAL)
    },
}


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_each_outcome_makes_of_the_order_what_the_table_says(row: Row) -> None:
    transition = take(row.order, row.outcome)

    order = transition.order
    assert (order.stage, order.state, order.needs_review) == (row.stage, row.state, row.review)
    assert (transition.kind, transition.tasks) == (row.kind, row.tasks)
    assert (transition.wake_at is not None, transition.ends) == (row.waits, row.ends)
    assert order.fence == row.order.fence + 1
    assert (order.version, order.updated_at) == (row.order.version + 1, LATER)
    assert (next_step(order) is None) is (order.stage is Stage.SETTLED)
    assert not order.cancelling or order.stage is Stage.UNDOING


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_no_move_changes_what_was_ordered(row: Row) -> None:
    order = take(row.order, row.outcome).order

    before = row.order
    assert (order.draft, order.terms, order.tax, order.note) == (before.draft, before.terms, before.tax, before.note)


def test_every_step_has_its_rows() -> None:
    steps = {next_step(row.order) for row in TABLE.values()}

    # The others: test_order_saga_table.py.
    assert {*steps, Step.QUOTE_TAX, Step.READ_PAYMENT, Step.REFUND} == set(Step)


def test_what_is_let_go_of_a_hold_is_what_was_not_shipped() -> None:
    over = take(IN_PART, paid(captured=4797)).order

    (release,) = over.refunds
    assert (release.kind, release.amount, release.booked) == ("RELEASED", euros(2278), True)
    assert [(share.line_id, share.net, share.tax) for share in release.shares] == [("2", euros(1899), euros(379))]


def test_an_answer_that_is_older_than_what_is_known_is_asked_for_again() -> None:
    for order in (HOLDING, CAPTURING, GIVING_BACK, LETTING_GO):
        assert order.payment is not None
        newer = replace(order, payment=replace(order.payment, version=9))
        older = replace(paid().value, version=8)
        asked_back = given(RefundState.SUCCEEDED).value
        outcome: Outcome = Done(replace(asked_back, payment=older)) if order is GIVING_BACK else Done(older)

        transition = take(newer, outcome)

        assert transition.kind.endswith(".retried")
        assert (transition.order.stage, transition.order.payment) == (order.stage, newer.payment)
