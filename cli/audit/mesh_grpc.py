"""A running mesh as the audit sees it: the lists of its services page by page, and the commands that mend."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from ordermesh.notify.v1 import notification_pb2, notify_service_pb2, notify_service_pb2_grpc
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2, payment_service_pb2_grpc
from ordermesh.tax.v1 import tax_pb2, tax_service_pb2, tax_service_pb2_grpc

from cli.audit.rows import (
    ChargeRefundRow,
    ChargeRow,
    DocumentRow,
    MailRow,
    NotificationRow,
    OrderRow,
    PaymentRow,
    RefundRow,
    Row,
)
from cli.config import CliConfig
from cli.dial_grpc import CALL_SECONDS, Line, dialled
from kernel.errors import Reason, Refusal

Answer = TypeVar("Answer")
Batches = AsyncIterator[Sequence[Row]]

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
            yield [_charge(each) for each in page.payments]

    async def charge_refunds(self) -> Batches:
        """Yield Stripe's refunds."""
        request = payment_service_pb2.ListProviderRefundsRequest(page_size=_PROVIDER_PAGE)
        async for page in self._pages("payment", self._payment.ListProviderRefunds, request):
            yield [_charge_refund(each) for each in page.refunds]

    async def documents(self) -> Batches:
        """Yield AvaTax's documents."""
        request = tax_service_pb2.ListProviderDocumentsRequest(page_size=_PROVIDER_PAGE)
        async for page in self._pages("tax", self._tax.ListProviderDocuments, request):
            yield [_document(each) for each in page.documents]

    async def mails(self) -> Batches:
        """Yield SendGrid's mails.

        A mail to which something happens meanwhile moves to the head of the list, past a reader who is further down. So
        the head is read once more at the end, until it shows what was seen at the beginning.
        """
        request = notify_service_pb2.ListProviderMailsRequest(page_size=_PROVIDER_PAGE)
        head: int | None = None
        async for page in self._pages("notify", self._notify.ListProviderMails, request):
            rows = [_mail(each) for each in page.mails]
            head = rows[0].last_event if head is None and rows else head
            yield rows
        if head is None:
            return
        async for page in self._pages("notify", self._notify.ListProviderMails, request):
            rows = [_mail(each) for each in page.mails if _milliseconds(each.last_event_time) >= head]
            yield rows
            if len(rows) < len(page.mails):
                return

    async def payments(self) -> Batches:
        """Yield our payments, and after those of each page their refunds."""
        request = payment_service_pb2.ListPaymentsRequest(page_size=_OUR_PAGE)
        async for page in self._pages("payment", self._payment.ListPayments, request):
            yield [_payment(each) for each in page.payments]
            yield [_refund(payment.payment_id, each) for payment in page.payments for each in payment.refunds]

    async def notifications(self) -> Batches:
        """Yield our mails to customers."""
        request = notify_service_pb2.ListNotificationsRequest(page_size=_OUR_PAGE)
        async for page in self._pages("notify", self._notify.ListNotifications, request):
            yield [_notification(each) for each in page.notifications]

    async def orders(self) -> Batches:
        """Yield our orders."""
        request = order_service_pb2.ListOrdersRequest(page_size=_OUR_PAGE)
        async for page in self._pages("order", self._order.ListOrders, request):
            yield [_order(each) for each in page.orders]

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

    async def _pages(self, service: str, call: Callable[..., Awaitable[Answer]], request: Any) -> AsyncIterator[Answer]:  # noqa: ANN401  (any list request)
        tries, longest = _TRIES_OF_FIRST_PAGE, _LONGEST_WAIT_FOR_FIRST_PAGE
        while True:
            page: Any = await self._patiently(service, call, request, tries, longest)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
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
        lines = [await stack.enter_async_context(dialled(*place)) for place in places]
        yield AuditedMesh(*lines)


