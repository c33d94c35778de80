"""Giving up an order's payment that was never asked for, or is being asked for at this moment: no money moves after."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress

import pytest

from kernel.errors import Reason, Refusal
from kernel.money import Money
from payment_svc.domain.intent import CaptureMode, IntentStatus
from payment_svc.domain.payment import Payment, PaymentState, payment_id_of
from tests.fakes.payment_gateway import THREE_D_SECURE, Fault
from tests.fakes.payment_service import Killed, Mortality, PaymentWorld, payment_world


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[PaymentWorld]:
    async with payment_world(sqlite_url) as running:
        yield running


async def test_a_payment_that_was_never_asked_for_is_kept_as_given_up(world: PaymentWorld) -> None:
    payment = await world.cancel_order()

    assert payment.state is PaymentState.CANCELLED
    assert (payment.payment_id, payment.intent_id) == (payment_id_of(world.order_id), "")
    assert (payment.amount, payment.captured) == (Money("EUR", 1099), Money("EUR", 0))
    assert await world.kept() == payment
    assert await world.cancel_order() == payment
    assert await world.cancel_order("x2") == payment
    assert await world.cancel(payment, "x3") == payment
    assert await world.confirm(payment) == payment
    assert world.gateway.seen == []


async def test_two_orders_may_be_given_up_before_they_began(world: PaymentWorld) -> None:
    await world.cancel_order()
    world.begin_anew()
    world.restart()

    assert (await world.cancel_order("x2")).state is PaymentState.CANCELLED


@pytest.mark.parametrize("mode", list(CaptureMode))
async def test_a_charge_that_arrives_later_moves_nothing(world: PaymentWorld, mode: CaptureMode) -> None:
    given_up = await world.cancel_order(amount=Money("EUR", 1))

    with pytest.raises(Refusal) as refused:
        await world.charge(capture_mode=mode)

    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert refused.value.metadata["state"] == "CANCELLED"
    assert await world.kept() == given_up
    assert world.gateway.seen == []


async def test_without_a_payment_the_amount_is_needed_and_a_used_key_is_refused(world: PaymentWorld) -> None:
    with pytest.raises(Refusal) as refused:
        await world.cancel_order(amount=None)
    assert [each.field for each in refused.value.fields] == ["amount"]

    await world.cancel_order()
    with pytest.raises(Refusal) as reused:
        await world.cancel_order(amount=Money("EUR", 1))
    assert reused.value.reason is Reason.REQUEST_ID_REUSED


async def test_a_payment_that_there_is_is_found_by_its_order(world: PaymentWorld) -> None:
    await world.charge(payment_method=THREE_D_SECURE)

    assert (await world.cancel_order(amount=None)).state is PaymentState.CANCELLED
    assert world.gateway.only_intent.status is IntentStatus.CANCELLED


async def test_money_that_moved_before_is_told(world: PaymentWorld) -> None:
    paid = await world.charge()

    assert await world.cancel_order() == paid


@pytest.mark.parametrize("place", ["create", "confirm"])
async def test_given_up_while_the_charge_is_at_the_provider(world: PaymentWorld, place: str) -> None:
    given_up: list[Payment] = []

    async def give_up() -> None:
        given_up.append(await world.cancel_order())

    world.gateway.meanwhile[place] = give_up
    try:
        charged: PaymentState | Reason = (await world.charge()).state
    except Refusal as refusal:
        charged = refusal.reason

    if place == "create":
        assert (charged, given_up[0].state) == (Reason.ILLEGAL_STATE, PaymentState.CANCELLED)
        assert world.gateway.charges == []
        assert world.gateway.only_intent.status is IntentStatus.CANCELLED
    else:
        assert (charged, given_up[0].state) == (PaymentState.SUCCEEDED, PaymentState.SUCCEEDED)


async def test_an_intent_made_in_vain_that_cannot_be_given_up_now_stays_unconfirmed(world: PaymentWorld) -> None:
    world.gateway.meanwhile["create"] = world.cancel_order
    world.gateway.fail("cancel", Fault.NOT_SENT)

    with pytest.raises(Refusal) as refused:
        await world.charge()

    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert world.gateway.only_intent.status is IntentStatus.UNCONFIRMED
    with pytest.raises(Refusal):
        await world.charge()
    assert "confirm" not in world.gateway.seen


async def test_a_race_at_any_place_ends_paid_or_given_up_and_both_know(world: PaymentWorld) -> None:
    for steps in range(14):
        world.begin_anew()
        world.restart()
        charging = asyncio.create_task(_ends(world.charge(world.order_id)))
        for _ in range(steps):
            await asyncio.sleep(0)
        given_up = await _ends(world.cancel_order(world.order_id))
        charged = await charging
        if given_up is Reason.UNAVAILABLE:
            given_up = await _ends(world.cancel_order(world.order_id))

        kept = await world.kept()
        assert kept is not None
        assert given_up is kept.state
        assert charged in {kept.state, Reason.ILLEGAL_STATE}
        assert len(world.gateway.charges) == (kept.state is PaymentState.SUCCEEDED)


async def test_giving_up_and_charging_survive_a_crash_at_any_place(world: PaymentWorld) -> None:
    for first, place in itertools.product(["charge", "cancel"], range(1, 15)):
        world.begin_anew()
        await _dies_at(world, place, first)
        world.restart()
        given_up = await world.cancel_order(world.order_id)
        charged = await _ends(world.charge(world.order_id))

        kept = await world.kept()
        assert kept == given_up
        assert charged in {kept.state, Reason.ILLEGAL_STATE}
        assert len(world.gateway.charges) == (kept.state is PaymentState.SUCCEEDED)


async def _dies_at(world: PaymentWorld, place: int, command: str) -> None:
    world.restart(Mortality(place))
    with suppress(Killed):
        await (world.charge(world.order_id) if command == "charge" else world.cancel_order(world.order_id))


async def _ends(call: Awaitable[Payment]) -> PaymentState | Reason:
    try:
        return (await call).state
    except Refusal as refusal:
        return refusal.reason
