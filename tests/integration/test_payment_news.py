"""News: what changed without its order's asking is told until it was taken in, and nothing else is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from kernel.errors import Reason, Refusal
from payment_svc.app.events import EventEnd
from payment_svc.app.ports import ProviderEvent
from payment_svc.app.refund import Refunded
from payment_svc.domain.intent import RefundState
from payment_svc.domain.payment import Payment, PaymentState
from tests.fakes.payment_gateway import DECLINED, SLOW_BANK, THREE_D_SECURE, FakeGateway, Fault
from tests.fakes.payment_service import ORDER, SETTLE_AFTER, PaymentWorld, payment_world

_ANOTHER_ORDER = ORDER.replace("1", "2")


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[PaymentWorld]:
    async with payment_world(sqlite_url) as running:
        yield running


async def news(world: PaymentWorld) -> list[Payment]:
    return await world.does.news.listed(100)


async def heard(world: PaymentWorld, payment: Payment) -> None:
    await world.does.news.acknowledge(payment.payment_id, payment.version)


async def applied(world: PaymentWorld, kind: str, intent_id: str) -> None:
    """Take in a webhook and let it be applied."""
    event = ProviderEvent(f"evt_{kind}_{world.ids.new()}", kind, intent_id)
    await world.payments.add_event(event, world.clock.now(), world.clock.now())
    await world.does.resume.once()


async def later(world: PaymentWorld, seconds: float = SETTLE_AFTER.total_seconds()) -> None:
    """Let time pass and the worker go round."""
    world.clock.pass_by(seconds)
    await world.does.resume.once()


async def paid_late(world: PaymentWorld, order_id: str = ORDER) -> Payment:
    """Let a customer finish 3-D Secure without the order's knowing."""
    waiting = await world.charge(order_id, order_id=order_id, payment_method=THREE_D_SECURE)
    world.gateway.authenticate(waiting.intent_id, success=True)
    await applied(world, "payment_intent.succeeded", waiting.intent_id)
    found = await world.payments.get(waiting.payment_id)
    assert found is not None
    return found


async def test_what_an_order_asks_for_it_hears_in_the_answer(world: PaymentWorld) -> None:
    payment = await world.charge(payment_method=DECLINED)
    payment = await world.charge("r2", payment_method=THREE_D_SECURE)
    world.gateway.authenticate(payment.intent_id, success=True)
    payment = await world.confirm(payment)
    await world.refund(payment, 400)
    waiting = await world.charge("r3", order_id=_ANOTHER_ORDER, payment_method=THREE_D_SECURE)
    await world.cancel(waiting)

    assert await news(world) == []


@pytest.mark.parametrize("success", [True, False])
async def test_what_a_webhook_brought_is_news(world: PaymentWorld, *, success: bool) -> None:
    waiting = await world.charge(payment_method=THREE_D_SECURE)
    world.gateway.authenticate(waiting.intent_id, success=success)

    await applied(world, "payment_intent.succeeded", waiting.intent_id)

    (payment,) = await news(world)
    assert payment == await world.kept()
    assert payment.state is (PaymentState.SUCCEEDED if success else PaymentState.DECLINED)


async def test_what_the_worker_found_is_news_and_what_it_did_not_find_is_none(world: PaymentWorld) -> None:
    slow = await world.charge(payment_method=SLOW_BANK)
    await later(world)
    assert await news(world) == []

    world.gateway.decide(slow.intent_id)
    await later(world, 60)

    assert [payment.state for payment in await news(world)] == [PaymentState.SUCCEEDED]


async def test_news_is_told_until_it_was_heard_and_then_no_more(world: PaymentWorld) -> None:
    payment = await paid_late(world)
    assert await news(world) == await news(world) == [payment]
    world.restart()
    assert await news(world) == [payment]

    await heard(world, payment)
    await heard(world, payment)

    assert await news(world) == []
    kept = await world.kept()
    assert kept is not None
    assert kept.version == payment.version


async def test_what_changed_after_it_was_listed_stays_news(world: PaymentWorld) -> None:
    listed = await paid_late(world)
    refunded = await world.refund(listed, 400)
    world.gateway.return_refund(refunded.refund.refund_id)
    await applied(world, "refund.failed", listed.intent_id)

    await heard(world, listed)

    (payment,) = await news(world)
    assert payment.version > listed.version
    assert [refund.state for refund in payment.refunds] == [RefundState.FAILED]
    await heard(world, payment)
    assert await news(world) == []


