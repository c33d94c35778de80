"""The payment provider of a test: the fake, or Stripe's adapter before a running sandbox, under the same handles."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from chassis.breaker import Breaker
from chassis.config import Secret
from chassis.http import HttpTransport
from chassis.telemetry.metrics import Metrics
from kernel.clock import Clock, SystemClock
from payment_svc.adapters.stripe_books import StripeBooks
from payment_svc.adapters.stripe_calls import Access
from payment_svc.adapters.stripe_gateway import LONGEST_SECONDS, MOST_CONNECTIONS, StripeGateway
from payment_svc.adapters.stripe_line import BREAKER_FAILURES, BREAKER_FIRST_SECONDS, BREAKER_LONGEST_SECONDS
from payment_svc.app.books import ProviderBooks
from payment_svc.app.ports import PaymentGateway
from payment_svc.domain.dispute import DisputeState
from tests.fakes.payment_books import FakeBooks
from tests.fakes.payment_gateway import FakeGateway, Fault
from tests.fakes.sandbox_world import STRIPE_KEY, World, sandbox_world
from tests.fakes.telemetry_sink import recording_tracer

_OPERATIONS = {
    "create": "payment_intents.create",
    "confirm": "payment_intents.confirm",
    "read": "payment_intents.retrieve",
    "capture": "payment_intents.capture",
    "cancel": "payment_intents.cancel",
    "refund": "refunds.create",
    "find": "refunds.list",
    "disputes": "disputes.list",
    "list_payments": "payment_intents.list",
    "list_refunds": "refunds.list",
}

_DISPUTE_STATUS = {
    DisputeState.INQUIRY: "warning_needs_response",
    DisputeState.NEEDS_RESPONSE: "needs_response",
    DisputeState.UNDER_REVIEW: "under_review",
    DisputeState.WON: "won",
    DisputeState.LOST: "lost",
    DisputeState.CLOSED: "warning_closed",
}

_LATE_MS = 20

_FAULTS: dict[Fault, dict[str, object]] = {
    Fault.NOT_SENT: {"mode": "outage"},
    Fault.LOST_ANSWER: {"mode": "lost_answer"},
    Fault.LATE: {"mode": "late_execution", "delay_ms": _LATE_MS},
    Fault.ERROR: {"mode": "error", "status": 500},
    Fault.ERROR_EXECUTED: {"mode": "error", "status": 500, "executed": True},
    Fault.GATEWAY_ERROR: {"mode": "error", "status": 503},
    Fault.BUSY: {"mode": "error", "status": 429},
}


def stripe_access(url: str, transport: HttpTransport, clock: Clock | None = None) -> Access:
    """Return the way to a Stripe at this address, with the product's breaker."""
    breaker = Breaker(
        clock or SystemClock(),
        failures=BREAKER_FAILURES,
        first_seconds=BREAKER_FIRST_SECONDS,
        longest_seconds=BREAKER_LONGEST_SECONDS,
    )
    return Access(Secret("sk_test_1"), url, transport, breaker)


class Provider(Protocol):
    """What a test can do to a provider."""

    @property
    def gateway(self) -> PaymentGateway:
        """The port."""
        ...

    @property
    def books(self) -> ProviderBooks:
        """The port."""
        ...

    async def fail(self, operation: str, fault: Fault) -> None:
        """Let the next call of an operation go wrong."""
        ...

    async def catch_up(self, intent_id: str) -> None:
        """Return once what is late with the intent has been done."""
        ...

    async def authenticate(self, intent_id: str, *, success: bool) -> None:
        """Let the customer finish 3-D Secure."""
        ...

    async def lapse(self, intent_id: str) -> None:
        """Let a hold run out."""
        ...

    async def refund_by_hand(self, intent_id: str, minor_units: int) -> None:
        """Have somebody give money back in the dashboard."""
        ...

    async def dispute(self, intent_id: str, state: DisputeState) -> None:
        """Let the customer's bank ask the money back, or go on with that."""
        ...

    async def new_customer(self) -> str:
        """Return the id of a new saved customer."""
        ...


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self.gateway = FakeGateway()
        self.books = FakeBooks(self.gateway)

    async def fail(self, operation: str, fault: Fault) -> None:
        self.gateway.fail(operation, fault)

    async def catch_up(self, intent_id: str) -> None:
        self.gateway.catch_up()

    async def authenticate(self, intent_id: str, *, success: bool) -> None:
        self.gateway.authenticate(intent_id, success=success)

    async def lapse(self, intent_id: str) -> None:
        self.gateway.lapse(intent_id)

    async def refund_by_hand(self, intent_id: str, minor_units: int) -> None:
        self.gateway.refund_by_hand(intent_id, minor_units)

    async def dispute(self, intent_id: str, state: DisputeState) -> None:
        self.gateway.dispute(intent_id, state)

    async def new_customer(self) -> str:
        return "cus_1"


class OverHttp:
    """Stripe's adapter, on the sandbox."""

    def __init__(self, world: World, transport: HttpTransport) -> None:
        access = stripe_access(f"{world.url}/stripe", transport)
        self.gateway = StripeGateway(access)
        self.books = StripeBooks(access)
        self.world = world

    async def fail(self, operation: str, fault: Fault) -> None:
        answer = await self.world.fault("stripe", operation=_OPERATIONS[operation], times=1, **_FAULTS[fault])
        answer.raise_for_status()

    async def catch_up(self, intent_id: str) -> None:
        path = f"/stripe/v1/payment_intents/{intent_id}"
        while (await self.world.http.get(path, headers=STRIPE_KEY)).json()["status"] == "requires_payment_method":  # noqa: ASYNC110  (another server has no event to wait for)
            await asyncio.sleep(_LATE_MS / 1000)

    async def authenticate(self, intent_id: str, *, success: bool) -> None:
        await self._pull(intent_id, "authenticate", {"outcome": "succeed" if success else "fail"})

    async def lapse(self, intent_id: str) -> None:
        await self._pull(intent_id, "lapse", {})

    async def refund_by_hand(self, intent_id: str, minor_units: int) -> None:
        await self._post("/stripe/v1/refunds", data={"payment_intent": intent_id, "amount": str(minor_units)})

    async def dispute(self, intent_id: str, state: DisputeState) -> None:
        await self._pull(intent_id, "dispute", {"status": _DISPUTE_STATUS[state]})

    async def new_customer(self) -> str:
        return str((await self._post("/stripe/v1/customers", data={"name": "Ada"}))["id"])

    async def _pull(self, intent_id: str, lever: str, body: dict[str, str]) -> None:
        await self._post(f"/stripe/_sandbox/payment_intents/{intent_id}/{lever}", json=body)

    async def _post(self, path: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401  (whatever httpx takes)
        answer = await self.world.http.post(path, headers=STRIPE_KEY, **body)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document


@asynccontextmanager
async def over_http(data_dir: Path) -> AsyncIterator[OverHttp]:
    """Run a sandbox and an adapter before it for as long as the context is open."""
    tracer, _ = recording_tracer("payment")
    async with sandbox_world(data_dir) as world:
        transport = HttpTransport(
            "stripe",
            world.url,
            tracer=tracer,
            metrics=Metrics("payment"),
            timeout_seconds=LONGEST_SECONDS,
            max_connections=MOST_CONNECTIONS,
        )
        try:
            yield OverHttp(world, transport)
        finally:
            await transport.aclose()
