"""News of payments as a table: orders at every stage hear of a payment in every condition."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from kernel.errors import Reason
from order_svc.domain.news import after_news
from order_svc.domain.order import Failure, Order, Stage, State
from order_svc.domain.payment import Payment, PaymentRefund, PaymentState, RefundState
from order_svc.domain.refund import Refund, RefundKind
from order_svc.domain.saga import next_step
from order_svc.domain.step import Step
from order_svc.domain.webhook import event_types_of
from tests.fakes.order_samples import a_payment, an_event, an_order, euros
from tests.fakes.order_stages import AWAITING, CHARGING, FULL, LATER, QUOTING, undoing

P = PaymentState
KNOWN, NEW = 3, 4


def payment(state: PaymentState = P.SUCCEEDED, refunded: int = 0, version: int = NEW) -> Payment:
    return a_payment(euros(FULL), state, refunded=euros(refunded), version=version)


def over(state: State, known: Payment | None) -> Order:
    failure = Failure(Reason.PAYMENT_DECLINED, "No.") if state is State.FAILED else None
    return an_order(Stage.SETTLED, state=state, failure=failure, payment=known)


def knows(order: Order, known: Payment) -> Order:
    return replace(order, payment=replace(known, version=KNOWN))


PAID = over(State.PAID, payment(version=KNOWN))
REFUNDED = over(State.FAILED, payment(refunded=FULL, version=KNOWN))
DECLINED = over(State.FAILED, payment(P.DECLINED, version=KNOWN))
CANCELLING = knows(undoing(0), payment(P.ACTION_REQUIRED))
REFUNDING = knows(undoing(FULL), payment())


@dataclass(frozen=True)
class Row:
    """One line of the table: an order, its payment, and what the order then is."""

    order: Order
    heard: Payment
    kind: str
    stage: Stage
    state: State
    step: Step | None
    number: int = 1
    review: bool = False
    wakes: bool = True


TABLE: dict[str, Row] = {
    "under way": Row(CHARGING, payment(), "", Stage.CHARGING, State.PENDING, Step.CHARGE),
    "the customer has paid": Row(
        AWAITING, payment(), "", Stage.AWAITING_CUSTOMER, State.PAYMENT_ACTION_REQUIRED, Step.READ_PAYMENT
    ),
    "money while it is given up": Row(
        CANCELLING, payment(), "payment.changed", Stage.UNDOING, State.PENDING, Step.REFUND
    ),
    "given up elsewhere": Row(
        replace(CANCELLING, needs_review=True),
        payment(P.CANCELLED),
        "payment.changed",
        Stage.UNDOING,
        State.PENDING,
        Step.CANCEL_PAYMENT,
        review=True,
    ),
    "refunded by hand while it is undone": Row(
        replace(REFUNDING, needs_review=True),
        payment(refunded=FULL),
        "payment.changed",
        Stage.UNDOING,
        State.PENDING,
        Step.CANCEL_PAYMENT,
        review=True,
    ),
    "late money": Row(DECLINED, payment(), "payment.late", Stage.UNDOING, State.FAILED, Step.REFUND, number=2),
    "late money of an order that knew of no payment": Row(
        over(State.FAILED, None), payment(), "payment.late", Stage.UNDOING, State.FAILED, Step.REFUND, number=2
    ),
    "late money of a cancelled order": Row(
        over(State.CANCELLED, payment(P.CANCELLED, version=KNOWN)),
        payment(),
        "payment.late",
        Stage.UNDOING,
        State.CANCELLED,
        Step.REFUND,
        number=2,
    ),
    "money held for a failed order": Row(
        DECLINED, payment(P.AUTHORIZED), "payment.late", Stage.UNDOING, State.FAILED, Step.CANCEL_PAYMENT, number=2
    ),
    "a refund that came back": Row(
        REFUNDED, payment(), "refund.failed", Stage.UNDOING, State.FAILED, Step.REFUND, number=2, review=True
    ),
    "a part of a refund that came back": Row(
        REFUNDED,
        payment(refunded=FULL - 1),
        "refund.failed",
        Stage.UNDOING,
        State.FAILED,
        Step.REFUND,
        number=2,
        review=True,
    ),
    "money given back in the dashboard": Row(
        PAID, payment(refunded=1), "payment.differs", Stage.SETTLED, State.PAID, None, review=True, wakes=False
    ),
}

NOTHING_NEW: dict[str, tuple[Order, Payment]] = {
    "known already": (PAID, payment(refunded=1, version=KNOWN)),
    "older than what is known": (REFUNDED, payment(version=KNOWN - 1)),
    "paid, and nothing else": (PAID, payment()),
    "failed, and nothing was taken": (DECLINED, payment(P.DECLINED)),
    "failed, and the payment given up": (DECLINED, payment(P.CANCELLED)),
    "failed, and all given back": (REFUNDED, payment(refunded=FULL)),
    "undone, nothing moved, and parked": (replace(REFUNDING, needs_review=True), payment()),
    "parked in its charge": (replace(CHARGING, needs_review=True), payment()),
}


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_news_makes_of_the_order_what_the_table_says(row: Row) -> None:
    transition = after_news(row.order, row.heard, LATER)

    assert transition is not None
    order = transition.order
    assert (transition.kind, order.stage, order.state) == (row.kind, row.stage, row.state)
    assert (order.needs_review, order.refund_number, next_step(order)) == (row.review, row.number, row.step)
    assert (transition.wake_at is not None) is row.wakes
    assert not transition.ends


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_news_raises_the_fence_and_the_version_unless_nobody_has_to_know(row: Row) -> None:
    transition = after_news(row.order, row.heard, LATER)

    assert transition is not None
    assert transition.order.fence == row.order.fence + 1
    assert transition.order.version == row.order.version + (1 if row.kind else 0)


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_news_that_is_heard_twice_has_nothing_new_the_second_time(row: Row) -> None:
    first = after_news(row.order, row.heard, LATER)

    assert first is not None
    # A step that is only made due reads the payment for itself, and is made due again for the price of a write.
    assert row.kind == "" or after_news(first.order, row.heard, LATER) is None


@pytest.mark.parametrize(("order", "heard"), NOTHING_NEW.values(), ids=NOTHING_NEW.keys())
def test_nothing_new_moves_nothing(order: Order, heard: Payment) -> None:
    assert after_news(order, heard, LATER) is None


def test_a_refund_that_failed_is_sent_again_the_next_day_and_late_money_at_once() -> None:
    failed, late = after_news(REFUNDED, payment(), LATER), after_news(DECLINED, payment(), LATER)

    assert failed is not None
    assert late is not None
    assert (failed.wake_at, late.wake_at) == (LATER + timedelta(days=1), LATER)


def test_what_a_paid_order_says_of_its_money_stays_what_was_agreed() -> None:
    told = after_news(PAID, payment(refunded=1), LATER)

    assert told is not None
    assert told.order.payment == PAID.payment
    assert told.facts["refunded"] == "0.01 EUR"


def test_no_fact_of_news_is_personal() -> None:
    for row in TABLE.values():
        transition = after_news(row.order, row.heard, LATER)
        assert transition is not None
        customer = row.order.draft.customer
        facts = " ".join(transition.facts.values())
        assert not any(word in facts for word in (customer.email, customer.name, "Rivoli", "pi_secret"))


def test_an_order_that_was_not_charged_yet_is_looked_at_all_the_same() -> None:
    transition = after_news(QUOTING, payment(), LATER)

    assert transition is not None
    assert next_step(transition.order) is Step.QUOTE_TAX


def test_news_that_changes_nothing_of_an_order_being_undone_is_kept_in_silence_to_know_older_answers_by() -> None:
    heard = after_news(REFUNDING, payment(), LATER)

    assert heard is not None
    assert heard.order.payment is not None
    assert (heard.kind, heard.order.stage, heard.order.version) == ("", REFUNDING.stage, REFUNDING.version)
    assert heard.order.payment.version == payment().version


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_refund_is_told_once_and_not_again_when_it_comes_through(*, by_hand: bool) -> None:
    on_its_way = PaymentRefund("r-1", "re_1", RefundState.PENDING, euros(100), by_hand=by_hand)
    first = replace(payment(refunded=100, version=NEW), refunds=(on_its_way,))
    if by_hand:
        heard = after_news(PAID, first, LATER)
        assert heard is not None
        told = event_types_of(heard.order, an_event(heard.order, heard.kind, facts=heard.facts))
        assert (heard.kind, told) == (
            "refund.taken_in",
            ("order.refunded",),
        )
        order = heard.order
    else:
        ours = Refund(1, RefundKind.ASKED, (), euros(100), LATER, refund_id="r-1", booked=True)
        order = replace(PAID, payment=first, refunds=(replace(ours, provider_refund_id="re_1"),))

    through = replace(first, version=NEW + 1, refunds=(replace(on_its_way, state=RefundState.SUCCEEDED),))
    settled = after_news(order, through, LATER)

    assert settled is not None
    assert [each.state for each in settled.order.refunds] == [RefundState.SUCCEEDED]
    assert (settled.kind, settled.tasks) == ("refund.settled", ())
    assert event_types_of(settled.order, an_event(settled.order, settled.kind, facts=settled.facts)) == ()
