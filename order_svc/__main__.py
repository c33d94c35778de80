"""The order service, put together and run."""

import chassis.process  # noqa: F401  # isort: skip  (settings that grpc reads when it is imported)

import asyncio
import os
import random
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from ordermesh.notify.v1 import notify_service_pb2, notify_service_pb2_grpc
from ordermesh.order.v1 import order_service_pb2_grpc
from ordermesh.payment.v1 import payment_service_pb2, payment_service_pb2_grpc
from ordermesh.tax.v1 import tax_service_pb2, tax_service_pb2_grpc
from ordermesh.webhook.v1 import webhook_service_pb2_grpc

from chassis.admission import OUTER_SECONDS, Admission
from chassis.channel import Channel
from chassis.service import Tasks, run_alone
from chassis.standard import standard_server
from chassis.storage import migrations
from chassis.storage.running import running_store
from chassis.telemetry.setup import Telemetry
from chassis.trust.transport import Transport
from kernel.bell import Bell
from kernel.clock import SystemClock
from kernel.ids import Uuid7Ids
from order_svc.adapters.measured import MeasuredByMetrics
from order_svc.adapters.notify_grpc import GrpcMails
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.payment_grpc import GrpcPayments
from order_svc.adapters.tables import METADATA
from order_svc.adapters.tax_grpc import GrpcTaxes
from order_svc.adapters.telling import TelemetryTelling
from order_svc.app.cases import cases
from order_svc.app.changes import Changes
from order_svc.app.driver import Driver
from order_svc.app.mail_news import MailNewsWatcher
from order_svc.app.news import NewsWatcher
from order_svc.app.outbox import Outbox
from order_svc.app.sweeper import FirstTry, Sweeper
from order_svc.config import OrderConfig
from order_svc.domain.webhook_reach import Reach
from order_svc.servicer import OrderServicer
from order_svc.webhooks import Webhooks

MIGRATIONS = str(Path(__file__).with_name("migrations"))

_TAX = tax_service_pb2.DESCRIPTOR.services_by_name["TaxService"]
_PAYMENT = payment_service_pb2.DESCRIPTOR.services_by_name["PaymentService"]
_NOTIFY = notify_service_pb2.DESCRIPTOR.services_by_name["NotifyService"]

# Orders in flight may finish their step when the service stops; what does not is resumed from the database.
_FINISH_SECONDS = 10.0


