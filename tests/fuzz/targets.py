"""Parsers that take bytes from outside, as functions of bytes: whatever they raise but a refusal is a finding."""

import hashlib
import hmac
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from google.protobuf import message_factory
from google.protobuf.message import DecodeError, Message
from ordermesh.order.v1 import order_service_pb2
from ordermesh.payment.v1 import payment_service_pb2
from ordermesh.tax.v1 import tax_pb2

import notify_svc.wire
import order_svc.list_wire
import order_svc.request_wire
import order_svc.webhook_wire
import payment_svc.wire
import tax_svc.wire
from chassis.cards import holds_card_number
from chassis.config import Secret
from chassis.redaction import redact
from chassis.serving.validation import ValidationLayer
from gateway import contract, routes
from gateway.bind import Binder, Incoming
from gateway.json_text import parse_object
from gateway.read_json import MessageReaders
from gateway.wrong import Wrong
from kernel.errors import Refusal
from kernel.money import Money, UnknownCurrency, exponent
from notify_svc.adapters.sendgrid_events import SendgridEvents, public_key
from order_svc.domain.webhook_reach import Reach
from payment_svc.adapters.stripe_events import StripeEvents
from tests.fakes.manual_clock import ManualClock
from tests.fakes.notify_signing import SendgridKey
from tests.fuzz import answers
from tests.fuzz.credentials import credentials
from tests.fuzz.credentials import seeds as credentials_seeds
from tests.fuzz.raw import methods

_SECRET = b"whsec_fuzz"
_KEY = SendgridKey()
_CLOCK = ManualClock()
_NOW = _CLOCK.now()
_AT = int(_NOW.timestamp())
_STRIPE = StripeEvents([Secret(_SECRET.decode())], live=False)
_SENDGRID = SendgridEvents(public_key(_KEY.public), _CLOCK)
_VALIDATION = ValidationLayer()
_READERS = MessageReaders()
_METHODS = methods()
_ROUTES = routes.RouteTable(routes.routes(contract.load()))
_BINDERS = {route.name: Binder(route, _READERS) for route in _ROUTES.routes}
_HIDDEN = (
    "sk_live_4eC39HqLyjWD",
    "whsec_5WbX5kEWLlfz",
    "4242424242424242",
    "SG.ngeVfQFYQlKU.TwL2iGAB",
    "omk_3pQvW8xZr1Tb",
)

# What each request becomes of the domain, where it is more than a field or two.
_FROM_WIRE: dict[str, tuple[Callable[[Any], object], ...]] = {
    "PlaceOrderRequest": (order_svc.request_wire.draft_from_wire, order_svc.request_wire.terms_from_wire),
    "QuoteOrderRequest": (order_svc.request_wire.draft_from_wire,),
    "ShipOrderRequest": (order_svc.request_wire.handover_from_wire,),
    "RefundOrderRequest": (order_svc.request_wire.wanted_from_wire,),
    "DeliverOrderRequest": (order_svc.request_wire.shipment_from_wire,),
    "ListOrdersRequest": (order_svc.list_wire.filter_from_wire, order_svc.list_wire.page_token_from_wire),
    "ChargePaymentRequest": (payment_svc.wire.charge_from_wire,),
    "CapturePaymentRequest": (payment_svc.wire.capture_from_wire,),
    "CancelPaymentRequest": (payment_svc.wire.cancel_amount_from_wire,),
    "RefundPaymentRequest": (payment_svc.wire.refund_from_wire,),
    "ListPaymentsRequest": (lambda each: payment_svc.wire.page_token_from_wire(each.page_token),),
    "ListPaymentNewsRequest": (lambda each: payment_svc.wire.page_token_from_wire(each.page_token),),
    "ListProviderPaymentsRequest": (lambda each: payment_svc.wire.cursor_from_wire(each.page_token),),
    "QuoteTaxRequest": (lambda each: tax_svc.wire.basis_from_wire(each.basis),),
    "CommitTaxRequest": (lambda each: tax_svc.wire.basis_from_wire(each.basis),),
    "RefundTaxRequest": (lambda each: tax_svc.wire.giveback_from_wire(each, "fuzz"),),
    "ListTaxDocumentsRequest": (tax_svc.wire.listed_from_wire,),
    "ListProviderDocumentsRequest": (lambda each: tax_svc.wire.skip_from_wire(each.page_token),),
    "SendNotificationRequest": (
        lambda each: notify_svc.wire.details_from_wire(each, notify_svc.wire.summary_from_wire(each.order)),
    ),
    "ListNotificationsRequest": (notify_svc.wire.page_token_from_wire,),
    "ListNotificationNewsRequest": (lambda each: notify_svc.wire.news_place_from_wire(each.page_token),),
    "ListProviderMailsRequest": (lambda each: notify_svc.wire.feed_place_from_wire(each.page_token),),
    "UpdateWebhookEndpointRequest": (lambda each: order_svc.webhook_wire.change_from_wire(each, Reach()),),
}


def stripe_webhook(data: bytes) -> None:
    """Any signature on any body, and any body rightly signed."""
    signature = hmac.new(_SECRET, b"%d.%s" % (_AT, data), hashlib.sha256).hexdigest()
    for payload, signed in ((data[9:], data[:9].decode("latin-1")), (data, f"t={_AT},v1={signature}")):
        _refusing(_STRIPE.read, payload, signed, _NOW)


def sendgrid_webhook(data: bytes) -> None:
    """The same of SendGrid's."""
    _refusing(_SENDGRID.open, data[9:], data[:9].decode("latin-1"), str(_AT))
    _refusing(_SENDGRID.open, data, _KEY.sign(str(_AT), data), str(_AT))


