"""Giving a payment up that the order does not know yet, giving money back that the bank has not taken yet, or lost."""

from dataclasses import replace

from kernel.money import Money
from kernel.outcome import Done
from order_svc.domain import shares
from order_svc.domain.commands import cancel
from order_svc.domain.giving_back import Wanted, refund
from order_svc.domain.hold import held
from order_svc.domain.news import after_news
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.payment import PaymentRefund, PaymentState, RefundState
from order_svc.domain.refund import RefundKind
from order_svc.domain.refunding import after_give_back
from order_svc.domain.saga import after_cancel
from order_svc.domain.step import Refunded
from order_svc.domain.task import NewTask, TaskKind
from order_svc.domain.transition import paid
from order_svc.domain.webhook import event_types_of
from tests.fakes.order_faults import Lost
from tests.fakes.order_samples import a_payment, a_request, an_event, an_order, euros
from tests.fakes.order_stages import LATER, TOTAL
from tests.fakes.order_world import LEASE_SECONDS, World, in_a_world


@in_a_world
async def test_a_payment_that_became_known_while_it_was_forestalled_is_given_up_under_a_key_of_its_own(
    world: World,
) -> None:
    life = world.life()
    world.payments.faults.plan("charge", *[Lost.ANSWER] * 10)
    world.payments.faults.plan("forestall", *[Lost.ANSWER] * 10)
    world.payments.faults.plan("read", *[Lost.ANSWER] * 10)
    order = await life.place("pm_card_authenticationRequired", seconds=0.1)

    order = await life.cases.cancel(order.order_id, "", "", a_request("stop", order.order_id), 0.1)
    assert order.cancelling
    world.payments.tell(order.order_id)
    for _ in range(int(LEASE_SECONDS)):
        await life.news.look()
        await life.sweep()
        await world.clock.sleep(5.0)

    ended = await life.read.get(order.order_id)
    assert (ended.state, ended.stage, ended.needs_review) == (State.CANCELLED, Stage.SETTLED, False)


def test_a_refund_is_booked_and_told_when_the_bank_has_taken_it_and_not_before() -> None:
    order = _refunding()
    pending = PaymentRefund("r-1", "", RefundState.PENDING, order.refunds[0].amount)
    told = replace(order.payment, refunded=pending.amount, version=2) if order.payment else None
    assert told is not None

    asked = after_give_back(order, Done(Refunded(told, pending)), LATER, 1.0)
    assert (asked.order.stage, asked.tasks) == (Stage.SETTLED, ())
    assert event_types_of(asked.order, an_event(asked.order, asked.kind, facts=asked.facts)) == ()

    made = replace(pending, provider_refund_id="re_1", state=RefundState.SUCCEEDED)
    heard = after_news(asked.order, replace(told, version=3, refunds=(made,)), LATER)
    assert heard is not None
    assert heard.tasks == (NewTask(TaskKind.REFUND_TAX, 1), NewTask(TaskKind.SEND_REFUNDED, 1))
    assert event_types_of(heard.order, an_event(heard.order, heard.kind, facts=heard.facts)) == ("order.refunded",)


def test_an_answer_that_brings_another_refund_with_it_tells_of_both() -> None:
    order = _refunding()
    half = order.refunds[0].amount
    first = replace(order.refunds[0], refund_id="r-1")
    second = replace(first, number=2, refund_id="")
    both = replace(order, refunds=(first, second))
    one = PaymentRefund("r-1", "re_1", RefundState.SUCCEEDED, half)
    two = PaymentRefund("r-2", "re_2", RefundState.SUCCEEDED, half)
    assert order.payment is not None
    payment = replace(order.payment, refunded=half + half, version=2, refunds=(one, two))

    answered = after_give_back(both, Done(Refunded(payment, two)), LATER, 1.0)

    assert event_types_of(answered.order, an_event(answered.order, answered.kind, facts=answered.facts)) == (
        "order.refunded",
        "order.refunded",
    )


def test_a_refund_that_is_refused_before_the_bank_has_taken_it_is_never_told_to_the_customer() -> None:
    order = _refunding()
    pending = PaymentRefund("r-1", "", RefundState.PENDING, order.refunds[0].amount)
    assert order.payment is not None
    told = replace(order.payment, refunded=pending.amount, version=2)
    asked = after_give_back(order, Done(Refunded(told, pending)), LATER, 1.0)

    refused = replace(pending, state=RefundState.FAILED, failure_reason="insufficient_funds")
    heard = after_news(asked.order, replace(order.payment, version=3, refunds=(refused,)), LATER)

    assert heard is not None
    assert heard.tasks == ()
    assert heard.order.needs_review


@in_a_world
async def test_what_was_given_back_by_hand_while_a_refund_was_asked_for_is_taken_in_when_that_is_refused(
    world: World,
) -> None:
    life = world.life()
    order = await life.place()
    world.payments.faults.plan("refund", *[Lost.REQUEST] * 3)
    wanted = Wanted(amount=euros(700))
    await life.cases.refund(order.order_id, wanted, "", a_request("back", order.order_id), 0.1)

    world.payments.adopts(order.order_id, order.captured)
    for _ in range(int(LEASE_SECONDS)):
        await life.news.look()
        await life.sweep()
        await world.clock.sleep(5.0)

    ended = await life.read.get(order.order_id)
    assert [(each.kind, each.state, each.amount) for each in ended.refunds] == [
        (RefundKind.ASKED, RefundState.FAILED, euros(700)),
        (RefundKind.BY_HAND, RefundState.SUCCEEDED, order.captured),
    ]
    assert ended.state is State.REFUNDED
    assert shares.total(ended.refunds[1].shares, "EUR") == order.captured


def test_all_that_was_given_back_by_hand_is_about_lines_though_a_part_was_asked_for_before() -> None:
    order = _refunding()
    assert order.payment is not None
    asked = PaymentRefund("r-1", "", RefundState.PENDING, order.refunds[0].amount)
    told = replace(order.payment, refunded=asked.amount, version=2)
    pending = after_give_back(order, Done(Refunded(told, asked)), LATER, 1.0).order

    by_hand = PaymentRefund("h-1", "re_1", RefundState.SUCCEEDED, order.captured, by_hand=True)
    heard = after_news(pending, replace(told, refunded=order.captured, version=3, refunds=(asked, by_hand)), LATER)

    assert heard is not None
    assert shares.total(heard.order.refunds[1].shares, "EUR") == order.captured


def test_an_order_whose_held_money_somebody_took_before_it_was_cancelled_is_paid_and_confirmed_once() -> None:
    payment = a_payment(_total(), PaymentState.AUTHORIZED)
    holding = held(an_order(Stage.CHARGING), payment, LATER)
    assert [task.kind for task in holding.tasks] == [TaskKind.SEND_CONFIRMATION]
    cancelling = cancel(holding.order, "", LATER)
    assert cancelling is not None

    captured = replace(payment, captured=_total(), state=PaymentState.SUCCEEDED, version=2)
    late = after_cancel(cancelling.order, Done(captured), LATER, 1.0)

    assert (late.order.state, late.order.stage, late.order.cancelling) == (State.PAID, Stage.SETTLED, False)
    assert [task.kind for task in late.tasks] == [TaskKind.COMMIT_TAX]


def _total() -> Money:
    assert TOTAL is not None
    return TOTAL


def _refunding() -> Order:
    assert TOTAL is not None
    payment = a_payment(TOTAL, PaymentState.SUCCEEDED, captured=TOTAL)
    order = paid(an_order(Stage.CHARGING), replace(payment, version=1), LATER).order
    return refund(order, Wanted(), LATER).order
