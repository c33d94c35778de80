"""AvaTax's adapter against any HTTP server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.breaker import Breaker
from chassis.config import Secret
from chassis.http import create_client
from chassis.telemetry.metrics import Metrics
from kernel.clock import Clock
from kernel.outcome import Done
from tax_svc.adapters.avatax import AvaTax
from tax_svc.adapters.avatax_calls import BREAKER_FAILURES, BREAKER_FIRST_SECONDS, BREAKER_LONGEST_SECONDS, Account
from tax_svc.app.ports import TaxAuthority
from tax_svc.domain.document import RecordedDocument
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


async def listed(authority: TaxAuthority, size: int) -> list[RecordedDocument]:
    """Return all that it recorded, read in pages."""
    found: list[RecordedDocument] = []
    while True:
        outcome = await authority.list_recorded(len(found), size)
        assert isinstance(outcome, Done)
        assert len(outcome.value.documents) <= size
        found += outcome.value.documents
        if not outcome.value.has_more:
            return found
