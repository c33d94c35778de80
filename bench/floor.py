"""The floor: the product's hops and provider calls with nothing around them.

Same RPCs (place; quote, charge, notify, commit), same five provider requests with constant bodies, three transactions
of raw SQL on SQLite with synchronous=FULL, the product's process settings. No validation, no tracing, no group commit,
no idempotency, no error handling: what an order cannot cost less than without leaving something out.
"""

import chassis.process  # isort: skip  (settings that grpc reads when it is imported)

import base64
import json
import sqlite3
import sys
import uuid
from collections.abc import Mapping

import aiohttp
import grpc
from ordermesh.notify.v1 import notify_service_pb2, notify_service_pb2_grpc
from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2, payment_service_pb2_grpc
from ordermesh.tax.v1 import tax_pb2, tax_service_pb2, tax_service_pb2_grpc
from ordermesh.type.v1 import money_pb2

from bench.config import HopConfig
from bench.hops import Context, charge_request, commit_request, mail_request, serve, tax_request

_SUBTOTAL = 5400


class Provider:
    """Requests to one provider over kept-alive connections."""

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        self._base_url = base_url
        self._headers = dict(headers)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        """Return the body of a successful answer."""
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        async with self._session.post(self._base_url + path, data=body, headers=headers) as answer:
            content = await answer.read()
            if answer.status >= 400:  # noqa: PLR2004  (HTTP's first error)
                raise SystemExit(f"{path} answered {answer.status}: {content[:500]!r}")
            return content


class Tax:
    """Quotes and commits on AvaTax."""

    def __init__(self, config: HopConfig) -> None:
        credentials = base64.b64encode(b"sandbox:sandbox").decode()
        self._avatax = Provider(
            f"http://{config.sandbox_address}/avatax",
            {"authorization": f"Basic {credentials}", "content-type": "application/json"},
        )

    async def quote(
        self, request: tax_service_pb2.QuoteTaxRequest, context: Context
    ) -> tax_service_pb2.QuoteTaxResponse:
        """Ask AvaTax for the tax."""
        tax = json.loads(await self._avatax.post("/api/v2/transactions/create", _sale("SalesOrder", "quote")))[
            "totalTax"
        ]
        amount = money_pb2.Money(currency_code="USD", minor_units=round(tax * 100))
        return tax_service_pb2.QuoteTaxResponse(quote=tax_pb2.TaxQuote(total_tax=amount))

    async def commit(
        self, request: tax_service_pb2.CommitTaxRequest, context: Context
    ) -> tax_service_pb2.CommitTaxResponse:
        """Record the sale at AvaTax."""
        await self._avatax.post("/api/v2/transactions/create", _sale("SalesInvoice", request.order_id))
        return tax_service_pb2.CommitTaxResponse()


class Payment:
    """Charges on Stripe, in the product's two steps."""

    def __init__(self, config: HopConfig) -> None:
        self._stripe = Provider(
            f"http://{config.sandbox_address}/stripe",
            {
                "authorization": "Bearer sk_test_sandbox",
                "stripe-version": "2026-10-28.endive",
                "content-type": "application/x-www-form-urlencoded",
            },
        )

    async def charge(
        self, request: payment_service_pb2.ChargePaymentRequest, context: Context
    ) -> payment_service_pb2.ChargePaymentResponse:
        """Create a PaymentIntent and confirm it."""
        create = (
            f"amount={request.amount.minor_units}&currency=usd&metadata[order_id]={request.order_id}"
            "&automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never"
        )
        made = await self._stripe.post("/v1/payment_intents", create.encode(), {"idempotency-key": request.request_id})
        intent: str = json.loads(made)["id"]
        await self._stripe.post(
            f"/v1/payment_intents/{intent}/confirm",
            f"payment_method={request.payment_method}".encode(),
            {"idempotency-key": f"{request.request_id}-confirm"},
        )
        payment = payment_pb2.Payment(provider_payment_id=intent, state=payment_pb2.PAYMENT_STATE_SUCCEEDED)
        return payment_service_pb2.ChargePaymentResponse(payment=payment)


class Notify:
    """Sends through SendGrid."""

    def __init__(self, config: HopConfig) -> None:
        self._sendgrid = Provider(
            f"http://{config.sandbox_address}/sendgrid",
            {"authorization": "Bearer SG.sandbox", "content-type": "application/json"},
        )

    async def send(
        self, request: notify_service_pb2.SendNotificationRequest, context: Context
    ) -> notify_service_pb2.SendNotificationResponse:
        """Send a mail."""
        mail = {
            "personalizations": [{"to": [{"email": request.recipient_email}]}],
            "from": {"email": "orders@shop.example"},
            "subject": "Your order",
            "content": [{"type": "text/plain", "value": "Thank you."}],
        }
        await self._sendgrid.post("/v3/mail/send", json.dumps(mail).encode())
        return notify_service_pb2.SendNotificationResponse()


