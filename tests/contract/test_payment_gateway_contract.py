"""What the service expects of whoever moves its money: kept by the tests' fake and by the adapter for Stripe alike."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.ports import CurrencyRefused, KeySpent, Refused, WrongState
from payment_svc.domain.intent import (
    Decline,
    DeclineKind,
    Intent,
    IntentStatus,
    NewIntent,
    ProviderRefund,
    RefundState,
)
from payment_svc.domain.refund import Refund
from tests.fakes.payment_gateway import DECLINED, EXPIRED, MISSING, THREE_D_SECURE, VISA, Fault
from tests.fakes.payment_providers import InMemory, Provider, over_http

_AMOUNT = Money("EUR", 1099)
_NOW = datetime(2026, 11, 23, tzinfo=UTC)
_EXECUTED = {Fault.LOST_ANSWER, Fault.ERROR_EXECUTED}
_KEPT = {Fault.ERROR, Fault.ERROR_EXECUTED}


@pytest.fixture(params=["fake", "stripe"])
async def provider(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Provider]:
    if request.param == "fake":
        yield InMemory()
        return
    async with over_http(tmp_path) as running:
        yield running


async def created(provider: Provider, key: str = "k1", amount: Money = _AMOUNT) -> Intent:
    match await provider.gateway.create_intent(NewIntent("payment-1", "order-1", amount), key):
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


async def paid(provider: Provider) -> Intent:
    intent = await created(provider)
    await provider.gateway.confirm_intent(intent.intent_id, VISA, "pay")
    return intent


async def found(provider: Provider, intent_id: str, refund_id: str) -> ProviderRefund | None:
    match await provider.gateway.list_refunds(intent_id):
        case Done(refunds):
            return next((each for each in refunds if each.refund_id == refund_id), None)
        case other:
            raise AssertionError(other)


def refund(amount: int = 400, refund_id: str = "refund-1") -> Refund:
    return Refund(refund_id, "payment-1", RefundState.PENDING, Money("EUR", amount), "", 1, _NOW, _NOW)


async def test_a_new_intent_is_unconfirmed_and_about_our_order(provider: Provider) -> None:
    intent = await created(provider)

    assert intent.status is IntentStatus.UNCONFIRMED
    assert (intent.order_id, intent.payment_id) == ("order-1", "payment-1")
    assert (intent.amount, intent.captured) == (Money("EUR", 1099), Money("EUR", 0))
    assert intent.failure is None
    assert await read(provider, intent.intent_id) == intent


async def test_one_key_makes_one_intent(provider: Provider) -> None:
    first = await created(provider)

    assert await created(provider) == first
    assert (await created(provider, "k2")).intent_id != first.intent_id


async def test_a_key_with_another_body_is_spent(provider: Provider) -> None:
    await created(provider)

    other = await provider.gateway.create_intent(NewIntent("payment-2", "order-1", Money("EUR", 1099)), "k1")

    assert isinstance(other, KeySpent)


@pytest.mark.parametrize("amount", [Money("JPY", 500), Money("ISK", 500), Money("KWD", 5000), Money("USD", 50)])
async def test_amounts_come_back_as_they_went_in_any_number_of_digits(provider: Provider, amount: Money) -> None:
    intent = await created(provider, amount=amount)
    await provider.gateway.confirm_intent(intent.intent_id, VISA, "pay")

    after = await read(provider, intent.intent_id)

    assert (after.amount, after.captured) == (amount, amount)


async def test_a_currency_that_is_not_charged_in_is_refused(provider: Provider) -> None:
    answer = await provider.gateway.create_intent(NewIntent("payment-1", "order-1", Money("IQD", 5000)), "k1")

    assert answer == NotDone(CurrencyRefused())


async def test_a_good_card_pays(provider: Provider) -> None:
    intent = await created(provider)

    answer = await provider.gateway.confirm_intent(intent.intent_id, VISA, "c1")

    assert isinstance(answer, Done)
    assert answer.value.status is IntentStatus.SUCCEEDED
    assert answer.value.captured == intent.amount
    assert answer == Done(await read(provider, intent.intent_id))


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [(DECLINED, "card_declined", "insufficient_funds"), (EXPIRED, "expired_card", "expired_card")],
)
async def test_a_decline_says_why_in_the_answer_and_when_read(
    provider: Provider, method: str, code: str, decline_code: str
) -> None:
    intent = await created(provider)

    answer = await provider.gateway.confirm_intent(intent.intent_id, method, "c1")

    assert isinstance(answer, NotDone)
    assert isinstance(answer.reason, Decline)
    assert (answer.reason.kind, answer.reason.code) == (DeclineKind.ISSUER, code)
    assert answer.reason.decline_code == decline_code
    assert answer.reason.message
    after = await read(provider, intent.intent_id)
    assert after.status is IntentStatus.UNCONFIRMED
    assert after.failure == answer.reason
    assert await provider.gateway.confirm_intent(intent.intent_id, method, "c1") == answer


async def test_each_decline_can_be_told_from_the_one_before(provider: Provider) -> None:
    intent = await created(provider)
    await provider.gateway.confirm_intent(intent.intent_id, DECLINED, "c1")
    first = await read(provider, intent.intent_id)
    await provider.gateway.confirm_intent(intent.intent_id, DECLINED, "c2")
    second = await read(provider, intent.intent_id)

    assert first.failure is not None
    assert second.failure is not None
    assert first.failure.failure_id != second.failure.failure_id


async def test_after_a_decline_another_card_may_pay_on_the_same_intent(provider: Provider) -> None:
    intent = await created(provider)
    await provider.gateway.confirm_intent(intent.intent_id, DECLINED, "c1")

    answer = await provider.gateway.confirm_intent(intent.intent_id, VISA, "c2")

    assert isinstance(answer, Done)
    assert answer.value.status is IntentStatus.SUCCEEDED
    assert answer.value.failure is None


@pytest.mark.parametrize("success", [True, False])
async def test_three_d_secure_waits_for_the_customer(provider: Provider, *, success: bool) -> None:
    intent = await created(provider)

    answer = await provider.gateway.confirm_intent(intent.intent_id, THREE_D_SECURE, "c1")
    assert isinstance(answer, Done)
    assert answer.value.status is IntentStatus.ACTION_REQUIRED
    assert answer.value.client_secret.startswith(intent.intent_id)
    await provider.authenticate(intent.intent_id, success=success)

    after = await read(provider, intent.intent_id)
    assert after.status is (IntentStatus.SUCCEEDED if success else IntentStatus.UNCONFIRMED)
    assert (after.failure is None) is success


async def test_an_unknown_payment_method_is_no_decline_and_leaves_no_trace(provider: Provider) -> None:
    intent = await created(provider)

    answer = await provider.gateway.confirm_intent(intent.intent_id, MISSING, "c1")

    assert isinstance(answer, NotDone)
    assert isinstance(answer.reason, Decline)
    assert (answer.reason.kind, answer.reason.failure_id) == (DeclineKind.METHOD, "")
    assert await read(provider, intent.intent_id) == intent


async def test_a_paid_intent_pays_once(provider: Provider) -> None:
    intent = await created(provider)
    first = await provider.gateway.confirm_intent(intent.intent_id, VISA, "c1")

    assert await provider.gateway.confirm_intent(intent.intent_id, VISA, "c1") == first
    assert await provider.gateway.confirm_intent(intent.intent_id, VISA, "c2") == NotDone(WrongState())
    assert await provider.gateway.cancel_intent(intent.intent_id, "x1") == NotDone(WrongState())


async def test_an_intent_that_was_given_up_never_pays(provider: Provider) -> None:
    intent = await created(provider)

    answer = await provider.gateway.cancel_intent(intent.intent_id, "x1")

    assert isinstance(answer, Done)
    assert answer.value.status is IntentStatus.CANCELLED
    assert await provider.gateway.confirm_intent(intent.intent_id, VISA, "c1") == NotDone(WrongState())
    assert await provider.gateway.cancel_intent(intent.intent_id, "x2") == NotDone(WrongState())


async def test_an_intent_that_does_not_exist_cannot_be_read(provider: Provider) -> None:
    assert await provider.gateway.read_intent("pi_unknown") == NotDone(Refused("resource_missing"))


async def test_a_refund_is_made_once_per_key_and_found_by_our_id(provider: Provider) -> None:
    intent = await paid(provider)

    answer = await provider.gateway.create_refund(intent.intent_id, refund(), "f1")

    assert isinstance(answer, Done)
    assert (answer.value.refund_id, answer.value.amount) == ("refund-1", Money("EUR", 400))
    assert answer.value.state is RefundState.SUCCEEDED
    assert await provider.gateway.create_refund(intent.intent_id, refund(), "f1") == answer
    assert await found(provider, intent.intent_id, "refund-1") == answer.value
    assert await found(provider, intent.intent_id, "refund-2") is None


async def test_more_than_was_paid_is_never_given_back(provider: Provider) -> None:
    intent = await paid(provider)
    await provider.gateway.create_refund(intent.intent_id, refund(1000), "f1")

    too_much = await provider.gateway.create_refund(intent.intent_id, refund(100, "refund-2"), "f2")
    await provider.gateway.create_refund(intent.intent_id, refund(99, "refund-3"), "f3")
    again = await provider.gateway.create_refund(intent.intent_id, refund(1, "refund-4"), "f4")

    assert too_much == NotDone(Refused("http_400"))
    assert again == NotDone(Refused("charge_already_refunded"))
    assert await found(provider, intent.intent_id, "refund-2") is None


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_confirmation_that_goes_wrong_is_open_and_reading_tells(provider: Provider, fault: Fault) -> None:
    intent = await created(provider)
    await provider.fail("confirm", fault)

    answer = await provider.gateway.confirm_intent(intent.intent_id, VISA, "c1")

    assert isinstance(answer, Unknown)
    assert isinstance(answer, KeySpent) is (fault in _KEPT)
    if fault is Fault.LATE:
        assert (await read(provider, intent.intent_id)).status is IntentStatus.UNCONFIRMED
        await provider.catch_up(intent.intent_id)
    executed = (await read(provider, intent.intent_id)).status is IntentStatus.SUCCEEDED
    assert executed is (fault in {*_EXECUTED, Fault.LATE})


@pytest.mark.parametrize("fault", list(Fault))
async def test_the_same_key_confirms_once_or_repeats_its_error(provider: Provider, fault: Fault) -> None:
    intent = await created(provider)
    await provider.fail("confirm", fault)
    await provider.gateway.confirm_intent(intent.intent_id, VISA, "c1")
    if fault is Fault.LATE:
        await provider.catch_up(intent.intent_id)

    again = await provider.gateway.confirm_intent(intent.intent_id, VISA, "c1")

    if fault in _KEPT:
        assert isinstance(again, KeySpent)
    else:
        assert isinstance(again, Done)
        assert again.value.status is IntentStatus.SUCCEEDED


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.LATE])
async def test_a_refund_that_goes_wrong_is_open_and_looking_tells(provider: Provider, fault: Fault) -> None:
    intent = await paid(provider)
    await provider.fail("refund", fault)

    answer = await provider.gateway.create_refund(intent.intent_id, refund(), "f1")

    assert isinstance(answer, Unknown)
    assert isinstance(answer, KeySpent) is (fault in _KEPT)
    made = await found(provider, intent.intent_id, "refund-1")
    assert (made is not None) is (fault in _EXECUTED)


@pytest.mark.parametrize("operation", ["create", "read", "find"])
@pytest.mark.parametrize("fault", [Fault.NOT_SENT, Fault.GATEWAY_ERROR, Fault.BUSY])
async def test_whoever_cannot_be_asked_leaves_it_open(provider: Provider, operation: str, fault: Fault) -> None:
    intent = await paid(provider)
    await provider.fail(operation, fault)

    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "create": lambda: provider.gateway.create_intent(NewIntent("p", "o", Money("EUR", 50)), "k9"),
        "read": lambda: provider.gateway.read_intent(intent.intent_id),
        "find": lambda: provider.gateway.list_refunds(intent.intent_id),
    }

    assert isinstance(await calls[operation](), Unknown)
    assert isinstance(await calls[operation](), Done)
