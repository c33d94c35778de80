"""Every kind of request that goes to Stripe, byte for byte, and against the parameters that Stripe describes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from chassis.http import Answer, HttpTransport
from chassis.telemetry.metrics import Metrics
from kernel.money import Money
from payment_svc.adapters.stripe_books import StripeBooks
from payment_svc.adapters.stripe_gateway import StripeGateway
from payment_svc.domain.intent import CaptureMode, Manner, NewIntent, RefundState
from payment_svc.domain.refund import Refund
from sandbox.schema import SchemaBook
from sandbox.stripe.forms import parse_form, typed
from tests.fakes.payment_providers import stripe_access
from tests.fakes.telemetry_sink import recording_tracer

_BASE = "https://api.stripe.example"
_NOW = datetime(2026, 11, 23, tzinfo=UTC)
_REFUND = Refund("refund-1", "payment-1", RefundState.PENDING, Money("ISK", 5), "", 1, _NOW, _NOW)


@dataclass(frozen=True, slots=True)
class Sent:
    """One request."""

    method: str
    url: str
    operation: str
    headers: Mapping[str, str]
    content: bytes
    seconds: float


class RecordingTransport(HttpTransport):
    """Keeps what is sent, and answers with an empty object."""

    def __init__(self) -> None:
        tracer, _ = recording_tracer("payment")
        super().__init__(
            "stripe", _BASE, tracer=tracer, metrics=Metrics("payment"), timeout_seconds=1.0, max_connections=1
        )
        self.sent: list[Sent] = []

    async def request(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        headers: Mapping[str, str],
        content: bytes = b"",
        timeout: float | None = None,  # noqa: ASYNC109  (the transport's own signature)
    ) -> Answer:
        assert timeout is not None
        self.sent.append(Sent(method, url, operation, headers, content, timeout))
        return Answer(200, (), orjson.dumps({}))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request, and how it must look."""

    operation: str
    call: Callable[[StripeGateway, StripeBooks], Awaitable[object]]
    line: str
    form: dict[str, str]
    key: str | None
    name: str


KINDS = [
    Kind(
        "payment_intents.create",
        lambda gateway, _: gateway.create_intent(NewIntent("payment-1", "order-1", Money("EUR", 1099)), "key-1"),
        "POST /v1/payment_intents",
        {
            "amount": "1099",
            "currency": "eur",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
            "metadata[order_id]": "order-1",
            "metadata[payment_id]": "payment-1",
        },
        "key-1",
        "create_payment_intent",
    ),
    Kind(
        "payment_intents.confirm",
        lambda gateway, _: gateway.confirm_intent("pi_1", "pm_card_visa", "key-1"),
        "POST /v1/payment_intents/pi_1/confirm",
        {"payment_method": "pm_card_visa"},
        "key-1",
        "confirm_payment_intent",
    ),
    Kind(
        "payment_intents.create",
        lambda gateway, _: gateway.create_intent(
            NewIntent("payment-1", "order-1", Money("KWD", 1230), CaptureMode.ON_SHIPMENT, "cus_1"), "key-1"
        ),
        "POST /v1/payment_intents",
        {
            "amount": "1230",
            "currency": "kwd",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
            "metadata[order_id]": "order-1",
            "metadata[payment_id]": "payment-1",
            "capture_method": "manual",
            "customer": "cus_1",
        },
        "key-1",
        "create_payment_intent",
    ),
    Kind(
        "payment_intents.confirm",
        lambda gateway, _: gateway.confirm_intent("pi_1", "pm_1", "key-1", Manner(holds=True, saves=True)),
        "POST /v1/payment_intents/pi_1/confirm",
        {"payment_method": "pm_1", "expand[0]": "latest_charge", "setup_future_usage": "off_session"},
        "key-1",
        "confirm_payment_intent",
    ),
    Kind(
        "payment_intents.confirm",
        lambda gateway, _: gateway.confirm_intent("pi_1", "pm_1", "key-1", Manner(off_session=True, saves=True)),
        "POST /v1/payment_intents/pi_1/confirm",
        {"payment_method": "pm_1", "off_session": "true"},
        "key-1",
        "confirm_payment_intent",
    ),
    Kind(
        "payment_intents.capture",
        lambda gateway, _: gateway.capture_intent("pi_1", Money("ISK", 5), "key-1"),
        "POST /v1/payment_intents/pi_1/capture",
        {"amount_to_capture": "500"},
        "key-1",
        "capture_payment_intent",
    ),
    Kind(
        "disputes.list",
        lambda gateway, _: gateway.list_disputes("pi_1"),
        "GET /v1/disputes",
        {"payment_intent": "pi_1", "limit": "100"},
        None,
        "list_disputes",
    ),
    Kind(
        "payment_intents.retrieve",
        lambda gateway, _: gateway.read_intent("pi_1"),
        "GET /v1/payment_intents/pi_1",
        {"expand[0]": "latest_charge"},
        None,
        "retrieve_payment_intent",
    ),
    Kind(
        "payment_intents.cancel",
        lambda gateway, _: gateway.cancel_intent("pi_1", "key-1"),
        "POST /v1/payment_intents/pi_1/cancel",
        {},
        "key-1",
        "cancel_payment_intent",
    ),
    Kind(
        "refunds.create",
        lambda gateway, _: gateway.create_refund("pi_1", _REFUND, "key-1"),
        "POST /v1/refunds",
        {
            "payment_intent": "pi_1",
            "amount": "500",
            "metadata[refund_id]": "refund-1",
            "metadata[payment_id]": "payment-1",
        },
        "key-1",
        "create_refund",
    ),
    Kind(
        "refunds.list",
        lambda gateway, _: gateway.list_refunds("pi_1"),
        "GET /v1/refunds",
        {"payment_intent": "pi_1", "limit": "100"},
        None,
        "list_refunds",
    ),
    Kind(
        "payment_intents.list",
        lambda _, books: books.payments("pi_1", 30),
        "GET /v1/payment_intents",
        {"expand[0]": "data.latest_charge", "limit": "30", "starting_after": "pi_1"},
        None,
        "list_payment_intents",
    ),
    Kind(
        "refunds.list",
        lambda _, books: books.refunds("", 100),
        "GET /v1/refunds",
        {"limit": "100"},
        None,
        "list_all_refunds",
    ),
    Kind(
        "payment_intents.retrieve",
        lambda _, books: books.payment("pi_1"),
        "GET /v1/payment_intents/pi_1",
        {"expand[0]": "latest_charge"},
        None,
        "retrieve_payment_intent",
    ),
]