async def test_the_longest_unheard_comes_first_however_often_it_changes(world: PaymentWorld) -> None:
    first = await paid_late(world)
    refunded = await world.refund(first, 400)
    world.clock.pass_by(1)
    second = await paid_late(world, _ANOTHER_ORDER)
    world.clock.pass_by(1)
    world.gateway.return_refund(refunded.refund.refund_id)
    await applied(world, "charge.refund.updated", first.intent_id)

    assert [payment.order_id for payment in await news(world)] == [first.order_id, second.order_id]
    assert [payment.order_id for payment in await world.does.news.listed(1)] == [first.order_id]


async def test_an_orders_own_command_does_not_take_its_news_back(world: PaymentWorld) -> None:
    payment = await paid_late(world)

    await world.refund(payment, 400)

    (told,) = await news(world)
    assert told.refunded.minor_units == 400


async def test_what_is_not_there_cannot_be_heard(world: PaymentWorld) -> None:
    with pytest.raises(Refusal) as refused:
        await world.does.news.acknowledge("0199a0b0-0000-7000-8000-00000000ffff", 1)

    assert refused.value.reason is Reason.PAYMENT_NOT_FOUND


async def test_a_refund_that_settles_later_is_news(world: PaymentWorld) -> None:
    payment = await world.charge()
    world.gateway.fail("refund", Fault.NOT_SENT)
    assert (await world.refund(payment, 400)).refund.state is RefundState.PENDING

    await later(world)

    (told,) = await news(world)
    assert [refund.state for refund in told.refunds] == [RefundState.SUCCEEDED]


async def test_a_refund_that_is_only_further_on_its_way_is_no_news(world: PaymentWorld) -> None:
    payment = await world.charge()
    world.gateway.fail("refund", Fault.NOT_SENT)
    world.gateway.refund_state = RefundState.PENDING
    before = (await world.refund(payment, 400)).payment

    await later(world)

    kept = await world.kept()
    assert kept is not None
    assert kept.version > before.version
    assert kept.refunds[0].provider_refund_id
    assert await news(world) == []


async def test_a_webhook_that_overtakes_the_answer_to_the_charge_costs_nothing_and_is_no_news(
    world: PaymentWorld,
) -> None:
    async def the_webhook_comes() -> None:
        await world.ingest("payment_intent.succeeded", world.gateway.only_intent.intent_id)

    world.gateway.meanwhile["confirm"] = the_webhook_comes
    payment = await world.charge()
    await later(world, 3600)

    assert world.gateway.seen == ["create", "confirm"]
    assert await world.kept() == payment
    assert await news(world) == []
    assert world.telling.ends == [EventEnd.OTHER]


async def test_a_webhook_that_overtakes_the_answer_to_a_refund_is_no_news(world: PaymentWorld) -> None:
    payment = await world.charge()

    async def the_webhook_comes() -> None:
        await world.ingest("refund.created", payment.intent_id)

    world.gateway.meanwhile["refund"] = the_webhook_comes
    refunded = await world.refund(payment, 400)
    assert world.gateway.seen == ["create", "confirm", "refund"]
    await later(world, 3600)

    assert await world.kept() == refunded.payment
    assert await news(world) == []
    assert world.telling.ends == [EventEnd.APPLIED]


async def test_a_webhook_after_the_call_that_charged_is_applied_at_once(world: PaymentWorld) -> None:
    slow = await world.charge(payment_method=SLOW_BANK)
    world.gateway.decide(slow.intent_id)
    world.clock.pass_by(10)

    await world.ingest("payment_intent.succeeded", slow.intent_id)
    await world.tasks.close(5.0)

    assert [payment.state for payment in await news(world)] == [PaymentState.SUCCEEDED]
    assert world.telling.ends == [EventEnd.APPLIED]


async def test_a_refund_that_comes_back_after_it_succeeded_is_news_from_its_webhook(world: PaymentWorld) -> None:
    payment = await world.charge()
    refunded = await world.refund(payment, 400)
    assert refunded.payment.refunded.minor_units == 400
    world.gateway.return_refund(refunded.refund.refund_id)

    await applied(world, "refund.failed", payment.intent_id)

    (told,) = await news(world)
    assert [refund.state for refund in told.refunds] == [RefundState.FAILED]
    assert told.refunded.minor_units == 0


