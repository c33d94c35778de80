"""What the service expects of the provider's books: kept by the tests' fake and by the adapter for Stripe alike."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.books import ListedPayment, Page
from payment_svc.app.ports import Refused
from payment_svc.domain.intent import Intent, NewIntent, RefundState
from payment_svc.domain.payment import PaymentState
from payment_svc.domain.refund import Refund
from tests.fakes.payment_gateway import DECLINED, THREE_D_SECURE, VISA, Fault
from tests.fakes.payment_providers import InMemory, Provider, over_http

T = TypeVar("T")

_NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(params=["fake", "stripe"])
async def provider(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Provider]:
    if request.param == "fake":
        yield InMemory()
        return
    async with over_http(tmp_path) as running:
        yield running


async def created(provider: Provider, number: int = 1, amount: Money | None = None) -> Intent:
    new = NewIntent(f"payment-{number}", f"order-{number}", amount or Money("EUR", 1000 + number))
    match await provider.gateway.create_intent(new, f"create-{number}"):
        case Done(intent):
            return intent
        case other:
            raise AssertionError(other)


async def paid(provider: Provider, number: int = 1, amount: Money | None = None) -> Intent:
    intent = await created(provider, number, amount)
    await provider.gateway.confirm_intent(intent.intent_id, VISA, f"pay-{number}")
    return intent


async def refunded(provider: Provider, intent: Intent, amount: Money, refund_id: str = "refund-1") -> None:
    refund = Refund(refund_id, intent.payment_id, RefundState.PENDING, amount, "", 1, _NOW, _NOW)
    assert isinstance(await provider.gateway.create_refund(intent.intent_id, refund, refund_id), Done)


async def listed(provider: Provider, intent: Intent) -> ListedPayment:
    """Return the intent as it is listed, having seen that reading it alone says the same."""
    page = done(await provider.books.payments("", 100))
    (found,) = [each for each in page.items if each.intent_id == intent.intent_id]
    assert await provider.books.payment(intent.intent_id) == Done(found)
    return found


def done(outcome: Done[T] | NotDone[Refused] | Unknown) -> T:
    match outcome:
        case Done(value):
            return value
        case other:
            raise AssertionError(other)


async def test_nothing_is_on_one_empty_page(provider: Provider) -> None:
    assert await provider.books.payments("", 100) == Done(Page((), ""))
    assert await provider.books.refunds("", 100) == Done(Page((), ""))


async def test_payments_follow_each_other_newest_first_without_gap_or_overlap(provider: Provider) -> None:
    made = [await created(provider, number) for number in range(1, 8)]
    seen: list[ListedPayment] = []
    cursor, pages = "", 0
    while not pages or cursor:
        page = done(await provider.books.payments(cursor, 3))
        seen += page.items
        cursor, pages = page.cursor, pages + 1

    assert [each.intent_id for each in seen] == [intent.intent_id for intent in reversed(made)]
    assert pages == 3
    times = [each.created_at for each in seen]
    assert times == sorted(times, reverse=True)


async def test_what_is_made_meanwhile_moves_no_page(provider: Provider) -> None:
    made = [await created(provider, number) for number in range(1, 5)]
    first = done(await provider.books.payments("", 2))
    await created(provider, 5)

    second = done(await provider.books.payments(first.cursor, 2))

    assert [each.intent_id for each in second.items] == [made[1].intent_id, made[0].intent_id]
    assert second.cursor == ""


async def test_a_payment_says_whose_it_is_and_where_it_stands(provider: Provider) -> None:
    fresh = await listed(provider, await created(provider))
    assert (fresh.payment_id, fresh.order_id) == ("payment-1", "order-1")
    assert (fresh.state, fresh.amount) == (PaymentState.PENDING, Money("EUR", 1001))
    assert (fresh.captured, fresh.refunded) == (Money("EUR", 0), Money("EUR", 0))

    done_with = await listed(provider, await paid(provider, 2))
    assert (done_with.state, done_with.captured) == (PaymentState.SUCCEEDED, Money("EUR", 1002))
    assert done_with.refunded == Money("EUR", 0)


@pytest.mark.parametrize(
    ("method", "state"), [(DECLINED, PaymentState.DECLINED), (THREE_D_SECURE, PaymentState.ACTION_REQUIRED)]
)
async def test_attempts_that_took_nothing_are_told_apart(provider: Provider, method: str, state: PaymentState) -> None:
    intent = await created(provider)
    await provider.gateway.confirm_intent(intent.intent_id, method, "c1")
    attempted = await listed(provider, intent)
    await provider.gateway.cancel_intent(intent.intent_id, "x1")

    assert (attempted.state, attempted.captured) == (state, Money("EUR", 0))
    given_up = await listed(provider, intent)
    assert (given_up.state, given_up.captured, given_up.refunded) == (
        PaymentState.CANCELLED,
        Money("EUR", 0),
        Money("EUR", 0),
    )


@pytest.mark.parametrize(
    ("amount", "back"),
    [
        (Money("EUR", 1099), Money("EUR", 400)),
        (Money("JPY", 500), Money("JPY", 20)),
        (Money("ISK", 500), Money("ISK", 20)),
        (Money("KWD", 5000), Money("KWD", 20)),
    ],
)
async def test_what_was_given_back_is_listed_on_both_sides_in_any_number_of_digits(
    provider: Provider, amount: Money, back: Money
) -> None:
    intent = await paid(provider, amount=amount)
    await refunded(provider, intent, back)
    await refunded(provider, intent, back, "refund-2")

    payment = await listed(provider, intent)
    assert (payment.amount, payment.captured, payment.refunded) == (amount, amount, back + back)
    page = done(await provider.books.refunds("", 100))
    assert [(each.refund_id, each.intent_id, each.state, each.amount) for each in page.items] == [
        ("refund-2", intent.intent_id, RefundState.SUCCEEDED, back),
        ("refund-1", intent.intent_id, RefundState.SUCCEEDED, back),
    ]


async def test_refunds_of_all_payments_follow_each_other_newest_first(provider: Provider) -> None:
    intents = [await paid(provider, number) for number in (1, 2)]
    for number in range(5):
        await refunded(provider, intents[number % 2], Money("EUR", 10), f"refund-{number}")
    first = done(await provider.books.refunds("", 2))
    second = done(await provider.books.refunds(first.cursor, 2))
    third = done(await provider.books.refunds(second.cursor, 2))

    seen = [each.refund_id for page in (first, second, third) for each in page.items]
    assert seen == [f"refund-{number}" for number in (4, 3, 2, 1, 0)]
    assert third.cursor == ""


async def test_a_page_after_something_that_is_not_there_is_refused(provider: Provider) -> None:
    assert await provider.books.payments("pi_unknown", 2) == NotDone(Refused("resource_missing"))
    assert await provider.books.refunds("re_unknown", 2) == NotDone(Refused("resource_missing"))
    assert await provider.books.payment("pi_unknown") == NotDone(Refused("resource_missing"))


@pytest.mark.parametrize("operation", ["list_payments", "list_refunds", "read"])
@pytest.mark.parametrize("fault", [Fault.NOT_SENT, Fault.GATEWAY_ERROR, Fault.BUSY, Fault.LOST_ANSWER])
async def test_books_that_cannot_be_read_now_say_so(provider: Provider, operation: str, fault: Fault) -> None:
    intent = await created(provider)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "list_payments": lambda: provider.books.payments("", 2),
        "list_refunds": lambda: provider.books.refunds("", 2),
        "read": lambda: provider.books.payment(intent.intent_id),
    }
    await provider.fail(operation, fault)

    assert isinstance(await calls[operation](), Unknown)
    assert isinstance(await calls[operation](), Done)
