"""tax_svc, payment_svc and notify_svc as small real gRPC servers in front of the fakes of the order service's ports.

The translation is written anew here, so that the adapters are tested against something that is not theirs.
"""
# ruff: noqa: N802  (methods are called like their RPCs)

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from ordermesh.notify.v1 import notification_pb2, notify_service_pb2, notify_service_pb2_grpc
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2, payment_service_pb2_grpc
from ordermesh.tax.v1 import tax_pb2, tax_service_pb2, tax_service_pb2_grpc
from ordermesh.type.v1 import money_pb2

from chassis.errors import to_grpc_status
from kernel.address import Address
from kernel.clock import SystemClock
from kernel.errors import FieldViolation, Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import Charge
from order_svc.domain.draft import CaptureMode, Draft, Item, Terms
from order_svc.domain.order import State
from order_svc.domain.payment import Dispute, Payment, PaymentRefund
from order_svc.domain.refund import Refund, RefundKind
from order_svc.domain.shares import Share
from order_svc.domain.task import Task, TaskKind
from order_svc.domain.tax import Tax, TaxSource
from tests.fakes.order_faults import Faults
from tests.fakes.order_payments import FakePayments
from tests.fakes.order_ports import FakeMails, FakeTaxes
from tests.fakes.order_samples import NOW, a_draft, a_payment, a_tax, an_order

Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")


@dataclass
class Peers:
    """The three services on one port.

    Attributes:
        address: Where they listen.
        requests: Every request that came in, in order.
        metadata: The metadata of each.
        seconds_left: How long each caller still waited.
        answers: Sent instead of the true answer, by the name of the method.
    """

    taxes: FakeTaxes
    payments: FakePayments
    mails: FakeMails
    address: str = ""
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    seconds_left: list[float] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    server: Any = None
    _asked: defaultdict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    async def stop(self) -> None:
        """Stop serving, like a process that dies."""
        await self.server.stop(None)

    def faults_of(self, call: str) -> Faults:
        """Return the plan of faults of the service that answers the call of a port."""
        match call:
            case "quote" | "commit" | "refund_tax":
                return self.taxes.faults
            case "send" | "mail_news" | "acknowledge_mail":
                return self.mails.faults
            case _:
                return self.payments.faults

    async def until_asked(self, rpc: str) -> None:
        """Wait for the first call of an RPC."""
        await self._asked[rpc].wait()

    def of(self, kind: type[T]) -> list[T]:
        """Return the requests of one kind."""
        return [request for request in self.requests if isinstance(request, kind)]

    def note(self, request: Message, context: Context) -> None:
        self._asked[type(request).__name__.removesuffix("Request")].set()
        self.requests.append(request)
        self.metadata.append({key: str(value) for key, value in context.invocation_metadata() or ()})
        self.seconds_left.append(context.time_remaining() or 0.0)


@asynccontextmanager
async def running_peers() -> AsyncIterator[Peers]:
    """Serve all three on a free port."""
    peers = Peers(FakeTaxes(), FakePayments(SystemClock()), FakeMails())
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    tax_service_pb2_grpc.add_TaxServiceServicer_to_server(_Tax(peers), server)
    payment_service_pb2_grpc.add_PaymentServiceServicer_to_server(_Payment(peers), server)
    notify_service_pb2_grpc.add_NotifyServiceServicer_to_server(_Notify(peers), server)
    peers.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    peers.server = server
    await server.start()
    try:
        yield peers
    finally:
        await peers.stop()


async def _value(context: Context, outcome: Done[T] | NotDone[Refusal] | Unknown) -> T:
    """Return what was done, or end the call as our own servers do."""
    match outcome:
        case Done(value):
            return value
        case NotDone(refusal):
            await context.abort_with_status(to_grpc_status(refusal))
        case Unknown(cause):
            unknown = Refusal(Reason.UNAVAILABLE, cause, retry_after=0.2)
            await context.abort_with_status(to_grpc_status(unknown))
    raise AssertionError("abort_with_status raises")


