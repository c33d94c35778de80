"""Money that goes back without our asking: refunds made by hand at the provider, and disputes."""

from collections.abc import AsyncIterator

import pytest

from kernel.errors import Reason, Refusal
from kernel.money import Money
from payment_svc.domain.dispute import DisputeState
from payment_svc.domain.intent import RefundState
from payment_svc.domain.payment import Payment, PaymentState
from tests.fakes.payment_gateway import THREE_D_SECURE, Fault
from tests.fakes.payment_service import PaymentWorld, payment_world


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[PaymentWorld]:
    async with payment_world(sqlite_url) as running:
        yield running


async def heard(world: PaymentWorld) -> list[Payment]:
    """Return the news once nothing is under way, and take it in."""
    await world.tasks.close(5.0)
    world.clock.pass_by(60)
    await world.does.resume.once()
    news = await world.does.news.listed(9)
    for payment in news:
        await world.does.news.acknowledge(payment.payment_id, payment.version)
    return news


@pytest.mark.parametrize("seen_by", ["webhook", "confirm"])
async def test_a_refund_by_hand_enters_our_ledger_and_is_news(world: PaymentWorld, seen_by: str) -> None:
    payment = await world.charge()
    provider_refund_id = world.gateway.refund_by_hand(payment.intent_id, 300)

    if seen_by == "webhook":
        await world.ingest("charge.refunded", payment.intent_id)
    else:
        await world.confirm(payment)

    (news,) = await heard(world)
    (refund,) = news.refunds
    assert (refund.provider_refund_id, refund.request_id) == (provider_refund_id, "")
    assert (refund.state, refund.amount, news.refunded) == (RefundState.SUCCEEDED, Money("EUR", 300), Money("EUR", 300))
    assert await world.confirm(payment, "again") == await world.kept()
    assert await heard(world) == []


async def test_what_was_given_back_by_hand_is_left_out_of_what_can_be_given_back(world: PaymentWorld) -> None:
    payment = await world.charge()
    world.gateway.refund_by_hand(payment.intent_id, 300)
    payment = await world.confirm(payment)

    with pytest.raises(Refusal) as refused:
        await world.refund(payment, 800)
    assert refused.value.reason is Reason.REFUND_EXCEEDS_PAYMENT

    after = (await world.refund(payment, None, "f2")).payment
    assert after.refunded == after.captured
    assert [each.request_id for each in after.refunds] == ["", "f2"]


async def test_a_refund_that_somebody_was_faster_with_never_sums_up_above_what_was_taken(world: PaymentWorld) -> None:
    payment = await world.charge()
    world.gateway.fail("refund", Fault.NOT_SENT)
    pending = (await world.refund(payment, None)).payment
    world.gateway.refund_by_hand(payment.intent_id, 1099)

    both = await world.confirm(payment)
    assert pending.refunded == both.refunded == both.captured

    world.clock.pass_by(3600)
    await heard(world)
    settled = await world.kept()
    assert settled is not None
    assert settled.refunded == settled.captured
    assert [each.state for each in settled.refunds if each.request_id] == [RefundState.FAILED]
    assert [each.failure_reason for each in settled.refunds if each.request_id] == ["charge_already_refunded"]


async def test_a_refund_that_was_refused_for_what_somebody_gave_back_before_is_for_the_rest_the_next_time(
    world: PaymentWorld,
) -> None:
    payment = await world.charge()
    world.gateway.refund_by_hand(payment.intent_id, 300)

    first = await world.refund(payment, None, "f1")
    second = await world.refund(payment, None, "f2")

    assert (first.refund.state, first.refund.amount) == (RefundState.FAILED, Money("EUR", 1099))
    assert (second.refund.state, second.refund.amount) == (RefundState.SUCCEEDED, Money("EUR", 799))
    assert world.gateway.refunded(payment.intent_id) == 1099


async def test_a_refund_by_hand_that_fails_later_is_found_by_our_own_looking(world: PaymentWorld) -> None:
    payment = await world.charge()
    world.gateway.refund_by_hand(payment.intent_id, 300)
    payment = await world.confirm(payment)
    await heard(world)
    world.gateway.return_refund("")

    world.clock.pass_by(2 * 3600)
    (news,) = await heard(world)

    assert [each.state for each in news.refunds] == [RefundState.FAILED]
    assert news.refunded == Money("EUR", 0)


@pytest.mark.parametrize("lost", [True, False])
async def test_a_dispute_is_stored_shown_and_news_at_each_step(world: PaymentWorld, *, lost: bool) -> None:
    payment = await world.charge()
    opened = world.gateway.dispute(payment.intent_id)
    await world.ingest("charge.dispute.created", payment.intent_id)

    (news,) = await heard(world)
    assert news.disputes == (opened,)
    assert (news.captured, news.refunded, news.state) == (payment.captured, payment.refunded, PaymentState.SUCCEEDED)
    assert world.telling.disputes == 1
    assert await world.does.read.page("", None, 9, disputed=True) == ([await world.kept()], False)

    ended = world.gateway.dispute(payment.intent_id, DisputeState.LOST if lost else DisputeState.WON)
    await world.ingest("charge.dispute.closed", payment.intent_id)

    (news,) = await heard(world)
    assert news.disputes == (ended,)
    await heard(world)
    assert world.telling.disputes == 0


async def test_only_disputed_payments_are_listed_where_those_are_asked_for(world: PaymentWorld) -> None:
    await world.charge()

    assert await world.does.read.page("", None, 9, disputed=True) == ([], False)


async def test_a_dispute_whose_webhook_was_lost_is_found_when_the_payment_is_read_afresh(world: PaymentWorld) -> None:
    payment = await world.charge()
    opened = world.gateway.dispute(payment.intent_id, DisputeState.INQUIRY)

    assert (await world.confirm(payment)).disputes == (opened,)
    assert "disputes" in world.gateway.seen


async def test_a_dispute_that_was_decided_while_an_older_answer_was_on_its_way_stays_decided(
    world: PaymentWorld,
) -> None:
    payment = await world.charge()
    world.gateway.dispute(payment.intent_id)

    async def decided() -> None:
        world.gateway.dispute(payment.intent_id, DisputeState.WON)
        await world.confirm(payment, "meanwhile")

    world.gateway.meanwhile["disputes"] = decided
    (shown,) = (await world.confirm(payment, "first")).disputes

    kept = await world.kept()
    assert kept is not None
    assert (shown.state, kept.disputes) == (DisputeState.WON, (shown,))


async def test_an_event_ahead_of_the_news_that_the_money_was_taken_waits_for_nothing(world: PaymentWorld) -> None:
    payment = await world.charge(payment_method=THREE_D_SECURE)
    world.gateway.authenticate(payment.intent_id, success=True)
    opened = world.gateway.dispute(payment.intent_id)
    await world.ingest("charge.dispute.created", payment.intent_id)

    (news,) = await heard(world)

    assert (news.state, news.disputes) == (PaymentState.SUCCEEDED, (opened,))
