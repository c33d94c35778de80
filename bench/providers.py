"""The provider calls of an order alone, made by the product's own adapters: what of an order's CPU is not the mesh's.

Run in a process of its own, on the product's process settings: `python -m bench.providers SANDBOX ORDERS IN_FLIGHT`
prints the CPU seconds that the calls took.
"""

import chassis.process  # isort: skip  (settings that grpc reads when it is imported)

import asyncio
import os
import sys
import time
import uuid
from datetime import UTC, datetime

from chassis.breaker import Breaker
from chassis.config import Secret
from chassis.http import HttpTransport, create_client
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import Span, Tracer
from kernel.address import Address
from kernel.clock import SystemClock
from kernel.money import Money
from kernel.outcome import Done
from notify_svc.adapters import sendgrid
from notify_svc.adapters.letters import Letters
from notify_svc.domain.notification import Kind, Notification, OrderSummary, SummaryLine
from payment_svc.adapters.stripe_gateway import StripeGateway
from payment_svc.domain.intent import NewIntent
from tax_svc.adapters.avatax import Account, AvaTax
from tax_svc.domain import Basis, BasisLine

_CONNECTIONS = 64
_SECONDS = 10.0
_SENDER = "Ordermesh <orders@shop.example>"
_SEATTLE = Address("1201 3rd Ave", "", "Seattle", "WA", "98101", "US")


class _Nowhere:
    """Takes spans that nobody records."""

    def put(self, span: Span) -> None:
        """Forget the span."""


class Calls:
    """The five provider calls of an order."""

    def __init__(self, sandbox: str) -> None:
        clock = SystemClock()
        tracer = Tracer("bench", _Nowhere(), time.perf_counter_ns, lambda _: 1)
        metrics = Metrics("bench")

        def breaker() -> Breaker:
            return Breaker(clock, failures=3, first_seconds=1.0, longest_seconds=1.0)

        account = Account("sandbox", Secret("sandbox"), "DEFAULT")
        avatax = create_client(
            "avatax",
            f"http://{sandbox}/avatax",
            tracer=tracer,
            metrics=metrics,
            timeout_seconds=_SECONDS,
            max_connections=_CONNECTIONS,
            headers=account.headers(),
        )
        mail = create_client(
            "sendgrid",
            f"http://{sandbox}/sendgrid",
            tracer=tracer,
            metrics=metrics,
            timeout_seconds=_SECONDS,
            max_connections=_CONNECTIONS,
            headers=sendgrid.headers(Secret("SG.sandbox")),
        )
        line = HttpTransport(
            "stripe",
            f"http://{sandbox}/stripe",
            tracer=tracer,
            metrics=metrics,
            timeout_seconds=_SECONDS,
            max_connections=_CONNECTIONS,
        )
        self._taxes = AvaTax(avatax, account, breaker(), clock)
        self._stripe = StripeGateway(Secret("sk_test_sandbox"), f"http://{sandbox}/stripe", line)
        self._mails = sendgrid.SendGrid(mail, _SENDER, Letters(_SENDER), breaker(), clock)

    async def order(self) -> None:
        """Make them, one after the other, and check each answer."""
        order_id = str(uuid.uuid4())  # noqa: TID251  (a bench injects nothing)
        quoted = await self._taxes.quote(_basis())
        intent = await self._stripe.create_intent(
            NewIntent(order_id, order_id, Money("USD", 5751)), f"{order_id}:create"
        )
        assert isinstance(intent, Done), intent
        confirmed = await self._stripe.confirm_intent(intent.value.intent_id, "pm_card_visa", f"{order_id}:confirm")
        sent = await self._mails.send(_notification(order_id))
        recorded = await self._taxes.record(order_id, _basis())
        for answer in (quoted, confirmed, sent, recorded):
            assert isinstance(answer, Done), answer


def _basis() -> Basis:
    lines = (
        BasisLine("1", "MUG-1", "Mug", 2, Money("USD", 2500), ""),
        BasisLine("2", "TEE-L", "T-shirt", 1, Money("USD", 2900), ""),
    )
    return Basis("bench", "USD", lines, _SEATTLE)


def _notification(order_id: str) -> Notification:
    lines = (SummaryLine("Mug", 2, Money("USD", 2500)), SummaryLine("T-shirt", 1, Money("USD", 2900)))
    summary = OrderSummary(order_id, lines, Money("USD", 5400), Money("USD", 351), Money("USD", 5751), _SEATTLE)
    made = datetime(2026, 1, 1, tzinfo=UTC)
    return Notification(order_id, 1, Kind.ORDER_CONFIRMATION, "bench@shop.example", "Bench", summary, "", made)


async def _measured(sandbox: str, orders: int, in_flight: int) -> float:
    calls = Calls(sandbox)
    numbers = iter(range(orders))

    async def worker() -> None:
        for _ in numbers:
            await calls.order()

    # One order first: templates, classes and connections are made once in a process's life.
    await calls.order()
    began = time.process_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return time.process_time() - began


async def provider_cpu_seconds(sandbox: str, orders: int, in_flight: int) -> float:
    """Return the CPU seconds that the provider calls of so many orders take in a process of their own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.providers", sandbox, str(orders), str(in_flight)),
        env={"PATH": os.defpath},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise SystemExit("the provider calls alone failed; their message is above")
    return float(output)


if __name__ == "__main__":
    sys.stdout.write(str(chassis.process.run(_measured(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
