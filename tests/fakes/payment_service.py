"""The payment service's use cases on a database and a provider that outlive them, as often as a test restarts it."""

import asyncio
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import stripe

from chassis.config import Secret
from chassis.retry_budget import RetryBudget
from chassis.service import Tasks
from chassis.storage.store import Store, open_store
from kernel.money import Money
from payment_svc.adapters.background import Background
from payment_svc.adapters.payments_store import StoredPayments
from payment_svc.adapters.stripe_amounts import StripeAmounts
from payment_svc.adapters.stripe_events import StripeEvents
from payment_svc.adapters.tables import METADATA
from payment_svc.app.books import ProviderBooks
from payment_svc.app.capture import Capture
from payment_svc.app.cases import Cases, Ports, cases
from payment_svc.app.charge import Charge
from payment_svc.app.events import EventEnd
from payment_svc.app.give_back import RefundOrder
from payment_svc.app.ports import PaymentGateway, Request
from payment_svc.app.refund import Refunded
from payment_svc.app.schedule import Schedule
from payment_svc.domain.payment import Payment
from tests.fakes.payment_books import FakeBooks
from tests.fakes.payment_gateway import VISA, FakeGateway
from tests.fakes.telemetry_sink import recording_tracer

SETTLE_AFTER = timedelta(seconds=30)

_WEBHOOK_SECRET = "whsec_test"

# More than any test uses up; what happens without is a matter of its own.
_MOST_RETRIES = 1_000

ORDER = "0199a0b0-0000-7000-8000-000000000001"
"""The order that is charged, unless a test says otherwise."""


ORDER_AMOUNT = Money("EUR", 1099)
"""What it is about."""


class Killed(BaseException):
    """The process ends here."""


class Mortality:
    """Kills the process at the n-th place where it touches the outside, counted from 1.

    Attributes:
        places: What was touched so far, "before …" and "after …".
    """

    def __init__(self, at: int | None = None) -> None:
        self.places: list[str] = []
        self._at = at

    def place(self, name: str) -> None:
        self.places.append(name)
        if len(self.places) == self._at:
            raise Killed(name)

    def around(self, port: object) -> Any:  # noqa: ANN401  (whatever port it is given)
        """Return the port with a place before and after each of its calls."""
        return _Mortal(port, self)


class _Mortal:
    def __init__(self, port: object, mortality: Mortality) -> None:
        self._port = port
        self._mortality = mortality

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        async def call(*arguments: object, **named: object) -> object:
            self._mortality.place(f"before {name}")
            result: object = await method(*arguments, **named)
            self._mortality.place(f"after {name}")
            return result

        return call


class SkippingClock:
    """Time that passes only while somebody sleeps, and then at once."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)
        await asyncio.sleep(0)


class FakeTelling:
    """Keeps what it is told.

    Attributes:
        ends: What each event came to.
        disputes: How many are open.
    """

    def __init__(self) -> None:
        self.ends: list[EventEnd] = []
        self.disputes = 0

    def event(self, end: EventEnd) -> None:
        self.ends.append(end)

    def open_disputes(self, count: int) -> None:
        self.disputes = count


class CountingIds:
    """Ids that count up."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def new(self) -> str:
        return str(uuid.UUID(int=next(self._numbers)))


