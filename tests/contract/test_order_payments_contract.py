"""What the use cases rely on in `Payments` beyond a charge: true of the fake, and of payment_svc on a sandbox alike."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from order_svc.adapters.payment_grpc import GrpcPayments
from order_svc.app.ports import Charge, Payments
from order_svc.domain.draft import CaptureMode, Terms
from order_svc.domain.payment import Payment, PaymentState, RefundState
from order_svc.domain.step import Refunded
from tests.fakes.order_payments import NEEDS_ACTION, FakePayments
from tests.fakes.order_samples import ORDER_ID, VISA, euros
from tests.fakes.payment_over_grpc import service
from tests.fakes.sandbox_world import sandbox_world

CLOCK = SystemClock()
PRICE = euros(7075)
PART = euros(3000)


@dataclass
class Shop:
    """Payments, and keys that nobody has used."""

    payments: Payments
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def key(self) -> str:
        return f"{ORDER_ID}:{next(self._numbers)}"

    def charge(self, capture: CaptureMode = CaptureMode.AT_PLACEMENT, payment_method: str = VISA) -> Charge:
        """Return an attempt at charging the order."""
        not_after = CLOCK.now() + timedelta(seconds=29)
        return Charge(self.key(), ORDER_ID, PRICE, payment_method, not_after, Terms(capture))

    async def charged(self, capture: CaptureMode = CaptureMode.AT_PLACEMENT, payment_method: str = VISA) -> Payment:
        """Charge the order."""
        return done(await self.payments.charge(self.charge(capture, payment_method)))

    async def held(self) -> Payment:
        """Hold the order's money."""
        return await self.charged(CaptureMode.ON_SHIPMENT)

    async def refunded(self, payment: Payment, amount: Money | None, key: str = "") -> Refunded:
        """Give money back."""
        outcome = await self.payments.refund(payment.payment_id, key or self.key(), amount)
        assert isinstance(outcome, Done), outcome
        return outcome.value


def done(outcome: Done[Payment] | NotDone[Refusal] | Unknown) -> Payment:
    """Return the payment of a call that has to go well."""
    assert isinstance(outcome, Done), outcome
    return outcome.value


def figures(payment: Payment) -> tuple[PaymentState, int, int, int]:
    """Return the state, and what was taken, let go and given back, in cents."""
    return (
        payment.state,
        payment.captured.minor_units,
        payment.released.minor_units,
        payment.refunded.minor_units,
    )


@pytest.fixture(params=["fake", "service"])
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shop]:
    if request.param == "fake":
        yield Shop(FakePayments(CLOCK))
        return
    async with sandbox_world(tmp_path / "sandbox") as world, service(tmp_path, world) as running:
        yield Shop(GrpcPayments(running.stub))


async def test_a_hold_takes_nothing_and_ends(shop: Shop) -> None:
    payment = await shop.held()

    assert figures(payment) == (PaymentState.AUTHORIZED, 0, 0, 0)
    assert payment.hold_expires_at is not None
    assert timedelta(days=6) < payment.hold_expires_at - CLOCK.now() < timedelta(days=8)


@pytest.mark.parametrize("amount", [PRICE, PART])
async def test_a_hold_is_taken_once_and_the_rest_let_go(shop: Shop, amount: Money) -> None:
    payment, key = await shop.held(), shop.key()

    taken = done(await shop.payments.capture(payment.payment_id, key, amount))
    again = done(await shop.payments.capture(payment.payment_id, key, amount))
    late = done(await shop.payments.capture(payment.payment_id, shop.key(), amount))

    assert figures(taken) == (PaymentState.SUCCEEDED, amount.minor_units, (PRICE - amount).minor_units, 0)
    assert taken.hold_expires_at is None
    assert figures(again) == figures(late) == figures(taken)


async def test_a_hold_that_was_given_up_is_answered_as_it_is(shop: Shop) -> None:
    payment = await shop.held()
    assert figures(done(await shop.payments.cancel(payment.payment_id, shop.key())))[0] is PaymentState.CANCELLED

    lapsed = done(await shop.payments.capture(payment.payment_id, shop.key(), PRICE))

    assert (lapsed.state, lapsed.captured) == (PaymentState.CANCELLED, euros(0))


async def test_a_charge_that_never_came_is_forestalled(shop: Shop) -> None:
    key = shop.key()

    first = done(await shop.payments.forestall(ORDER_ID, PRICE, key))
    again = done(await shop.payments.forestall(ORDER_ID, PRICE, key))
    late = await shop.payments.charge(shop.charge())

    assert figures(first) == figures(again) == (PaymentState.CANCELLED, 0, 0, 0)
    assert isinstance(late, NotDone)
    assert late.reason.reason is Reason.ILLEGAL_STATE


@pytest.mark.parametrize(
    ("capture", "payment_method"), [(CaptureMode.ON_SHIPMENT, VISA), (CaptureMode.AT_PLACEMENT, NEEDS_ACTION)]
)
async def test_a_charge_whose_money_has_not_moved_is_given_up(
    shop: Shop, capture: CaptureMode, payment_method: str
) -> None:
    await shop.charged(capture, payment_method)

    given_up = done(await shop.payments.forestall(ORDER_ID, PRICE, shop.key()))

    assert (given_up.state, given_up.captured) == (PaymentState.CANCELLED, euros(0))


async def test_a_charge_whose_money_has_moved_is_told_when_it_is_forestalled(shop: Shop) -> None:
    payment = await shop.charged()

    told = done(await shop.payments.forestall(ORDER_ID, PRICE, shop.key()))

    assert (told.payment_id, figures(told)) == (payment.payment_id, (PaymentState.SUCCEEDED, 7075, 0, 0))


async def test_a_key_that_forestalled_one_order_forestalls_no_other(shop: Shop) -> None:
    key = shop.key()
    await shop.payments.forestall(ORDER_ID, PRICE, key)

    outcome = await shop.payments.forestall(ORDER_ID.replace("1", "2"), PRICE, key)

    assert isinstance(outcome, NotDone)
    assert outcome.reason.reason is Reason.REQUEST_ID_REUSED


async def test_parts_are_given_back_until_nothing_is_left(shop: Shop) -> None:
    payment, key = await shop.charged(), shop.key()

    first = await shop.refunded(payment, PART, key)
    again = await shop.refunded(payment, PART, key)
    rest = await shop.refunded(payment, None)
    more = await shop.payments.refund(payment.payment_id, shop.key(), euros(1))

    assert (first.refund.amount, figures(first.payment)) == (PART, (PaymentState.SUCCEEDED, 7075, 0, 3000))
    assert replace(again.refund, state=first.refund.state) == first.refund
    assert (rest.refund.amount, rest.payment.refunded) == (PRICE - PART, PRICE)
    assert {first.refund.state, rest.refund.state} == {RefundState.SUCCEEDED}
    assert isinstance(more, NotDone)
    assert more.reason.reason is Reason.REFUND_EXCEEDS_PAYMENT


async def test_more_than_is_left_is_not_given_back(shop: Shop) -> None:
    payment = await shop.held()
    taken = done(await shop.payments.capture(payment.payment_id, shop.key(), PART))

    outcome = await shop.payments.refund(taken.payment_id, shop.key(), PRICE)
    whole = await shop.refunded(taken, None)

    assert isinstance(outcome, NotDone)
    assert outcome.reason.reason is Reason.REFUND_EXCEEDS_PAYMENT
    assert (whole.refund.amount, figures(whole.payment)) == (PART, (PaymentState.SUCCEEDED, 3000, 4075, 3000))