# The generated bases answer UNIMPLEMENTED to what is not overridden, and are abstract in their stubs alone.
_TaxBase: Any = tax_service_pb2_grpc.TaxServiceServicer
_PaymentBase: Any = payment_service_pb2_grpc.PaymentServiceServicer
_NotifyBase: Any = notify_service_pb2_grpc.NotifyServiceServicer


class _Tax(_TaxBase):  # type: ignore[misc]  # see above
    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def QuoteTax(
        self, request: tax_service_pb2.QuoteTaxRequest, context: Context
    ) -> tax_service_pb2.QuoteTaxResponse:
        self._peers.note(request, context)
        outcome = await self._peers.taxes.quote(_draft(request.basis))
        if isinstance(outcome, NotDone):
            fields = tuple(FieldViolation(f"basis.{each.field}", each.description) for each in outcome.reason.fields)
            message = f"basis.{outcome.reason.message}" if fields else outcome.reason.message
            outcome = NotDone(Refusal(outcome.reason.reason, message, fields=fields))
        tax = await _value(context, outcome)
        response = tax_service_pb2.QuoteTaxResponse(quote=_quote(tax))
        answer: tax_service_pb2.QuoteTaxResponse = self._peers.answers.get("QuoteTax", response)
        return answer

    async def CommitTax(
        self, request: tax_service_pb2.CommitTaxRequest, context: Context
    ) -> tax_service_pb2.CommitTaxResponse:
        self._peers.note(request, context)
        assert request.request_id == f"{request.order_id}:commit"
        draft = _draft(request.basis)
        order = an_order(order_id=request.order_id, draft=draft, tax=a_tax(draft), state=State.PAID)
        recorded = await _value(context, await self._peers.taxes.commit(order))
        return tax_service_pb2.CommitTaxResponse(
            document=tax_pb2.TaxDocument(
                code=recorded.code,
                state=tax_pb2.TAX_DOCUMENT_STATE_COMMITTED,
                difference=_money(recorded.difference),
            )
        )

    async def RefundTax(
        self, request: tax_service_pb2.RefundTaxRequest, context: Context
    ) -> tax_service_pb2.RefundTaxResponse:
        self._peers.note(request, context)
        order_id, _, number = request.request_id.partition(":refund:")
        draft = _draft(request.basis)
        parts = tuple(Share(each.line_id, _amount(each.amount), _amount(each.tax)) for each in request.lines)
        amount = Money.total((part.gross for part in parts), draft.currency_code)
        refund = Refund(int(number), RefundKind.ASKED, parts, amount, NOW)
        order = an_order(order_id=order_id, draft=draft, tax=a_tax(draft), state=State.PAID)
        recorded = await _value(context, await self._peers.taxes.refund(order, refund))
        return tax_service_pb2.RefundTaxResponse(document=tax_pb2.TaxDocument(code=recorded.code))


