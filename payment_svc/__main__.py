"""The payment service, put together and run."""

import chassis.process  # noqa: F401  # isort: skip  (settings that grpc reads when it is imported)

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from ordermesh.payment.v1 import payment_service_pb2_grpc

from chassis import deadline
from chassis.admission import INNER_SECONDS, Admission
from chassis.breaker import Breaker
from chassis.http import HttpTransport
from chassis.provider_watch import ProviderWatch
from chassis.retry_budget import RetryBudget
from chassis.service import Tasks, run_alone
from chassis.standard import standard_server
from chassis.storage import migrations
from chassis.storage.running import running_store
from chassis.telemetry.setup import Telemetry
from chassis.trust.transport import Transport
from kernel.clock import Clock, SystemClock
from kernel.ids import Uuid7Ids
from payment_svc.adapters.background import Background
from payment_svc.adapters.payments_store import StoredPayments
from payment_svc.adapters.stripe_amounts import StripeAmounts
from payment_svc.adapters.stripe_books import StripeBooks
from payment_svc.adapters.stripe_calls import Access
from payment_svc.adapters.stripe_events import StripeEvents
from payment_svc.adapters.stripe_gateway import LONGEST_SECONDS, MOST_CONNECTIONS, StripeGateway
from payment_svc.adapters.stripe_line import BREAKER_FAILURES, BREAKER_FIRST_SECONDS, BREAKER_LONGEST_SECONDS
from payment_svc.adapters.tables import METADATA
from payment_svc.adapters.telling import TelemetryTelling
from payment_svc.app.cases import Ports, cases
from payment_svc.app.ports import PaymentGateway
from payment_svc.app.schedule import Schedule
from payment_svc.config import PaymentConfig
from payment_svc.servicer import PaymentServicer

MIGRATIONS = str(Path(__file__).with_name("migrations"))

# However long something has been open, it is looked at this often.
_LONGEST_WAIT = timedelta(hours=1)

# Charges and refunds in flight may finish when the service stops; what does not is resumed from the database.
_FINISH_SECONDS = 10.0


@asynccontextmanager
async def running(
    config: PaymentConfig, telemetry: Telemetry, gateway: PaymentGateway | None = None
) -> AsyncIterator[str]:
    """Run the service while the context is open; yields the address that it listens on.

    Args:
        config: The settings.
        telemetry: What it records with.
        gateway: Who moves the money; Stripe, as configured, unless another is given.
    """
    clock = SystemClock()
    ids = Uuid7Ids(clock)
    async with AsyncExitStack() as ending:
        await asyncio.to_thread(migrations.run, config.database_url.reveal(), MIGRATIONS)
        store = await ending.enter_async_context(
            running_store(config.database_url.reveal(), metadata=METADATA, observer=telemetry.metrics.batch_committed)
        )
        access = _stripe(config, telemetry, clock, ending)
        tasks = Tasks()
        ending.push_async_callback(tasks.close, _FINISH_SECONDS)

        payments = StoredPayments(store, clock)
        ports = Ports(
            gateway=gateway or StripeGateway(access),
            books=StripeBooks(access),
            amounts=StripeAmounts(),
            reader=StripeEvents(config.stripe_webhook_secrets, live=config.live),
            payments=payments,
            news=payments,
            events=payments,
            tasks=tasks,
            background=Background(tasks, telemetry.tracer),
            telling=TelemetryTelling(telemetry.metrics),
            retries=RetryBudget(MOST_CONNECTIONS),
            clock=clock,
            ids=ids,
            remaining=deadline.remaining,
        )
        does = cases(ports, Schedule(config.settle_after, _LONGEST_WAIT), config.resume_seconds)
        resuming = tasks.start(does.resume.run(), "resume")
        ending.callback(resuming.cancel)

        admission = Admission(config.limits, INNER_SECONDS, telemetry.metrics.admission_limit.set)
        transport = Transport(config.transport, telemetry.metrics)
        server = standard_server("payment", telemetry, ids, transport, admission, config.access, worker=config.worker)
        servicer = PaymentServicer(does, ProviderWatch("stripe", telemetry.metrics, clock))
        server.add(payment_service_pb2_grpc.add_PaymentServiceServicer_to_server, servicer)
        address = await server.start(config.address)
        ending.push_async_callback(server.stop)
        await server.serving(ready=True)
        yield address


def _stripe(config: PaymentConfig, telemetry: Telemetry, clock: Clock, ending: AsyncExitStack) -> Access:
    """Return the way to Stripe, over connections that are closed in the end."""
    transport = HttpTransport(
        "stripe",
        config.stripe_api_base,
        tracer=telemetry.tracer,
        metrics=telemetry.metrics,
        timeout_seconds=LONGEST_SECONDS,
        max_connections=MOST_CONNECTIONS,
    )
    ending.push_async_callback(transport.aclose)
    breaker = Breaker(
        clock,
        failures=BREAKER_FAILURES,
        first_seconds=BREAKER_FIRST_SECONDS,
        longest_seconds=BREAKER_LONGEST_SECONDS,
        tell=telemetry.metrics.provider_reachable("stripe"),
    )
    return Access(config.stripe_api_key, config.stripe_api_base, transport, breaker)


def main() -> None:
    """Run the service alone in this process, set up from the environment."""
    config = PaymentConfig.from_env(os.environ)  # noqa: TID251  (handed straight to config.py)
    run_alone("payment", config.data_dir, config.otlp_endpoint, config.metrics_address, partial(running, config))


if __name__ == "__main__":
    main()
