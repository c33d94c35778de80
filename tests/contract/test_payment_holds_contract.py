"""Money that is held, saved customers, refunds by hand and disputes: the same of the fake and of Stripe's adapter."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.ports import KeySpent, Refused, WrongState
from payment_svc.domain.dispute import DisputeState
from payment_svc.domain.intent import CaptureMode, Decline, Intent, IntentStatus, Manner, NewIntent
from tests.fakes.payment_gateway import THREE_D_SECURE, VISA, Fault
from tests.fakes.payment_providers import InMemory, Provider, over_http

_AMOUNT = Money("EUR", 1099)
_HOLDS = Manner(holds=True)


@pytest.fixture(params=["fake", "stripe"])
async def provider(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Provider]:
    if request.param == "fake":
        yield InMemory()
        return
    async with over_http(tmp_path) as running:
        yield running


async def created(provider: Provider, mode: CaptureMode = CaptureMode.AT_PLACEMENT, customer: str = "") -> Intent:
    new = NewIntent("payment-1", "order-1", _AMOUNT, mode, customer)
    match await provider.gateway.create_intent(new, f"create {customer}"):
        case Done(intent):
            return intent
        case other:
            raise AssertionError(other)


async def held(provider: Provider) -> Intent:
    intent = await created(provider, CaptureMode.ON_SHIPMENT)
    match await provider.gateway.confirm_intent(intent.intent_id, VISA, "confirm", _HOLDS):
        case Done(intent):
            return intent
        case other:
            raise AssertionError(other)


async def read(provider: Provider, intent_id: str) -> Intent:
    match await provider.gateway.read_intent(intent_id):
        case Done(intent):
            return intent
        case other:
            raise AssertionError(other)


async def refunds(provider: Provider, intent_id: str) -> list[tuple[str, int]]:
    match await provider.gateway.list_refunds(intent_id):
        case Done(found):
            return [(each.refund_id, each.amount.minor_units) for each in found]
        case other:
            raise AssertionError(other)


async def test_money_that_is_held_is_not_taken_and_says_until_when(provider: Provider) -> None:
    intent = await held(provider)

    assert intent.status is IntentStatus.AUTHORIZED
    assert (intent.amount, intent.captured) == (_AMOUNT, Money("EUR", 0))
    assert intent.held_until is not None
    assert intent == await read(provider, intent.intent_id)
    assert await refunds(provider, intent.intent_id) == []


@pytest.mark.parametrize("minor_units", [1099, 700, 1])
async def test_a_hold_is_taken_once_whole_or_in_part(provider: Provider, minor_units: int) -> None:
    intent = await held(provider)
    amount = Money("EUR", minor_units)

    taken = await provider.gateway.capture_intent(intent.intent_id, amount, "c1")

    assert isinstance(taken, Done)
    assert (taken.value.status, taken.value.captured) == (IntentStatus.SUCCEEDED, amount)
    assert (taken.value.amount, taken.value.held_until) == (_AMOUNT, None)
    assert await provider.gateway.capture_intent(intent.intent_id, amount, "c1") == taken
    assert await provider.gateway.capture_intent(intent.intent_id, Money("EUR", 1), "c2") == NotDone(WrongState())
    assert (await read(provider, intent.intent_id)).captured == amount


async def test_the_rest_that_was_released_is_no_refund_and_what_was_taken_can_be_given_back(provider: Provider) -> None:
    intent = await held(provider)
    await provider.gateway.capture_intent(intent.intent_id, Money("EUR", 700), "c1")
    assert await refunds(provider, intent.intent_id) == []

    await provider.refund_by_hand(intent.intent_id, 300)

    assert await refunds(provider, intent.intent_id) == [("", 300)]
    listed = await provider.books.payment(intent.intent_id)
    assert isinstance(listed, Done)
    assert (listed.value.captured, listed.value.refunded) == (Money("EUR", 700), Money("EUR", 300))
    page = await provider.books.refunds("", 10)
    assert isinstance(page, Done)
    assert [each.amount for each in page.value.items] == [Money("EUR", 300)]


async def test_more_than_is_held_is_never_taken(provider: Provider) -> None:
    intent = await held(provider)

    answer = await provider.gateway.capture_intent(intent.intent_id, Money("EUR", 1100), "c1")

    assert answer == NotDone(Refused("amount_too_large"))
    assert (await read(provider, intent.intent_id)).status is IntentStatus.AUTHORIZED


@pytest.mark.parametrize("lapses", [True, False])
async def test_a_hold_that_lapsed_or_was_released_cannot_be_taken(provider: Provider, *, lapses: bool) -> None:
    intent = await held(provider)

    if lapses:
        await provider.lapse(intent.intent_id)
    else:
        assert isinstance(await provider.gateway.cancel_intent(intent.intent_id, "x1"), Done)

    assert (await read(provider, intent.intent_id)).status is IntentStatus.CANCELLED
    assert await provider.gateway.capture_intent(intent.intent_id, _AMOUNT, "c1") == NotDone(WrongState())
    assert await refunds(provider, intent.intent_id) == []


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.LATE])
async def test_a_capture_that_goes_wrong_is_open_and_reading_tells(provider: Provider, fault: Fault) -> None:
    intent = await held(provider)
    await provider.fail("capture", fault)

    answer = await provider.gateway.capture_intent(intent.intent_id, Money("EUR", 700), "c1")

    assert isinstance(answer, Unknown)
    assert isinstance(answer, KeySpent) is (fault in {Fault.ERROR, Fault.ERROR_EXECUTED})
    executed = (await read(provider, intent.intent_id)).status is IntentStatus.SUCCEEDED
    assert executed is (fault in {Fault.LOST_ANSWER, Fault.ERROR_EXECUTED})


async def test_a_customer_who_is_not_there_cannot_authenticate(provider: Provider) -> None:
    intent = await created(provider, customer=await provider.new_customer())

    answer = await provider.gateway.confirm_intent(intent.intent_id, THREE_D_SECURE, "c1", Manner(off_session=True))

    assert isinstance(answer, NotDone)
    assert isinstance(answer.reason, Decline)
    assert (answer.reason.code, answer.reason.decline_code) == ("authentication_required", "authentication_required")
    after = await read(provider, intent.intent_id)
    assert (after.status, after.failure) == (IntentStatus.UNCONFIRMED, answer.reason)


@pytest.mark.parametrize("manner", [Manner(off_session=True), Manner(saves=True)])
async def test_a_saved_customer_pays_with_and_without_being_there(provider: Provider, manner: Manner) -> None:
    intent = await created(provider, customer=await provider.new_customer())

    answer = await provider.gateway.confirm_intent(intent.intent_id, VISA, "c1", manner)

    assert isinstance(answer, Done)
    assert answer.value.status is IntentStatus.SUCCEEDED


async def test_disputes_are_listed_as_they_are_now_and_shown_on_the_intent(provider: Provider) -> None:
    intent = await created(provider)
    await provider.gateway.confirm_intent(intent.intent_id, VISA, "c1")
    assert await provider.gateway.list_disputes(intent.intent_id) == Done([])
    assert not (await read(provider, intent.intent_id)).disputed

    await provider.dispute(intent.intent_id, DisputeState.NEEDS_RESPONSE)

    listed = await provider.gateway.list_disputes(intent.intent_id)
    assert isinstance(listed, Done)
    (dispute,) = listed.value
    assert (dispute.state, dispute.amount, dispute.reason) == (DisputeState.NEEDS_RESPONSE, _AMOUNT, "fraudulent")
    assert dispute.evidence_due_at is not None
    assert dispute.evidence_due_at - dispute.created_at == timedelta(days=7)
    after = await read(provider, intent.intent_id)
    assert (after.disputed, after.status, after.captured) == (True, IntentStatus.SUCCEEDED, _AMOUNT)

    await provider.dispute(intent.intent_id, DisputeState.WON)

    again = await provider.gateway.list_disputes(intent.intent_id)
    assert isinstance(again, Done)
    assert [(each.dispute_id, each.state, each.evidence_due_at) for each in again.value] == [
        (dispute.dispute_id, DisputeState.WON, None)
    ]


@pytest.mark.parametrize("fault", [Fault.NOT_SENT, Fault.GATEWAY_ERROR, Fault.BUSY])
async def test_whoever_cannot_be_asked_about_disputes_leaves_it_open(provider: Provider, fault: Fault) -> None:
    intent = await created(provider)
    await provider.fail("disputes", fault)

    assert isinstance(await provider.gateway.list_disputes(intent.intent_id), Unknown)
    assert await provider.gateway.list_disputes(intent.intent_id) == Done([])