class _Payment(_PaymentBase):  # type: ignore[misc]  # see above
    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def ChargePayment(
        self, request: payment_service_pb2.ChargePaymentRequest, context: Context
    ) -> payment_service_pb2.ChargePaymentResponse:
        self._peers.note(request, context)
        not_after = request.not_after.ToDatetime(tzinfo=UTC)
        held = request.capture_mode == payment_pb2.CAPTURE_MODE_ON_SHIPMENT
        terms = Terms(
            CaptureMode.ON_SHIPMENT if held else CaptureMode.AT_PLACEMENT,
            request.off_session,
            request.save_payment_method,
        )
        charge = Charge(
            request.request_id,
            request.order_id,
            _amount(request.amount),
            request.payment_method,
            not_after,
            terms,
            request.provider_customer_id,
        )
        payment = await _value(context, await self._peers.payments.charge(charge))
        response = payment_service_pb2.ChargePaymentResponse(payment=_payment(payment))
        answer: payment_service_pb2.ChargePaymentResponse = self._peers.answers.get("ChargePayment", response)
        return answer

    async def ConfirmPayment(
        self, request: payment_service_pb2.ConfirmPaymentRequest, context: Context
    ) -> payment_service_pb2.ConfirmPaymentResponse:
        self._peers.note(request, context)
        payment = await _value(context, await self._peers.payments.read(request.payment_id, request.request_id))
        return payment_service_pb2.ConfirmPaymentResponse(payment=_payment(payment))

    async def CancelPayment(
        self, request: payment_service_pb2.CancelPaymentRequest, context: Context
    ) -> payment_service_pb2.CancelPaymentResponse:
        self._peers.note(request, context)
        payments = self._peers.payments
        if request.payment_id:
            outcome = await payments.cancel(request.payment_id, request.request_id)
        else:
            outcome = await payments.forestall(request.order_id, _amount(request.amount), request.request_id)
        return payment_service_pb2.CancelPaymentResponse(payment=_payment(await _value(context, outcome)))

    async def CapturePayment(
        self, request: payment_service_pb2.CapturePaymentRequest, context: Context
    ) -> payment_service_pb2.CapturePaymentResponse:
        self._peers.note(request, context)
        outcome = await self._peers.payments.capture(request.payment_id, request.request_id, _amount(request.amount))
        return payment_service_pb2.CapturePaymentResponse(payment=_payment(await _value(context, outcome)))

    async def RefundPayment(
        self, request: payment_service_pb2.RefundPaymentRequest, context: Context
    ) -> payment_service_pb2.RefundPaymentResponse:
        self._peers.note(request, context)
        amount = _amount(request.amount) if request.HasField("amount") else None
        outcome = await self._peers.payments.refund(request.payment_id, request.request_id, amount)
        refunded = await _value(context, outcome)
        return payment_service_pb2.RefundPaymentResponse(
            refund=_refund(refunded.refund), payment=_payment(refunded.payment)
        )

    async def ListPaymentNews(
        self, request: payment_service_pb2.ListPaymentNewsRequest, context: Context
    ) -> payment_service_pb2.ListPaymentNewsResponse:
        page = await _value(context, await self._peers.payments.news(request.page_token))
        answer = payment_service_pb2.ListPaymentNewsResponse()
        answer.MergeFrom(self._peers.answers.get("ListPaymentNews", answer))
        answer.payments.extend(_payment(each.payment, each.order_id) for each in page.items)
        answer.next_page_token = page.after
        return answer

    async def AcknowledgePaymentNews(
        self, request: payment_service_pb2.AcknowledgePaymentNewsRequest, context: Context
    ) -> payment_service_pb2.AcknowledgePaymentNewsResponse:
        self._peers.note(request, context)
        assert request.request_id == f"{request.payment_id}:news:{request.version}"
        known = a_payment(Money.zero("EUR"), payment_id=request.payment_id, version=request.version)
        await _value(context, await self._peers.payments.acknowledge(known))
        return payment_service_pb2.AcknowledgePaymentNewsResponse()


class _Notify(_NotifyBase):  # type: ignore[misc]  # see above
    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def SendNotification(
        self, request: notify_service_pb2.SendNotificationRequest, context: Context
    ) -> notify_service_pb2.SendNotificationResponse:
        self._peers.note(request, context)
        order_id, _, name = request.request_id.partition(":")
        assert order_id == request.order.order_id
        kind, _, number = name.replace("confirmation", TaskKind.SEND_CONFIRMATION.value, 1).partition(":")
        task = Task(order_id, TaskKind(kind), number=int(number or 0))
        order = an_order(order_id=order_id, state=State.PAID)
        notification_id = await _value(context, await self._peers.mails.send(order, task))
        response = notify_service_pb2.SendNotificationResponse()
        response.notification.notification_id = notification_id
        return response

    async def ListNotificationNews(
        self, request: notify_service_pb2.ListNotificationNewsRequest, context: Context
    ) -> notify_service_pb2.ListNotificationNewsResponse:
        page = await _value(context, await self._peers.mails.news(request.page_token))
        answer = notify_service_pb2.ListNotificationNewsResponse()
        answer.MergeFrom(self._peers.answers.get("ListNotificationNews", answer))
        answer.next_page_token = page.after
        for each in page.items:
            answer.notifications.add(
                order_id=each.order_id,
                notification_id=each.notification_id,
                version=each.version,
                kind=notification_pb2.NotificationKind.Value(f"NOTIFICATION_KIND_{each.kind.upper()}"),
                state=notification_pb2.NotificationState.Value(f"NOTIFICATION_STATE_{each.state.upper()}"),
                last_error=each.cause,
            )
        return answer

    async def AcknowledgeNotificationNews(
        self, request: notify_service_pb2.AcknowledgeNotificationNewsRequest, context: Context
    ) -> notify_service_pb2.AcknowledgeNotificationNewsResponse:
        self._peers.note(request, context)
        for news in list(self._peers.mails.unheard):
            if (news.notification_id, news.version) == (request.notification_id, request.version):
                await _value(context, await self._peers.mails.acknowledge(news))
        return notify_service_pb2.AcknowledgeNotificationNewsResponse()