@dataclass(slots=True)
class PaymentWorld:
    """What outlives the service, and the service that runs now.

    Attributes:
        gateway: The provider.
        payments: The database.
        clock: Time.
        does: The use cases of the running process.
        telling: What operators hear.
        retries: What may be repeated.
        patience: Seconds that callers wait.
    """

    gateway: FakeGateway
    payments: StoredPayments
    clock: SkippingClock
    ids: CountingIds
    tasks: Tasks
    does: Cases
    telling: FakeTelling = field(default_factory=FakeTelling)
    retries: RetryBudget = field(default_factory=lambda: RetryBudget(_MOST_RETRIES))
    patience: float = 10.0
    order_id: str = ORDER

    def begin_anew(self) -> None:
        """Take up an order that nobody has heard of, with a provider that has seen nothing."""
        self.order_id = str(uuid.uuid5(uuid.NAMESPACE_OID, self.ids.new()))
        self.gateway = FakeGateway()

    def restart(self, mortality: Mortality | None = None) -> None:
        """Begin a new process; it remembers nothing but what is in the database."""
        gateway: PaymentGateway = self.gateway
        books: ProviderBooks = FakeBooks(self.gateway)
        payments = self.payments
        if mortality is not None:
            gateway = cast("PaymentGateway", mortality.around(gateway))
            books = cast("ProviderBooks", mortality.around(books))
            payments = cast("StoredPayments", mortality.around(payments))
        self.does = _cases(self, gateway, books, payments)

    async def charge(self, request_id: str = "r1", **changes: object) -> Payment:
        """Charge the order."""
        charge = replace(Charge(self.order_id, Money("EUR", 1099), VISA, None), **changes)  # type: ignore[arg-type]  # its fields
        said = f"{charge.order_id} {charge.amount} {charge.payment_method}"
        return await self.does.charge(charge, Request("local", "ChargePayment", request_id, said))

    async def refund(self, payment: Payment, minor_units: int | None = None, request_id: str = "f1") -> Refunded:
        """Give money back."""
        amount = None if minor_units is None else Money(payment.amount.currency_code, minor_units)
        order = RefundOrder(payment.payment_id, amount)
        request = Request("local", "RefundPayment", request_id, f"{payment.payment_id} {amount}")
        return await self.does.refund(order, request)

    async def confirm(self, payment: Payment, request_id: str = "c1") -> Payment:
        """Bring a payment up to date."""
        return await self.does.confirm(
            payment.payment_id, Request("local", "ConfirmPayment", request_id, payment.payment_id)
        )

    async def cancel(self, payment: Payment, request_id: str = "x1") -> Payment:
        """Give a payment up."""
        return await self.does.cancel(
            payment.payment_id, Request("local", "CancelPayment", request_id, payment.payment_id)
        )

    async def cancel_order(self, request_id: str = "x1", amount: Money | None = ORDER_AMOUNT) -> Payment:
        """Give the order's payment up, whether there is one or not."""
        request = Request("local", "CancelPayment", request_id, f"{self.order_id} {amount}")
        return await self.does.cancel.of_order(self.order_id, amount, request)

    async def capture(self, payment: Payment, minor_units: int | None = None, request_id: str = "k1") -> Payment:
        """Take what is held."""
        amount = None if minor_units is None else Money(payment.amount.currency_code, minor_units)
        request = Request("local", "CapturePayment", request_id, f"{payment.payment_id} {amount}")
        return await self.does.capture(Capture(payment.payment_id, amount), request)

    async def ingest(self, kind: str, intent_id: str) -> None:
        """Take in a webhook about an intent, genuine and of this moment."""
        about = {"id": intent_id, "object": "payment_intent"}
        event = {"id": f"evt_{self.ids.new()}", "object": "event", "type": kind, "data": {"object": about}}
        payload = json.dumps(event)
        now = int(self.clock.now().timestamp())
        signature = stripe.WebhookSignature.generate_signature_header(payload, _WEBHOOK_SECRET, now)
        await self.does.ingest(payload.encode(), signature)

    async def kept(self) -> Payment | None:
        """Return the order's payment as it is in the database."""
        payments = await self.payments.page(self.order_id, None, 2)
        assert len(payments) <= 1
        return payments[0] if payments else None


def _cases(world: PaymentWorld, gateway: PaymentGateway, books: ProviderBooks, payments: StoredPayments) -> Cases:
    ports = Ports(
        gateway=gateway,
        books=books,
        amounts=StripeAmounts(),
        reader=StripeEvents([Secret(_WEBHOOK_SECRET)], live=False),
        payments=payments,
        news=payments,
        events=payments,
        tasks=world.tasks,
        background=Background(world.tasks, recording_tracer("payment")[0]),
        telling=world.telling,
        retries=world.retries,
        clock=world.clock,
        ids=world.ids,
        remaining=lambda at_most: min(at_most, world.patience),
    )
    return cases(ports, Schedule(SETTLE_AFTER, timedelta(hours=1)), resume_seconds=5.0)


@asynccontextmanager
async def payment_world(database_url: str) -> AsyncIterator[PaymentWorld]:
    """Open the database and start the service for as long as the context is open."""
    store: Store = await open_store(database_url, metadata=METADATA)
    await store.transact(METADATA.create_all)
    clock, tasks = SkippingClock(), Tasks()
    world = PaymentWorld(FakeGateway(), StoredPayments(store, clock), clock, CountingIds(), tasks, cast("Cases", None))
    world.restart()
    try:
        yield world
    finally:
        await tasks.close(5.0)
        await store.close()
