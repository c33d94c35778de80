"""ordermesh.client over real sockets: keys, deadlines, retries, headers and errors, for threads and for asyncio."""

import socket
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from ordermesh.client import (
    AmountOutOfRange,
    DeadlineExceeded,
    FieldViolation,
    IllegalState,
    OrdermeshError,
    PaymentDeclined,
    Policy,
    Unavailable,
    ValidationFailed,
)
from ordermesh.notify.v1 import notify_service_pb2
from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.payment.v1 import payment_service_pb2
from ordermesh.tax.v1 import tax_service_pb2
from ordermesh.webhook.v1 import webhook_service_pb2

from kernel.errors import FieldViolation as RefusedField
from kernel.errors import Reason, Refusal
from tests.fakes.client_kinds import KINDS, Kind
from tests.fakes.client_peer import Peer, client_peer

PLACED = order_service_pb2.PlaceOrderResponse(order=order_pb2.Order(order_id="o-1"))
FOUND = order_service_pb2.GetOrderResponse(order=order_pb2.Order(order_id="o-1"))
PLACE = order_service_pb2.PlaceOrderRequest(reference="r-1")
GET = order_service_pb2.GetOrderRequest(order_id="o-1")
AWAY = Refusal(Reason.UNAVAILABLE, "The provider is away.")

FAST = Policy(first_pause=0.01, longest_pause=0.02)

Make = Callable[..., Kind]


@pytest.fixture
def peer() -> Iterator[Peer]:
    with client_peer() as running:
        yield running


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, peer: Peer) -> Make:
    def made(**settings: object) -> Kind:
        addresses = dict.fromkeys(("order", "tax", "payment", "notify"), peer.address)
        return KINDS[request.param](**{"policy": FAST, **addresses, **settings})

    return made


@pytest.mark.parametrize(
    ("service", "method", "request_", "answer"),
    [
        ("orders", "GetOrder", GET, FOUND),
        ("tax", "QuoteTax", tax_service_pb2.QuoteTaxRequest(), tax_service_pb2.QuoteTaxResponse()),
        (
            "payments",
            "GetPayment",
            payment_service_pb2.GetPaymentRequest(),
            payment_service_pb2.GetPaymentResponse(),
        ),
        (
            "notifications",
            "GetNotification",
            notify_service_pb2.GetNotificationRequest(),
            notify_service_pb2.GetNotificationResponse(),
        ),
        (
            "webhooks",
            "ListWebhookEndpoints",
            webhook_service_pb2.ListWebhookEndpointsRequest(),
            webhook_service_pb2.ListWebhookEndpointsResponse(),
        ),
    ],
)
def test_every_service_answers(
    make: Make, peer: Peer, service: str, method: str, request_: object, answer: Message
) -> None:
    peer.script[method] = [answer]

    assert make().call(service, method, request_) == answer


def test_a_command_without_a_key_gets_one_that_its_retries_keep(make: Make, peer: Peer) -> None:
    peer.script["PlaceOrder"] = [AWAY, grpc.StatusCode.UNAVAILABLE, PLACED]

    assert make().call("orders", "PlaceOrder", PLACE) == PLACED

    keys = [each.request.request_id for each in peer.seen]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert str(uuid.UUID(keys[0])) == keys[0]
    assert PLACE.request_id == ""  # the caller's own message stays as it was
    assert peer.seen[0].request.reference == "r-1"


def test_each_logical_call_has_a_key_of_its_own_and_a_given_key_is_kept(make: Make, peer: Peer) -> None:
    peer.script["PlaceOrder"] = [PLACED]
    for _ in range(2):
        make().call("orders", "PlaceOrder", PLACE)
    make().call("orders", "PlaceOrder", order_service_pb2.PlaceOrderRequest(request_id="mine"))

    keys = [each.request.request_id for each in peer.seen]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


def test_the_error_hands_out_the_key_with_which_the_command_is_repeated(make: Make, peer: Peer) -> None:
    peer.script["PlaceOrder"] = [AWAY]
    with pytest.raises(Unavailable) as failed:
        make().call("orders", "PlaceOrder", PLACE)

    assert len(peer.seen) == FAST.attempts
    assert failed.value.request_id == peer.seen[0].request.request_id
    assert failed.value.outcome_unknown
    assert isinstance(failed.value.__cause__, grpc.RpcError)


@pytest.mark.parametrize("code", [each for each in grpc.StatusCode if each.name not in ("OK", "UNAVAILABLE")])
def test_nothing_but_unavailable_is_sent_again(make: Make, peer: Peer, code: grpc.StatusCode) -> None:
    peer.script["GetOrder"] = [code, FOUND]
    with pytest.raises(OrdermeshError) as failed:
        make().call("orders", "GetOrder", GET)

    assert failed.value.code is code
    assert (failed.value.reason, failed.value.message) == ("", "said a proxy")
    assert len(peer.seen) == 1


def test_a_wait_that_the_service_asks_for_is_kept(make: Make, peer: Peer) -> None:
    peer.script["GetOrder"] = [Refusal(Reason.UNAVAILABLE, "Not now.", retry_after=0.4), FOUND]

    make().call("orders", "GetOrder", GET)

    assert 0.4 <= peer.seen[1].at - peer.seen[0].at < 2.0


def test_a_wait_that_would_outlast_the_deadline_is_not_begun(make: Make, peer: Peer) -> None:
    peer.script["GetOrder"] = [Refusal(Reason.UNAVAILABLE, "Not now.", retry_after=30.0), FOUND]
    began = time.monotonic()
    with pytest.raises(Unavailable) as failed:
        make().call("orders", "GetOrder", GET, timeout=5)

    assert failed.value.retry_after == 30.0
    assert time.monotonic() - began < 4.0
    assert len(peer.seen) == 1