@asynccontextmanager
async def running(config: OrderConfig, telemetry: Telemetry) -> AsyncIterator[str]:
    """Run the service while the context is open; yields the address that it listens on."""
    clock = SystemClock()
    ids = Uuid7Ids(clock)
    async with AsyncExitStack() as ending:
        await asyncio.to_thread(migrations.run, config.database_url.reveal(), MIGRATIONS)
        store = await ending.enter_async_context(
            running_store(config.database_url.reveal(), metadata=METADATA, observer=telemetry.metrics.batch_committed)
        )
        admission = Admission(config.limits, OUTER_SECONDS, telemetry.metrics.admission_limit.set)
        telemetry.metrics.customer_time.set(config.action_seconds)
        transport = Transport(config.transport, telemetry.metrics)
        taxes, payments, mails = _peers(config, telemetry, transport, ending, admission)

        work = Tasks()
        spread = random.Random().random  # noqa: S311  (spreads retries; nothing secret)
        replica, life = _replica(config.address, config.worker), ids.new()
        webhooks = Webhooks(
            store,
            clock,
            ids,
            replica,
            life,
            work,
            telemetry,
            spread,
            secrets.token_bytes,
            Reach(config.webhook_networks),
        )
        ending.push_async_callback(webhooks.aclose)
        ending.push_async_callback(work.close, _FINISH_SECONDS)
        changes = Changes()
        bell = Bell(clock)
        telling = TelemetryTelling(telemetry, clock)
        orders = OrdersStore(store, clock, replica, life, webhooks.announce)
        outbox = Outbox(orders, taxes, mails, clock, telling, spread)
        driver = Driver(
            orders,
            taxes,
            payments,
            clock,
            changes,
            telling,
            FirstTry(outbox, work),
            spread,
            lease_seconds=config.lease_seconds,
            action_seconds=config.action_seconds,
        )
        asked = cases(
            orders,
            taxes,
            driver,
            work,
            changes,
            telling,
            clock,
            ids,
            bell.ring,
            MeasuredByMetrics(telemetry.metrics, clock),
            lease_seconds=config.lease_seconds,
            velocity=config.velocity,
        )
        sweeper = Sweeper(orders, driver, outbox, work, bell, clock, telling, lease_seconds=config.lease_seconds)
        news = NewsWatcher(orders, payments, changes, telling, clock, spread, bell.ring)
        mail_news = MailNewsWatcher(orders, mails, changes, telling, clock, spread)
        servicer = OrderServicer(asked, patience_seconds=config.patience_seconds)

        server = standard_server("order", telemetry, ids, transport, admission, config.access, worker=config.worker)
        server.add(order_service_pb2_grpc.add_OrderServiceServicer_to_server, servicer)
        server.add(webhook_service_pb2_grpc.add_WebhookServiceServicer_to_server, webhooks.servicer)
        await webhooks.prepare()
        # Listening first: whoever holds the address is the one living replica of that name, so its earlier leases are
        # void. Where processes share it, their supervisor holds it and gives each number to one of them at a time.
        address = await server.start(config.address)
        ending.push_async_callback(server.stop)
        await orders.release_own()
        await webhooks.take_over()
        for name, background in (
            ("sweeper", sweeper.run()),
            ("news watcher", news.run()),
            ("webhook sender", webhooks.run()),
            ("mail news watcher", mail_news.run()),
        ):
            ending.callback(work.start(background, name).cancel)
        await server.serving(ready=True)
        yield address


def _peers(
    config: OrderConfig,
    telemetry: Telemetry,
    transport: Transport,
    ending: AsyncExitStack,
    admission: Admission,
) -> tuple[GrpcTaxes, GrpcPayments, GrpcMails]:
    """Return the services that this one calls, over a channel each that is closed in the end."""

    def channel(
        address: str, service: ServiceDescriptor, name: str, pressure: Admission | None = None
    ) -> grpc.aio.Channel:
        connect = transport.to(name)
        made = Channel(
            address,
            services=[service],
            tracer=telemetry.tracer,
            metrics=telemetry.metrics,
            connect=connect,
            pressure=pressure,
        )
        ending.push_async_callback(made.close)
        return made.for_stub

    return (
        GrpcTaxes(tax_service_pb2_grpc.TaxServiceStub(channel(config.tax_address, _TAX, "tax", admission))),
        GrpcPayments(
            payment_service_pb2_grpc.PaymentServiceStub(channel(config.payment_address, _PAYMENT, "payment", admission))
        ),
        # Mails may wait: they are no reason to refuse orders.
        GrpcMails(notify_service_pb2_grpc.NotifyServiceStub(channel(config.notify_address, _NOTIFY, "notify"))),
    )


def _replica(address: str, worker: int) -> str:
    """Return what tells this replica from all others that live, and is the same when it starts again."""
    # A port that the system chooses is no name: other replicas have asked for 0 as well.
    place = f"{address}/{os.getpid()}" if address.endswith(":0") else address
    place = f"{place}/worker {worker}" if worker else place
    return f"{socket.gethostname()}/{place}"


def main() -> None:
    """Run the service alone in this process, set up from the environment."""
    config = OrderConfig.from_env(os.environ)  # noqa: TID251  (handed straight to config.py)
    run_alone("order", config.data_dir, config.otlp_endpoint, config.metrics_address, partial(running, config))


if __name__ == "__main__":
    main()