@pytest.mark.parametrize("days", [0, 3, 20])
async def test_a_refund_that_comes_back_is_found_without_any_webhook(world: PaymentWorld, days: int) -> None:
    refunded = await world.refund(await world.charge(), 400)
    await later(world, days * 86_400)
    world.gateway.return_refund(refunded.refund.refund_id)

    for _ in range(40):
        await later(world, 86_400)

    (told,) = await news(world)
    assert [refund.state for refund in told.refunds] == [RefundState.FAILED]


async def test_a_refund_that_stays_is_looked_at_a_dozen_times_and_then_left_alone(world: PaymentWorld) -> None:
    await world.refund(await world.charge(), 400)
    for _ in range(24 * 60):
        await later(world, 3_600)
    looked = world.gateway.seen.count("find")

    assert 8 <= looked <= 12
    await later(world, 90 * 86_400)
    assert world.gateway.seen.count("find") == looked
    assert await news(world) == []


async def test_refunds_that_others_made_and_disputes_do_no_harm(world: PaymentWorld) -> None:
    payment = await world.charge()
    mine = await world.refund(payment, 400)
    for kind in ("refund.created", "charge.refunded", "charge.dispute.created", "charge.dispute.funds_withdrawn"):
        await applied(world, kind, payment.intent_id)

    assert await world.kept() == mine.payment
    assert await news(world) == []
    assert len(world.telling.ends) == 4


async def test_a_webhook_whose_refunds_cannot_be_read_now_is_applied_later(world: PaymentWorld) -> None:
    payment = await world.charge()
    refunded = await world.refund(payment, 400)
    world.gateway.return_refund(refunded.refund.refund_id)
    world.gateway.fail("find", Fault.NOT_SENT)
    await applied(world, "refund.failed", payment.intent_id)
    assert await news(world) == []

    await later(world)

    assert [told.refunded.minor_units for told in await news(world)] == [0]


async def test_a_confirmation_brings_refunds_up_to_date_too_and_the_order_hears_of_it(world: PaymentWorld) -> None:
    payment = await world.charge()
    refunds = [(await world.refund(payment, 400, f"f{number}")).refund for number in range(2)]
    world.gateway.return_refund(refunds[1].refund_id)

    confirmed = await world.confirm(payment)

    assert [refund.state for refund in confirmed.refunds] == [RefundState.SUCCEEDED, RefundState.FAILED]
    assert confirmed.refunded.minor_units == 400
    assert confirmed == await world.kept()
    # Whoever asked, an audit as a rule: the order has believed for long that its money had gone back.
    assert await news(world) == [confirmed]


async def test_a_refund_that_is_refused_after_its_order_was_answered_elsewhere_is_news(world: PaymentWorld) -> None:
    payment = await world.charge()
    answered: list[RefundState] = []

    async def the_order_asks_another_replica() -> None:
        world.restart()
        answered.append((await world.refund(payment)).refund.state)

    world.gateway.refuses_refunds = "charge_disputed"
    world.gateway.meanwhile["refund"] = the_order_asks_another_replica
    await world.refund(payment)

    assert answered == [RefundState.PENDING]
    (told,) = await news(world)
    assert told.refunded.minor_units == 0


class _AskedMeanwhile:
    """A gateway at which a refund takes long enough for the same request to be answered by another replica."""

    def __init__(self, gateway: FakeGateway, ask: Callable[[], Awaitable[Refunded]]) -> None:
        self.answered: list[Refunded] = []
        self._gateway = gateway
        self._ask = ask

    def __getattr__(self, operation: str) -> object:
        return getattr(self._gateway, operation)

    async def create_refund(self, *arguments: Any) -> object:  # noqa: ANN401  (as the port says)
        self.answered.append(await self._ask())
        return await self._gateway.create_refund(*arguments)


async def test_a_refund_whose_repetition_was_answered_before_it_was_made_is_news(world: PaymentWorld) -> None:
    payment = await world.charge()
    another = replace(world)
    slow = _AskedMeanwhile(world.gateway, lambda: another.refund(payment, 400))
    world.gateway = cast("FakeGateway", slow)
    world.restart()

    made = await world.refund(payment, 400)

    (told,) = slow.answered
    assert (told.refund.state, made.refund.state) == (RefundState.PENDING, RefundState.SUCCEEDED)
    assert await news(world) == [await world.kept()]