async def sent_by(kind: Kind) -> Sent:
    transport = RecordingTransport()
    access = stripe_access(_BASE, transport)
    await kind.call(StripeGateway(access), StripeBooks(access))
    (sent,) = transport.sent
    return sent


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.operation)
async def test_a_request_has_the_parameters_that_stripe_describes(kind: Kind) -> None:
    sent = await sent_by(kind)
    text = sent.content.decode() if sent.method == "POST" else urlsplit(sent.url).query

    assert f"{sent.method} {urlsplit(sent.url).path}" == kind.line
    assert dict(parse_qsl(text, strict_parsing=bool(text))) == kind.form
    typed(SchemaBook("stripe"), kind.operation, parse_form(text))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.operation)
async def test_a_request_carries_key_version_and_its_own_time_limit(kind: Kind) -> None:
    sent = await sent_by(kind)

    assert sent.url.startswith(f"{_BASE}/v1/")
    assert sent.headers["Authorization"] == "Bearer sk_test_1"
    assert sent.headers["Stripe-Version"] == "2026-10-28.endive"
    assert sent.headers.get("Idempotency-Key") == kind.key
    assert ("Content-Type" in sent.headers) is (sent.method == "POST")
    assert "X-Stripe-Client-Telemetry" not in sent.headers
    assert sent.operation == kind.name
    assert 0 < sent.seconds < 10


async def test_an_id_cannot_lead_a_request_astray() -> None:
    transport = RecordingTransport()

    await StripeGateway(stripe_access(_BASE, transport)).read_intent("../customers?limit=1#")

    assert transport.sent[0].url.partition("?")[0] == f"{_BASE}/v1/payment_intents/..%2Fcustomers%3Flimit%3D1%23"


async def test_every_page_of_refunds_is_read() -> None:
    transport = RecordingTransport()
    pages = [
        {"data": [_stripe_refund(f"re_{number}", f"refund-{number}") for number in (5, 4, 3)], "has_more": True},
        {"data": [_stripe_refund("re_2", "refund-2"), _stripe_refund("re_1", "refund-1")], "has_more": False},
    ]

    async def request(method: str, url: str, **_: object) -> Answer:
        transport.sent.append(Sent(method, url, "", {}, b"", 0.0))
        return Answer(200, (), orjson.dumps(pages[len(transport.sent) - 1]))

    transport.request = request  # type: ignore[method-assign]  # answers of this test's own
    await StripeGateway(stripe_access(_BASE, transport)).list_refunds("pi_1")

    assert [dict(parse_qsl(urlsplit(sent.url).query)).get("starting_after") for sent in transport.sent] == [
        None,
        "re_3",
    ]


def _stripe_refund(provider_refund_id: str, refund_id: str) -> dict[str, object]:
    return {
        "id": provider_refund_id,
        "metadata": {"refund_id": refund_id},
        "status": "succeeded",
        "amount": 400,
        "currency": "eur",
        "created": 1_764_000_000,
        "balance_transaction": "txn_1",
    }