class Order:
    """Calls the others one after the other, with one transaction of raw SQL after each step."""

    def __init__(self, config: HopConfig) -> None:
        tax, payment, notify = (
            grpc.aio.insecure_channel(address)
            for address in (config.tax_address, config.payment_address, config.notify_address)
        )
        self._tax = tax_service_pb2_grpc.TaxServiceStub(tax)
        self._payment = payment_service_pb2_grpc.PaymentServiceStub(payment)
        self._notify = notify_service_pb2_grpc.NotifyServiceStub(notify)
        config.data_dir.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(config.data_dir / "floor.db", isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("CREATE TABLE orders (id TEXT PRIMARY KEY, state TEXT, total INT, body BLOB)")

    async def place(
        self, request: order_service_pb2.PlaceOrderRequest, context: Context
    ) -> order_service_pb2.PlaceOrderResponse:
        """Store, tax, store, charge, store, notify, commit the tax."""
        order_id = str(uuid.uuid4())  # noqa: TID251  (the floor injects nothing)
        execute = self._database.execute
        execute("INSERT INTO orders VALUES (?, 'PENDING', NULL, ?)", (order_id, request.SerializeToString()))
        quoted = await self._tax.QuoteTax(tax_request(request))
        total = _SUBTOTAL + quoted.quote.total_tax.minor_units
        execute("UPDATE orders SET total = ? WHERE id = ?", (total, order_id))
        charged = await self._payment.ChargePayment(charge_request(request, order_id, total))
        execute("UPDATE orders SET state = 'PAID' WHERE id = ?", (order_id,))
        await self._notify.SendNotification(mail_request(request, order_id))
        await self._tax.CommitTax(commit_request(request, order_id))
        return order_service_pb2.PlaceOrderResponse(
            order=order_pb2.Order(
                order_id=order_id,
                state=order_pb2.ORDER_STATE_PAID,
                customer=request.customer,
                items=request.items,
                ship_to=request.ship_to,
                payment=order_pb2.OrderPayment(provider_payment_id=charged.payment.provider_payment_id),
            )
        )


def _sale(kind: str, code: str) -> bytes:
    """Return the example order as AvaTax is asked about it."""
    address = {"line1": "1201 3rd Ave", "city": "Seattle", "region": "WA", "postalCode": "98101", "country": "US"}
    sale = {
        "type": kind,
        "code": code,
        "companyCode": "DEFAULT",
        "date": "2026-11-23",
        "customerCode": "bench",
        "currencyCode": "USD",
        "commit": kind == "SalesInvoice",
        "addresses": {"singleLocation": address},
        "lines": [
            {"number": "1", "quantity": 2, "amount": 25.00, "itemCode": "MUG-1"},
            {"number": "2", "quantity": 1, "amount": 29.00, "itemCode": "TEE-L"},
        ],
    }
    return json.dumps(sale).encode()


async def main(part: str, config: HopConfig) -> None:
    """Serve one part until SIGTERM."""
    match part:
        case "tax":
            tax = Tax(config)
            await serve(
                config.tax_address,
                "ordermesh.tax.v1.TaxService",
                {
                    "QuoteTax": (tax.quote, tax_service_pb2.QuoteTaxRequest),
                    "CommitTax": (tax.commit, tax_service_pb2.CommitTaxRequest),
                },
            )
        case "payment":
            charge = (Payment(config).charge, payment_service_pb2.ChargePaymentRequest)
            await serve(config.payment_address, "ordermesh.payment.v1.PaymentService", {"ChargePayment": charge})
        case "notify":
            send = (Notify(config).send, notify_service_pb2.SendNotificationRequest)
            await serve(config.notify_address, "ordermesh.notify.v1.NotifyService", {"SendNotification": send})
        case "order":
            place = (Order(config).place, order_service_pb2.PlaceOrderRequest)
            await serve(config.order_address, "ordermesh.order.v1.OrderService", {"PlaceOrder": place})
        case _:
            raise SystemExit(f"{part} is none of tax, payment, notify, order")


if __name__ == "__main__":
    chassis.process.run(main(sys.argv[1], HopConfig.from_env()))