def _order(message: order_pb2.Order) -> OrderRow:
    return OrderRow(
        order_id=message.order_id,
        state=_word(order_pb2.OrderState, message.state),
        currency=message.subtotal.currency_code,
        subtotal=message.subtotal.minor_units,
        tax=message.tax.amount.minor_units if message.HasField("tax") else None,
        total=message.total.minor_units if message.HasField("total") else None,
        refunded=message.refunded.minor_units,
        tax_source=_word(tax_pb2.TaxSource, message.tax.source),
        document_code=message.tax.document_code,
        provider_payment_id=message.payment.provider_payment_id,
        needs_review=message.needs_review,
        version=message.version,
        updated=_milliseconds(message.update_time),
    )


def _payment(message: payment_pb2.Payment) -> PaymentRow:
    return PaymentRow(
        payment_id=message.payment_id,
        order_id=message.order_id,
        state=_word(payment_pb2.PaymentState, message.state),
        currency=message.amount.currency_code,
        amount=message.amount.minor_units,
        captured=message.captured.minor_units,
        refunded=message.refunded.minor_units,
        provider_payment_id=message.provider_payment_id,
        version=message.version,
        updated=_milliseconds(message.update_time),
    )


def _refund(payment_id: str, message: payment_pb2.Refund) -> RefundRow:
    return RefundRow(
        refund_id=message.refund_id,
        payment_id=payment_id,
        provider_refund_id=message.provider_refund_id,
        state=_word(payment_pb2.RefundState, message.state),
        amount=message.amount.minor_units,
    )


def _notification(message: notification_pb2.Notification) -> NotificationRow:
    return NotificationRow(
        notification_id=message.notification_id,
        order_id=message.order_id,
        kind=_word(notification_pb2.NotificationKind, message.kind),
        state=_word(notification_pb2.NotificationState, message.state),
        provider_message_id=message.provider_message_id,
        is_due=message.HasField("next_attempt_time"),
        created=_milliseconds(message.create_time),
        sent=_milliseconds(message.sent_time) if message.HasField("sent_time") else None,
    )


def _charge(message: payment_pb2.ProviderPayment) -> ChargeRow:
    return ChargeRow(
        provider_payment_id=message.provider_payment_id,
        payment_id=message.payment_id,
        order_id=message.order_id,
        state=_word(payment_pb2.PaymentState, message.state),
        currency=message.amount.currency_code,
        amount=message.amount.minor_units,
        captured=message.captured.minor_units,
        refunded=message.refunded.minor_units,
        created=_milliseconds(message.create_time),
    )


def _charge_refund(message: payment_pb2.ProviderRefund) -> ChargeRefundRow:
    return ChargeRefundRow(
        provider_refund_id=message.provider_refund_id,
        provider_payment_id=message.provider_payment_id,
        state=_word(payment_pb2.RefundState, message.state),
        currency=message.amount.currency_code,
        amount=message.amount.minor_units,
        created=_milliseconds(message.create_time),
    )


def _document(message: tax_pb2.ProviderTaxDocument) -> DocumentRow:
    return DocumentRow(
        code=message.code,
        kind=message.kind,
        status=message.status,
        currency=message.amount.currency_code,
        amount=message.amount.minor_units,
        tax=message.tax.minor_units,
    )


def _mail(message: notification_pb2.ProviderMail) -> MailRow:
    return MailRow(
        provider_message_id=message.provider_message_id,
        notification_id=message.notification_id,
        status=message.status,
        last_event=_milliseconds(message.last_event_time),
    )


def _word(enum: Any, value: int) -> str:  # noqa: ANN401  (any enum of the contract)
    """Return the name of a value without the enum's own: "PAID" for ORDER_STATE_PAID."""
    if value not in enum.values():
        return str(value)  # of a service that is newer than this command
    name: str = enum.Name(value)
    prefix = enum.Name(0).removesuffix("UNSPECIFIED")
    return name.removeprefix(prefix)


def _milliseconds(moment: Timestamp) -> int:
    return int(moment.seconds * 1000 + moment.nanos // 1_000_000)
