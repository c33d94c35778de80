"""What the floor and the stock hops share: the messages that travel, and a server with nothing around its handlers."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from operator import methodcaller
from typing import Any

import grpc
from google.protobuf.message import Message
from ordermesh.notify.v1 import notification_pb2, notify_service_pb2
from ordermesh.order.v1 import order_service_pb2
from ordermesh.payment.v1 import payment_service_pb2
from ordermesh.tax.v1 import tax_pb2, tax_service_pb2
from ordermesh.type.v1 import money_pb2

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Awaitable[Message]]
Hop = tuple[Handler, type[Message]]

ORDER_ID = "019354a0-0000-7000-8000-000000000000"


async def serve(address: str, service: str, hops: Mapping[str, Hop]) -> None:
    """Serve until SIGTERM, with grpc.aio's default options."""
    server = grpc.aio.server()
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            handler,
            request_deserializer=request.FromString,
            response_serializer=methodcaller("SerializeToString"),
        )
        for name, (handler, request) in hops.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port(address)
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop(None)


def tax_request(order: order_service_pb2.PlaceOrderRequest) -> tax_service_pb2.QuoteTaxRequest:
    """Return what tax_svc is asked about an order."""
    return tax_service_pb2.QuoteTaxRequest(basis=_basis(order))


def commit_request(order: order_service_pb2.PlaceOrderRequest, order_id: str) -> tax_service_pb2.CommitTaxRequest:
    """Return what tax_svc is told about a paid order."""
    return tax_service_pb2.CommitTaxRequest(request_id=order_id, order_id=order_id, basis=_basis(order))


def charge_request(
    order: order_service_pb2.PlaceOrderRequest, order_id: str, minor_units: int
) -> payment_service_pb2.ChargePaymentRequest:
    """Return what payment_svc is asked for."""
    amount = money_pb2.Money(currency_code="USD", minor_units=minor_units)
    return payment_service_pb2.ChargePaymentRequest(
        request_id=order_id, order_id=order_id, amount=amount, payment_method=order.payment_method
    )


def mail_request(
    order: order_service_pb2.PlaceOrderRequest, order_id: str
) -> notify_service_pb2.SendNotificationRequest:
    """Return what notify_svc is told about a paid order."""
    lines = [
        notification_pb2.OrderSummaryLine(description=item.description, quantity=item.quantity, amount=item.unit_price)
        for item in order.items
    ]
    return notify_service_pb2.SendNotificationRequest(
        request_id=order_id,
        kind=notification_pb2.NOTIFICATION_KIND_ORDER_CONFIRMATION,
        recipient_email=order.customer.email,
        recipient_name=order.customer.name,
        order=notification_pb2.OrderSummary(order_id=order_id, lines=lines, ship_to=order.ship_to),
    )


def _basis(order: order_service_pb2.PlaceOrderRequest) -> tax_pb2.TaxBasis:
    return tax_pb2.TaxBasis(
        customer_id=order.customer.customer_id,
        currency_code="USD",
        lines=[
            tax_pb2.TaxBasisLine(
                line_id=str(number),
                sku=item.sku,
                description=item.description,
                quantity=item.quantity,
                amount=money_pb2.Money(currency_code="USD", minor_units=item.quantity * item.unit_price.minor_units),
            )
            for number, item in enumerate(order.items, start=1)
        ],
        ship_to=order.ship_to,
    )