def test_attempts_share_one_deadline(make: Make, peer: Peer) -> None:
    peer.script["GetOrder"] = [Refusal(Reason.UNAVAILABLE, "Not now.", retry_after=0.5), FOUND]

    make().call("orders", "GetOrder", GET, timeout=5)

    first, second = peer.seen
    assert first.seconds - second.seconds >= 0.45


@pytest.mark.parametrize(
    ("settings", "call", "seconds"),
    [
        ({}, {}, 10.0),
        ({"policy": Policy(timeouts={"GetOrder": 7})}, {}, 7.0),
        ({"policy": Policy(timeouts={"GetOrder": 7})}, {"timeout": 3}, 3.0),
    ],
)
def test_the_nearest_deadline_is_the_calls(
    make: Make, peer: Peer, settings: dict[str, Any], call: dict[str, Any], seconds: float
) -> None:
    peer.script["GetOrder"] = [FOUND]

    make(**settings).call("orders", "GetOrder", GET, **call)

    assert seconds - 1.5 < peer.seen[0].seconds <= seconds


def test_a_service_that_does_not_answer_is_given_up_in_time(make: Make, peer: Peer) -> None:
    def late() -> order_service_pb2.PlaceOrderResponse:
        time.sleep(1.0)
        return PLACED

    peer.script["PlaceOrder"] = [late]
    with pytest.raises(DeadlineExceeded) as failed:
        make().call("orders", "PlaceOrder", PLACE, timeout=0.3)

    assert failed.value.outcome_unknown
    assert failed.value.request_id


def test_a_port_where_nobody_listens_is_unavailable(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        nowhere = f"127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(Unavailable) as failed:
        make(order=nowhere).call("orders", "GetOrder", GET)

    assert failed.value.method == "ordermesh.order.v1.OrderService/GetOrder"


def test_headers_go_along_and_the_trace_of_the_caller_comes_first(make: Make, peer: Peer) -> None:
    peer.script["GetOrder"] = [AWAY, FOUND]

    def inject(carrier: dict[str, str]) -> None:
        carrier["traceparent"] = "00-1-injected-01"

    make(inject=inject).call("orders", "GetOrder", GET, metadata=(("x-team", "shop"),))
    make(inject=inject).call("orders", "GetOrder", GET, metadata=(("traceparent", "00-1-given-01"),))

    assert [each.metadata["traceparent"] for each in peer.seen] == [
        "00-1-injected-01",
        "00-1-injected-01",
        "00-1-given-01",
    ]
    assert peer.seen[1].metadata["x-team"] == "shop"


def test_a_refusal_is_an_error_of_its_own_class_with_all_that_was_said(make: Make, peer: Peer) -> None:
    peer.script["PlaceOrder"] = [
        Refusal(Reason.PAYMENT_DECLINED, "Declined.", metadata={"orderId": "o-1", "declineCode": "lost_card"}),
        Refusal(
            Reason.ILLEGAL_STATE, "Shipped.", metadata={"state": "SHIPPED", "allowed": "DeliverOrder, RefundOrder"}
        ),
        Refusal(Reason.VALIDATION_FAILED, "Wrong.", fields=(RefusedField("items", "must not be empty"),)),
        Refusal(Reason.AMOUNT_OUT_OF_RANGE, "Too little.", metadata={"minimumMinorUnits": "50"}),
    ]
    with pytest.raises(PaymentDeclined) as declined:
        make().call("orders", "PlaceOrder", PLACE)
    with pytest.raises(IllegalState) as illegal:
        make().call("orders", "PlaceOrder", PLACE)
    with pytest.raises(ValidationFailed) as wrong:
        make().call("orders", "PlaceOrder", PLACE)
    with pytest.raises(AmountOutOfRange) as little:
        make().call("orders", "PlaceOrder", PLACE)

    assert (declined.value.decline_code, declined.value.order_id) == ("lost_card", "o-1")
    assert str(declined.value) == "PAYMENT_DECLINED: Declined. (ordermesh.order.v1.OrderService/PlaceOrder)"
    assert (illegal.value.state, illegal.value.allowed) == ("SHIPPED", ("DeliverOrder", "RefundOrder"))
    assert wrong.value.fields == (FieldViolation("items", "must not be empty"),)
    assert little.value.minimum_minor_units == 50
    assert not declined.value.outcome_unknown


def test_a_stream_fails_with_the_same_errors(make: Make, peer: Peer) -> None:
    peer.script["WatchOrder"] = [
        [Refusal(Reason.ORDER_NOT_FOUND, "No such order.", metadata={"orderId": "o-1"})],
    ]
    with pytest.raises(OrdermeshError) as failed:
        make().stream(order_service_pb2.WatchOrderRequest(order_id="o-1"))

    assert (failed.value.reason, failed.value.order_id) == ("ORDER_NOT_FOUND", "o-1")


def test_the_message_of_another_rpc_is_never_sent(make: Make, peer: Peer) -> None:
    with pytest.raises(TypeError, match="GetOrder takes a GetOrderRequest, not a PlaceOrderRequest"):
        make().call("orders", "GetOrder", PLACE)

    assert not peer.seen


def test_a_page_of_large_orders_comes_through(make: Make, peer: Peer) -> None:
    large = order_pb2.Order(order_id="o-1", note="x" * 40_000)
    page = order_service_pb2.ListOrdersResponse(orders=[large] * 200)
    peer.script["ListOrders"] = [page]

    assert make().call("orders", "ListOrders", order_service_pb2.ListOrdersRequest()) == page
