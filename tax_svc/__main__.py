"""The tax service, put together and run."""

import chassis.process  # noqa: F401  # isort: skip  (settings that grpc reads when it is imported)

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from ordermesh.tax.v1 import tax_service_pb2_grpc

from chassis.admission import INNER_SECONDS, Admission
from chassis.breaker import Breaker
from chassis.http import create_client
from chassis.provider_watch import ProviderWatch
from chassis.service import run_alone
from chassis.standard import standard_server
from chassis.storage import migrations
from chassis.storage.running import running_store
from chassis.telemetry.setup import Telemetry
from chassis.trust.transport import Transport
from kernel.clock import Clock, SystemClock
from kernel.ids import Uuid7Ids
from tax_svc.adapters.avatax import AvaTax
from tax_svc.adapters.avatax_calls import (
    BREAKER_FAILURES,
    BREAKER_FIRST_SECONDS,
    BREAKER_LONGEST_SECONDS,
    MOST_CONNECTIONS,
    QUOTE_SECONDS,
    Account,
)
from tax_svc.adapters.documents import StoredDocuments
from tax_svc.adapters.tables import METADATA
from tax_svc.app.cases import cases
from tax_svc.app.ports import TaxAuthority
from tax_svc.config import TaxConfig
from tax_svc.domain.fallback import FallbackRates
from tax_svc.servicer import TaxServicer

MIGRATIONS = str(Path(__file__).with_name("migrations"))


@asynccontextmanager
async def running(config: TaxConfig, telemetry: Telemetry, authority: TaxAuthority | None = None) -> AsyncIterator[str]:
    """Run the service while the context is open; yields the address that it listens on.

    Args:
        config: The settings.
        telemetry: What it records with.
        authority: Who is asked for taxes; AvaTax, as configured, unless another is given.
    """
    clock = SystemClock()
    ids = Uuid7Ids(clock)
    async with AsyncExitStack() as ending:
        await asyncio.to_thread(migrations.run, config.database_url.reveal(), MIGRATIONS)
        store = await ending.enter_async_context(
            running_store(config.database_url.reveal(), metadata=METADATA, observer=telemetry.metrics.batch_committed)
        )
        authority = authority or _avatax(config, telemetry, clock, ending)
        fallback = FallbackRates(config.fallback_rate, config.fallback_rates, config.fallback_policy)
        does = cases(authority, StoredDocuments(store, clock), clock, fallback, config.quote_cache_seconds)
        servicer = TaxServicer(does, ProviderWatch("avatax", telemetry.metrics, clock))

        admission = Admission(config.limits, INNER_SECONDS, telemetry.metrics.admission_limit.set)
        transport = Transport(config.transport, telemetry.metrics)
        server = standard_server("tax", telemetry, ids, transport, admission, config.access, worker=config.worker)
        server.add(tax_service_pb2_grpc.add_TaxServiceServicer_to_server, servicer)
        address = await server.start(config.address)
        ending.push_async_callback(server.stop)
        await server.serving(ready=True)
        yield address


def _avatax(config: TaxConfig, telemetry: Telemetry, clock: Clock, ending: AsyncExitStack) -> AvaTax:
    """Return the way to AvaTax, over connections that are closed in the end."""
    account = Account(config.avatax_account_id, config.avatax_license_key, config.avatax_company_code, config.ship_from)
    client = create_client(
        "avatax",
        config.avatax_url,
        tracer=telemetry.tracer,
        metrics=telemetry.metrics,
        timeout_seconds=QUOTE_SECONDS,
        max_connections=MOST_CONNECTIONS,
        headers=account.headers(),
    )
    ending.push_async_callback(client.aclose)
    breaker = Breaker(
        clock,
        failures=BREAKER_FAILURES,
        first_seconds=BREAKER_FIRST_SECONDS,
        longest_seconds=BREAKER_LONGEST_SECONDS,
        tell=telemetry.metrics.provider_reachable("avatax"),
    )
    return AvaTax(client, account, breaker, clock)


def main() -> None:
    """Run the service alone in this process, set up from the environment."""
    config = TaxConfig.from_env(os.environ)  # noqa: TID251  (handed straight to config.py)
    run_alone("tax", config.data_dir, config.otlp_endpoint, config.metrics_address, partial(running, config))


if __name__ == "__main__":
    main()
