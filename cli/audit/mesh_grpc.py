"""A running mesh as the audit sees it: the lists of its services page by page, and the commands that mend."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from ordermesh.notify.v1 import notify_service_pb2, notify_service_pb2_grpc
from ordermesh.order.v1 import order_service_pb2, order_service_pb2_grpc
from ordermesh.payment.v1 import payment_service_pb2, payment_service_pb2_grpc
from ordermesh.tax.v1 import tax_service_pb2, tax_service_pb2_grpc

from cli.audit import rows_grpc
from cli.audit.collect import Batches
from cli.config import CliConfig
from cli.dial_grpc import CALL_SECONDS, Line, dialled
from kernel.errors import Reason, Refusal

Answer = TypeVar("Answer")

# The most that our own lists, and those of the providers, hand out at once.
_OUR_PAGE = 200
_PROVIDER_PAGE = 100

# A page that cannot be had is asked for again, since an audit of a large shop should not end at one hiccup: after what
# the other side asks for, else longer each time. The first page only once more, and soon: a person waits to hear of it.
_MOST_TRIES = 6
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 60.0
_TRIES_OF_FIRST_PAGE = 2
_LONGEST_WAIT_FOR_FIRST_PAGE = 1.5  # a service leaves a provider that failed alone for a second
_PASSING = frozenset({Reason.UNAVAILABLE, Reason.OVERLOADED, Reason.DEADLINE_EXCEEDED})


class AuditedMesh:
    """The services, each over one channel.

    All methods raise:
        Refusal: It was refused, or nobody answered (UNAVAILABLE, DEADLINE_EXCEEDED).
    """

    def __init__(self, order: Line, tax: Line, payment: Line, notify: Line) -> None:
        self._lines = {"order": order, "tax": tax, "payment": payment, "notify": notify}
        self._order = order_service_pb2_grpc.OrderServiceStub(order.channel.for_stub)
        self._tax = tax_service_pb2_grpc.TaxServiceStub(tax.channel.for_stub)
        self._payment = payment_service_pb2_grpc.PaymentServiceStub(payment.channel.for_stub)
        self._notify = notify_service_pb2_grpc.NotifyServiceStub(notify.channel.for_stub)

    async def charges(self) -> Batches:
        """Yield Stripe's PaymentIntents."""
        request = payment_service_pb2.ListProviderPaymentsRequest(page_size=_PROVIDER_PAGE)
        async for page in self._pages("payment", self._payment.ListProviderPayments, request):
            yield [rows_grpc.charge_row(each) for each in page.payments]

    async def charge_refunds(self) -> Batches:
        """Yield Stripe's refunds."""
        request = payment_service_pb2.ListProviderRefundsRequest(page_size=_PROVIDER_PAGE)
        async for page in self._pages("payment", self._payment.ListProviderRefunds, request):
            yield [rows_grpc.charge_refund_row(each) for each in page.refunds]

    async def documents(self) -> Batches:
        """Yield AvaTax's documents."""
        request = tax_service_pb2.ListProviderDocumentsRequest(page_size=_PROVIDER_PAGE)
        async for page in self._pages("tax", self._tax.ListProviderDocuments, request):
            yield [rows_grpc.document_row(each) for each in page.documents]

    async def mails(self) -> Batches:
        """Yield SendGrid's mails.

        A mail to which something happens meanwhile moves to the head of the list, past a reader who is further down. So
        the head is read once more at the end, until it shows what was seen at the beginning.
        """
        request = notify_service_pb2.ListProviderMailsRequest(page_size=_PROVIDER_PAGE)
        head: int | None = None
        async for page in self._pages("notify", self._notify.ListProviderMails, request):
            rows = [rows_grpc.mail_row(each) for each in page.mails]
            head = rows[0].last_event if head is None and rows else head
            yield rows
        if head is None:
            return
        async for page in self._pages("notify", self._notify.ListProviderMails, request):
            rows = [rows_grpc.mail_row(each) for each in page.mails]
            yield rows
            if not rows or rows[-1].last_event < head:
                return

    async def payments(self) -> Batches:
        """Yield our payments, and after those of each page their refunds and their disputes."""
        request = payment_service_pb2.ListPaymentsRequest(page_size=_OUR_PAGE)
        async for page in self._pages("payment", self._payment.ListPayments, request):
            yield [rows_grpc.payment_row(each) for each in page.payments]
            yield [
                rows_grpc.refund_row(payment.payment_id, each) for payment in page.payments for each in payment.refunds
            ]
            yield [rows_grpc.dispute_row(payment, each) for payment in page.payments for each in payment.disputes]

    async def notifications(self) -> Batches:
        """Yield our mails to customers."""
        request = notify_service_pb2.ListNotificationsRequest(page_size=_OUR_PAGE)
        async for page in self._pages("notify", self._notify.ListNotifications, request):
            yield [rows_grpc.notification_row(each) for each in page.notifications]

    async def orders(self) -> Batches:
        """Yield our orders, and after those of each page their refunds."""
        request = order_service_pb2.ListOrdersRequest(page_size=_OUR_PAGE)
        async for page in self._pages("order", self._order.ListOrders, request):
            yield [rows_grpc.order_row(each) for each in page.orders]
            yield [rows_grpc.order_refund_row(order.order_id, each) for order in page.orders for each in order.refunds]

    async def confirm_payment(self, payment_id: str, key: str) -> None:
        """Have a payment read afresh from Stripe."""
        request = payment_service_pb2.ConfirmPaymentRequest(request_id=key, payment_id=payment_id)
        await self._call("payment", self._payment.ConfirmPayment, request)

    async def release_charge(self, provider_payment_id: str, key: str) -> None:
        """Have a charge given up that is no payment of ours."""
        request = payment_service_pb2.ReleaseProviderPaymentRequest(
            request_id=key, provider_payment_id=provider_payment_id
        )
        await self._call("payment", self._payment.ReleaseProviderPayment, request)

    async def retry_order(self, order_id: str, key: str) -> None:
        """Have an order taken up again."""
        request = order_service_pb2.RetryOrderRequest(request_id=key, order_id=order_id)
        await self._call("order", self._order.RetryOrder, request)

    async def void_tax(self, order_id: str, key: str) -> None:
        """Have the document of an order voided that was never paid."""
        request = tax_service_pb2.VoidTaxRequest(request_id=key, order_id=order_id)
        await self._call("tax", self._tax.VoidTax, request)

    async def _pages(self, service: str, call: Callable[..., Awaitable[Answer]], request: Any) -> AsyncIterator[Answer]:  # noqa: ANN401  (any list request)
        asked = type(request)()
        asked.CopyFrom(request)
        tries, longest = _TRIES_OF_FIRST_PAGE, _LONGEST_WAIT_FOR_FIRST_PAGE
        while True:
            page: Any = await self._patiently(service, call, asked, tries, longest)
            yield page
            if not page.next_page_token:
                return
            asked.page_token = page.next_page_token
            tries, longest = _MOST_TRIES, _LONGEST_WAIT_SECONDS

    async def _patiently(
        self, service: str, call: Callable[..., Awaitable[Answer]], request: object, tries: int, longest: float
    ) -> Answer:
        wait = _FIRST_WAIT_SECONDS
        while True:
            tries -= 1
            try:
                return await self._call(service, call, request)
            except Refusal as refusal:
                if tries <= 0 or refusal.reason not in _PASSING:
                    raise
                await asyncio.sleep(min(max(wait, refusal.retry_after or 0.0), longest))
                wait *= 2

    async def _call(self, service: str, call: Callable[..., Awaitable[Answer]], request: object) -> Answer:
        with self._lines[service].refusals():
            return await call(request, timeout=CALL_SECONDS)


@asynccontextmanager
async def audited_mesh(config: CliConfig) -> AsyncIterator[AuditedMesh]:
    """Open a channel to each service and close them again."""
    places = (
        (config.order_address, "ORDER_ADDR", order_service_pb2.DESCRIPTOR.services_by_name["OrderService"]),
        (config.tax_address, "TAX_ADDR", tax_service_pb2.DESCRIPTOR.services_by_name["TaxService"]),
        (config.payment_address, "PAYMENT_ADDR", payment_service_pb2.DESCRIPTOR.services_by_name["PaymentService"]),
        (config.notify_address, "NOTIFY_ADDR", notify_service_pb2.DESCRIPTOR.services_by_name["NotifyService"]),
    )
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(dialled(*place, config)) for place in places]
        yield AuditedMesh(*lines)
