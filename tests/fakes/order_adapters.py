"""The order service's adapters to the others, in front of real servers on fakes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ordermesh.notify.v1 import notify_service_pb2, notify_service_pb2_grpc
from ordermesh.payment.v1 import payment_service_pb2, payment_service_pb2_grpc
from ordermesh.tax.v1 import tax_service_pb2, tax_service_pb2_grpc

from chassis.channel import Channel
from chassis.telemetry.metrics import Metrics
from order_svc.adapters.notify_grpc import GrpcMails
from order_svc.adapters.payment_grpc import GrpcPayments
from order_svc.adapters.tax_grpc import GrpcTaxes
from order_svc.app.ports import Mails, Payments, Taxes
from tests.fakes.order_peers import Peers, running_peers
from tests.fakes.telemetry_sink import recording_tracer


@dataclass
class Ports:
    """The three ports, and the world behind them."""

    taxes: Taxes
    payments: Payments
    mails: Mails
    world: Peers


@asynccontextmanager
async def adapters() -> AsyncIterator[Ports]:
    """Make the adapters of the order service, in front of real servers."""
    tracer, _ = recording_tracer()
    services = [
        tax_service_pb2.DESCRIPTOR.services_by_name["TaxService"],
        payment_service_pb2.DESCRIPTOR.services_by_name["PaymentService"],
        notify_service_pb2.DESCRIPTOR.services_by_name["NotifyService"],
    ]
    async with running_peers() as world:
        channel = Channel(world.address, services=services, tracer=tracer, metrics=Metrics("order"))
        try:
            yield Ports(
                GrpcTaxes(tax_service_pb2_grpc.TaxServiceStub(channel.for_stub)),
                GrpcPayments(payment_service_pb2_grpc.PaymentServiceStub(channel.for_stub)),
                GrpcMails(notify_service_pb2_grpc.NotifyServiceStub(channel.for_stub)),
                world,
            )
        finally:
            await channel.close()
