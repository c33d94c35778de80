"""Four empty hops as grpc.aio ships them: asyncio's own loop, default options, no layers, no storage, no providers.

order answers after it has called tax, payment and notify, one after the other, as a naive order service would.
"""

import asyncio
import sys

import grpc
from ordermesh.notify.v1 import notify_service_pb2, notify_service_pb2_grpc
from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.payment.v1 import payment_service_pb2, payment_service_pb2_grpc
from ordermesh.tax.v1 import tax_service_pb2, tax_service_pb2_grpc

from bench.config import HopConfig
from bench.hops import ORDER_ID, Context, charge_request, mail_request, serve, tax_request


async def quote_tax(_request: tax_service_pb2.QuoteTaxRequest, _context: Context) -> tax_service_pb2.QuoteTaxResponse:
    """Answer with nothing."""
    return tax_service_pb2.QuoteTaxResponse()


async def charge_payment(
    _request: payment_service_pb2.ChargePaymentRequest, _context: Context
) -> payment_service_pb2.ChargePaymentResponse:
    """Answer with nothing."""
    return payment_service_pb2.ChargePaymentResponse()


async def send_notification(
    _request: notify_service_pb2.SendNotificationRequest, _context: Context
) -> notify_service_pb2.SendNotificationResponse:
    """Answer with nothing."""
    return notify_service_pb2.SendNotificationResponse()


class Order:
    """Calls the three others and answers with what it was asked."""

    def __init__(self, config: HopConfig) -> None:
        tax, payment, notify = (
            grpc.aio.insecure_channel(address)
            for address in (config.tax_address, config.payment_address, config.notify_address)
        )
        self._tax = tax_service_pb2_grpc.TaxServiceStub(tax)
        self._payment = payment_service_pb2_grpc.PaymentServiceStub(payment)
        self._notify = notify_service_pb2_grpc.NotifyServiceStub(notify)

    async def place(
        self, request: order_service_pb2.PlaceOrderRequest, context: Context
    ) -> order_service_pb2.PlaceOrderResponse:
        """Make the three calls."""
        await self._tax.QuoteTax(tax_request(request))
        await self._payment.ChargePayment(charge_request(request, ORDER_ID, 1))
        await self._notify.SendNotification(mail_request(request, ORDER_ID))
        return order_service_pb2.PlaceOrderResponse(
            order=order_pb2.Order(
                order_id=ORDER_ID,
                state=order_pb2.ORDER_STATE_PAID,
                customer=request.customer,
                items=request.items,
                ship_to=request.ship_to,
            )
        )


async def main(part: str, config: HopConfig) -> None:
    """Serve one part until SIGTERM."""
    match part:
        case "tax":
            hops = {"QuoteTax": (quote_tax, tax_service_pb2.QuoteTaxRequest)}
            await serve(config.tax_address, "ordermesh.tax.v1.TaxService", hops)
        case "payment":
            await serve(
                config.payment_address,
                "ordermesh.payment.v1.PaymentService",
                {"ChargePayment": (charge_payment, payment_service_pb2.ChargePaymentRequest)},
            )
        case "notify":
            await serve(
                config.notify_address,
                "ordermesh.notify.v1.NotifyService",
                {"SendNotification": (send_notification, notify_service_pb2.SendNotificationRequest)},
            )
        case "order":
            hop = (Order(config).place, order_service_pb2.PlaceOrderRequest)
            await serve(config.order_address, "ordermesh.order.v1.OrderService", {"PlaceOrder": hop})
        case _:
            raise SystemExit(f"{part} is none of tax, payment, notify, order")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], HopConfig.from_env()))
