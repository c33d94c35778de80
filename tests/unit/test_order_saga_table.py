"""The saga as a table: every stage meets every outcome that its step can have."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from kernel.errors import Reason
from kernel.money import Money
from kernel.outcome import Done, Unknown
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.payment import PaymentState
from order_svc.domain.saga import next_step
from order_svc.domain.task import NewTask, TaskKind
from tests.fakes.order_samples import a_draft, a_payment, a_tax, euros
from tests.fakes.order_stages import (
    AWAITING,
    CANCELLING,
    CHARGING,
    FINAL,
    FULL,
    IMPOSSIBLE,
    LATER,
    PASSING,
    QUOTING,
    REFUNDING,
    UNDERWAY,
    Outcome,
    back,
    paid,
    refused,
    take,
)

AFTER_PAID = (NewTask(TaskKind.COMMIT_TAX), NewTask(TaskKind.SEND_CONFIRMATION))
REMINDER = (NewTask(TaskKind.SEND_ACTION_REQUIRED, 1, timedelta(minutes=5)),)
TOLD = (NewTask(TaskKind.SEND_PAYMENT_FAILED),)
P = PaymentState
OVER = {State.PAID, State.FAILED, State.CANCELLED}


@dataclass(frozen=True)
class Row:
    """One line of the table: an order, what came of its next step, and what the order then is."""

    order: Order
    outcome: Outcome
    stage: Stage
    state: State
    kind: str
    waits: bool = False
    tasks: tuple[NewTask, ...] = ()
    review: bool = False


STEPS = {
    "quote_tax": QUOTING,
    "charge": CHARGING,
    "read_payment": AWAITING,
    "cancel_payment": CANCELLING,
    "refund": REFUNDING,
}

TABLE: dict[str, Row] = {
    "quoted": Row(QUOTING, Done(a_tax(a_draft())), Stage.CHARGING, State.PENDING, "tax.quoted"),
    "quote unknown": Row(QUOTING, Unknown("x"), Stage.QUOTING, State.PENDING, "quote_tax.retried", waits=True),
    "quote in another currency": Row(
        QUOTING,
        Done(replace(a_tax(a_draft()), amount=Money("USD", 0))),
        Stage.QUOTING,
        State.PENDING,
        "quote_tax.refused",
        review=True,
    ),
    "quote below zero": Row(
        QUOTING,
        Done(replace(a_tax(a_draft()), amount=euros(-1))),
        Stage.QUOTING,
        State.PENDING,
        "quote_tax.refused",
        review=True,
    ),
    "charged": Row(CHARGING, paid(), Stage.SETTLED, State.PAID, "payment.charged", tasks=AFTER_PAID),
    "charge unknown": Row(CHARGING, Unknown("x"), Stage.CHARGING, State.PENDING, "charge.retried", waits=True),
    "charge under way": Row(CHARGING, paid(P.PENDING), Stage.CHARGING, State.PENDING, "charge.retried", waits=True),
    "charge needs the customer": Row(
        CHARGING,
        paid(P.ACTION_REQUIRED),
        Stage.AWAITING_CUSTOMER,
        State.PAYMENT_ACTION_REQUIRED,
        "payment.action_required",
        waits=True,
        tasks=REMINDER,
    ),
    "charge declined": Row(CHARGING, paid(P.DECLINED), Stage.UNDOING, State.FAILED, "order.failed", waits=True),
    "charge given up": Row(CHARGING, paid(P.CANCELLED), Stage.SETTLED, State.FAILED, "order.failed"),
    "charge only held": Row(CHARGING, paid(P.AUTHORIZED), Stage.UNDOING, State.PENDING, "payment.mismatched"),
    "too little charged": Row(CHARGING, paid(captured=FULL - 1), Stage.UNDOING, State.PENDING, "payment.mismatched"),
    "too much charged": Row(CHARGING, paid(captured=FULL + 1), Stage.UNDOING, State.PENDING, "payment.mismatched"),
    "charged and given back": Row(CHARGING, paid(refunded=1), Stage.UNDOING, State.PENDING, "payment.mismatched"),
    "charge known and then refused": Row(
        UNDERWAY, refused(Reason.PROVIDER_REFUSED), Stage.UNDOING, State.PENDING, "charge.refused"
    ),
    "customer has paid": Row(AWAITING, paid(), Stage.SETTLED, State.PAID, "payment.charged", tasks=AFTER_PAID),
    "customer still at it": Row(
        AWAITING, paid(P.ACTION_REQUIRED), Stage.AWAITING_CUSTOMER, State.PAYMENT_ACTION_REQUIRED, "", waits=True
    ),
    "customer's new secret": Row(
        AWAITING,
        Done(a_payment(euros(FULL), P.ACTION_REQUIRED, client_secret="other")),
        Stage.AWAITING_CUSTOMER,
        State.PAYMENT_ACTION_REQUIRED,
        "payment.polled",
        waits=True,
    ),
    "customer failed": Row(AWAITING, paid(P.DECLINED), Stage.UNDOING, State.PENDING, "payment.declined"),
    "customer's payment given up": Row(
        AWAITING, paid(P.CANCELLED), Stage.SETTLED, State.FAILED, "order.failed", tasks=TOLD
    ),
    "customer's payment only held": Row(
        AWAITING, paid(P.AUTHORIZED), Stage.UNDOING, State.PENDING, "payment.mismatched"
    ),
    "customer has acted, bank at it": Row(
        AWAITING,
        paid(P.PENDING),
        Stage.AWAITING_CUSTOMER,
        State.PAYMENT_ACTION_REQUIRED,
        "read_payment.retried",
        waits=True,
    ),
    "poll unknown": Row(
        AWAITING,
        Unknown("x"),
        Stage.AWAITING_CUSTOMER,
        State.PAYMENT_ACTION_REQUIRED,
        "read_payment.retried",
        waits=True,
    ),
    "poll refused": Row(
        AWAITING, refused(Reason.PROVIDER_REFUSED), Stage.UNDOING, State.PENDING, "read_payment.refused"
    ),
    "cancelled": Row(CANCELLING, paid(P.CANCELLED), Stage.SETTLED, State.FAILED, "order.failed", tasks=TOLD),
    "cancelled too late": Row(CANCELLING, paid(), Stage.UNDOING, State.PENDING, "payment.late"),
    "cancelled after a refund by hand": Row(
        CANCELLING, paid(refunded=FULL), Stage.SETTLED, State.FAILED, "order.failed", tasks=TOLD
    ),
    "cancel unknown": Row(CANCELLING, Unknown("x"), Stage.UNDOING, State.PENDING, "cancel_payment.retried", waits=True),
    "cancel not final": Row(
        CANCELLING, paid(P.DECLINED), Stage.UNDOING, State.PENDING, "cancel_payment.retried", waits=True
    ),
    "cancel under way": Row(
        CANCELLING, paid(P.PENDING), Stage.UNDOING, State.PENDING, "cancel_payment.retried", waits=True
    ),
    "cancel refused": Row(
        CANCELLING,
        refused(Reason.ILLEGAL_STATE),
        Stage.UNDOING,
        State.PENDING,
        "cancel_payment.refused",
        review=True,
    ),
    "refunded": Row(REFUNDING, back(refunded=FULL), Stage.SETTLED, State.FAILED, "order.failed", tasks=TOLD),
    "refunded in part": Row(REFUNDING, back(refunded=1), Stage.UNDOING, State.PENDING, "refund.retried", waits=True),
    "refund failed": Row(
        REFUNDING, back(failed=True), Stage.UNDOING, State.FAILED, "refund.failed", waits=True, review=True, tasks=TOLD
    ),
    "refund failed and money back by other ways": Row(
        REFUNDING, back(refunded=FULL, failed=True), Stage.SETTLED, State.FAILED, "order.failed", tasks=TOLD
    ),
    "late money refunded": Row(
        replace(REFUNDING, state=State.FAILED),
        back(refunded=FULL),
        Stage.SETTLED,
        State.FAILED,
        "payment.undone",
    ),
    "late money of a cancelled order refunded": Row(
        replace(REFUNDING, state=State.CANCELLED),
        back(refunded=FULL),
        Stage.SETTLED,
        State.CANCELLED,
        "payment.undone",
    ),
    "a refund at last": Row(
        replace(REFUNDING, needs_review=True),
        back(refunded=FULL),
        Stage.SETTLED,
        State.FAILED,
        "order.failed",
        tasks=TOLD,
    ),
    "a refund that failed, asked for again, unknown": Row(
        replace(REFUNDING, needs_review=True),
        Unknown("x"),
        Stage.UNDOING,
        State.PENDING,
        "refund.retried",
        waits=True,
        review=True,
    ),
    "refund unknown": Row(REFUNDING, Unknown("x"), Stage.UNDOING, State.PENDING, "refund.retried", waits=True),
    "refund refused": Row(
        REFUNDING, refused(Reason.PROVIDER_REFUSED), Stage.UNDOING, State.PENDING, "refund.refused", review=True
    ),
    **{
        f"quote refused: {reason}": Row(QUOTING, refused(reason), Stage.SETTLED, State.FAILED, "order.failed")
        for reason in FINAL
    },
    **{
        f"charge refused: {reason}": Row(CHARGING, refused(reason), Stage.SETTLED, State.FAILED, "order.failed")
        for reason in FINAL
    },
    **{
        f"{kind} hindered: {reason}": Row(
            order, refused(reason), order.stage, order.state, f"{kind}.retried", waits=True
        )
        for kind, order in STEPS.items()
        for reason in PASSING
    },
    **{
        f"{kind} impossible: {reason}": Row(
            order, refused(reason), order.stage, order.state, f"{kind}.refused", review=True
        )
        for kind, order in STEPS.items()
        for reason in IMPOSSIBLE
        if (kind, reason) != ("refund", Reason.REFUND_EXCEEDS_PAYMENT)
    },
    "nothing left to refund": Row(
        REFUNDING, refused(Reason.REFUND_EXCEEDS_PAYMENT), Stage.UNDOING, State.PENDING, "payment.changed"
    ),
}


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_each_outcome_makes_of_the_order_what_the_table_says(row: Row) -> None:
    transition = take(row.order, row.outcome)

    order = transition.order
    assert (order.stage, order.state, order.needs_review) == (row.stage, row.state, row.review)
    assert (transition.kind, transition.tasks) == (row.kind, row.tasks)
    assert (transition.wake_at is not None) is row.waits
    assert transition.parked is (row.review and not row.waits)


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_every_move_raises_the_fence_and_the_version_unless_nobody_has_to_know(row: Row) -> None:
    transition = take(row.order, row.outcome)

    order = transition.order
    assert order.fence == row.order.fence + 1
    assert order.version == row.order.version + (1 if transition.kind else 0)
    assert order.updated_at == (LATER if transition.kind else row.order.updated_at)
    assert order.created_at == row.order.created_at


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_no_move_changes_what_was_ordered_or_the_tax_once_it_is_known(row: Row) -> None:
    order = take(row.order, row.outcome).order

    assert (order.order_id, order.draft, order.payment_method) == (
        row.order.order_id,
        row.order.draft,
        row.order.payment_method,
    )
    assert order.tax == row.order.tax or row.order.tax is None


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_an_order_that_is_over_has_an_end_and_the_others_have_a_next_step(row: Row) -> None:
    order = take(row.order, row.outcome).order

    over = order.state in OVER
    assert over or order.stage is not Stage.SETTLED
    assert order.open is not (over or row.review)
    assert (next_step(order) is None) is (order.stage is Stage.SETTLED)
    assert (order.failure is not None) or order.state is not State.FAILED


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_an_order_is_counted_when_it_comes_to_its_end_and_never_again(row: Row) -> None:
    transition = take(row.order, row.outcome)

    assert transition.ends is (row.order.state not in OVER and row.state in OVER)


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_a_sale_is_recorded_and_confirmed_once_paid_and_never_else(row: Row) -> None:
    transition = take(row.order, row.outcome)

    assert set(AFTER_PAID) <= set(transition.tasks) or transition.order.state is not State.PAID
    assert not set(AFTER_PAID) & set(transition.tasks) or transition.order.state is State.PAID


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_who_does_not_sit_before_the_answer_is_written_to_when_the_order_fails(row: Row) -> None:
    transition = take(row.order, row.outcome)

    fails = transition.order.state is State.FAILED and row.order.state is not State.FAILED
    away = row.order.stage not in {Stage.QUOTING, Stage.CHARGING}
    assert (transition.tasks == TOLD) is (fails and away)


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_no_fact_of_the_journal_is_personal(row: Row) -> None:
    facts = " ".join(take(row.order, row.outcome).facts.values())

    customer = row.order.draft.customer
    assert not any(word in facts for word in (customer.email, customer.name, "Rivoli", "pi_secret"))