def _draft(basis: tax_pb2.TaxBasis) -> Draft:
    to = basis.ship_to
    items = tuple(
        Item(line.sku, line.description, 1, Money(line.amount.currency_code, line.amount.minor_units), line.tax_code)
        for line in basis.lines
    )
    address = Address(to.line1, to.line2, to.locality, to.administrative_area, to.postal_code, to.region_code)
    return a_draft(items=items, ship_to=address, prices_include_tax=basis.prices_include_tax)


def _quote(tax: Tax) -> tax_pb2.TaxQuote:
    avatax = tax.source is TaxSource.AVATAX
    quote = tax_pb2.TaxQuote(
        total_tax=_money(tax.amount), source=tax_pb2.TAX_SOURCE_AVATAX if avatax else tax_pb2.TAX_SOURCE_FALLBACK
    )
    for line in tax.lines:
        added = quote.lines.add(line_id=line.line_id, tax=_money(line.tax))
        for each in line.jurisdictions:
            added.jurisdictions.add(name=each.name, kind=each.kind, rate=each.rate, tax=_money(each.tax))
    return quote


def _payment(payment: Payment, order_id: str = "") -> payment_pb2.Payment:
    message = payment_pb2.Payment(
        payment_id=payment.payment_id,
        order_id=order_id,
        version=payment.version,
        state=payment_pb2.PaymentState.Value(f"PAYMENT_STATE_{payment.state.value}"),
        amount=_money(payment.amount),
        captured=_money(payment.captured),
        refunded=_money(payment.refunded),
        provider_payment_id=payment.provider_payment_id,
        client_secret=payment.client_secret,
        refunds=[_refund(each) for each in payment.refunds],
    )
    if payment.hold_expires_at is not None:
        message.hold_expire_time.FromDatetime(payment.hold_expires_at)
    for each in payment.disputes:
        message.disputes.append(_dispute(each))
    if payment.decline_code:
        message.decline.code = "card_declined"
        message.decline.decline_code = payment.decline_code
        message.decline.message = payment.decline_message
    return message


def _refund(refund: PaymentRefund) -> payment_pb2.Refund:
    return payment_pb2.Refund(
        refund_id=refund.refund_id,
        provider_refund_id=refund.provider_refund_id,
        state=payment_pb2.RefundState.Value(f"REFUND_STATE_{refund.state.value}"),
        amount=_money(refund.amount),
        request_id="" if refund.by_hand else "asked",
        failure_reason=refund.failure_reason,
    )


def _dispute(dispute: Dispute) -> payment_pb2.Dispute:
    message = payment_pb2.Dispute(
        provider_dispute_id=dispute.provider_dispute_id,
        state=payment_pb2.DisputeState.Value(f"DISPUTE_STATE_{dispute.state}"),
        amount=_money(dispute.amount),
        reason=dispute.reason,
    )
    message.create_time.FromDatetime(dispute.opened_at)
    if dispute.evidence_due_at is not None:
        message.evidence_due_time.FromDatetime(dispute.evidence_due_at)
    return message


def _amount(message: money_pb2.Money) -> Money:
    return Money(message.currency_code, message.minor_units)


def _money(money: Money) -> money_pb2.Money:
    return money_pb2.Money(currency_code=money.currency_code, minor_units=money.minor_units)