def wire(data: bytes) -> None:
    """Any bytes as any request: parsed, validated, and made into the domain's words."""
    method = _METHODS[(data or b"\0")[0] % len(_METHODS)]
    make: Any = message_factory.GetMessageClass(method.input_type)
    try:
        message: Message = make.FromString(data[1:])
    except DecodeError:
        return
    _to_domain(message)


def rest_json(data: bytes) -> None:
    """Any text as the body of any request."""
    method = _METHODS[(data or b"\0")[0] % len(_METHODS)]
    try:
        message = _READERS.read(method.input_type, parse_object(data[1:]))
    except (Refusal, Wrong):
        return
    _to_domain(message)


def rest_request(data: bytes) -> None:
    """Any path, query and headers, a line each, and any body behind them, of each route that the path leads to."""
    path, query, key, tag, event, body = [*data.split(b"\n", 5), b"", b"", b"", b"", b""][:6]
    match = _ROUTES.match(path.decode("latin-1"))
    for route in match.routes.values():
        incoming = Incoming(
            segments=match.segments,
            query=query.decode("latin-1"),
            keys=[key.decode("latin-1")] if key else [],
            body=body,
            if_match=[tag.decode("latin-1")] if tag else [],
            last_event_ids=[event.decode("latin-1")] if event else [],
        )
        try:
            message = _BINDERS[route.name].bind(incoming)
        except Refusal:
            continue
        _to_domain(message)


def money(data: bytes) -> None:
    """Any decimal as an amount: it is rounded by half a minor unit at the most, and once."""
    text = data.decode("latin-1")
    code = ("EUR", "JPY", "KWD", text[:3])[len(data) % 4]
    try:
        amount = Decimal(text[3:].strip("\0"))
        converted = Money.from_decimal(amount, code)
    except (ArithmeticError, UnknownCurrency, ValueError):
        return
    rounded = converted.to_decimal()
    unit = Decimal(1).scaleb(-exponent(code))
    if abs(rounded - amount) * 2 > unit or Money.from_decimal(rounded, code) != converted:
        raise AssertionError(f"{amount} {code} became {converted}")


def redactor(data: bytes) -> None:
    """Whatever stands around a secret, it is gone; and redacting again changes nothing more."""
    text = data[1:].decode("utf-8", "replace")
    hidden = _HIDDEN[(data or b"\0")[0] % len(_HIDDEN)]
    middle = len(text) // 2
    before, after = text[:middle], text[middle:]
    # Apart by what is no part of any of them: a longer word or number is another one.
    told = redact(f"{before} \n{hidden}\n {after}")
    if hidden in told:
        raise AssertionError(f"{hidden} is still there")
    if redact(told) != told:
        raise AssertionError("redacting again changes more")
    if not holds_card_number(f"{before}\n4242 4242 4242 4242\n{after}"):
        raise AssertionError("a card number was overlooked")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "stripe_webhook": stripe_webhook,
    "sendgrid_webhook": sendgrid_webhook,
    "wire": wire,
    "rest_json": rest_json,
    "rest_request": rest_request,
    "credentials": credentials,
    "stripe_answer": answers.stripe_answer,
    "avatax_answer": answers.avatax_answer,
    "money": money,
    "redactor": redactor,
}


def seeds(name: str) -> list[bytes]:
    """Return what the search begins with."""
    if name == "wire":
        examples = (order_service_pb2.ListOrdersRequest(page_token="MDAw"), payment_service_pb2.ListPaymentsRequest())
        return [bytes([place]) + each.SerializeToString() for place, each in enumerate(examples)]
    return {
        "credentials": credentials_seeds(),
        "stripe_answer": answers.stripe_seeds(),
        "avatax_answer": answers.avatax_seeds(),
        "rest_request": [
            b"/api/v1/orders/01a21b54-b01f-7543-aafe-03de82f42ee3:watch\nafter_version=4&until_final=true\n\n\n7",
            b'/api/v1/orders/01a21b54-b01f-7543-aafe-03de82f42ee3:refund\n\nkey\n"3"\n\n{"skus": ["a"]}',
            b"/api/v1/orders\nstates=PAID&page_size=10&page_token=MDAw&created_after=2026-01-01T00:00:00Z",
        ],
        "stripe_webhook": [b'{"id": "evt_1", "type": "x", "object": "event", "data": {"object": {"id": "pi_1"}}}'],
        "sendgrid_webhook": [b'[{"sg_event_id": "e", "event": "delivered", "timestamp": 1}]'],
        "rest_json": [b'\x05{"customer": {"email": "a@b.c"}, "items": [{"quantity": 1}]}'],
        "money": [b"EUR10.25", b"KWD1.005"],
        "redactor": [b"\x01a@b.c Bearer x", b"\x024000-0000 1234"],
    }[name]


def _to_domain(message: Message) -> None:
    try:
        _VALIDATION.check(message)
    except Refusal:
        return
    for convert in _FROM_WIRE.get(message.DESCRIPTOR.name, ()):
        _refusing(convert, message)


def _refusing(call: Callable[..., object], *arguments: object) -> None:
    try:
        call(*arguments)
    except Refusal:
        return


# Kept so that a renamed message is noticed when this module is imported, and not by a target that does nothing.
_KNOWN = {method.input_type.name for method in _METHODS} | {tax_pb2.TaxBasis.DESCRIPTOR.name}
if unknown := _FROM_WIRE.keys() - _KNOWN:
    raise LookupError(f"no such requests: {unknown}")
