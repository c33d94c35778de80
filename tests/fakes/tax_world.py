"""AvaTax's adapter against any HTTP server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.breaker import Breaker
from chassis.config import Secret
from chassis.http import create_client
from chassis.telemetry.metrics import Metrics
from kernel.clock import Clock
from tax_svc.adapters.avatax import AvaTax
from tax_svc.adapters.avatax_calls import BREAKER_FAILURES, BREAKER_FIRST_SECONDS, BREAKER_LONGEST_SECONDS, Account
from tests.fakes.manual_clock import ManualClock
from tests.fakes.telemetry_sink import recording_tracer

LICENSE_KEY = "license-key-1"


@asynccontextmanager
async def avatax_at(
    url: str, clock: Clock | None = None, *, company_code: str = "DEFAULT", quote_seconds: float = 3.0
) -> AsyncIterator[AvaTax]:
    """Yield the adapter, with the breaker that the service has, for a server at `url`."""
    clock = clock or ManualClock()
    tracer, _ = recording_tracer("tax")
    account = Account("2000000000", Secret(LICENSE_KEY), company_code)
    client = create_client(
        "avatax",
        url,
        tracer=tracer,
        metrics=Metrics("tax"),
        timeout_seconds=quote_seconds,
        max_connections=8,
        headers=account.headers(),
    )
    breaker = Breaker(
        clock,
        failures=BREAKER_FAILURES,
        first_seconds=BREAKER_FIRST_SECONDS,
        longest_seconds=BREAKER_LONGEST_SECONDS,
    )
    try:
        yield AvaTax(client, account, breaker, clock, quote_seconds=quote_seconds)
    finally:
        await client.aclose()
