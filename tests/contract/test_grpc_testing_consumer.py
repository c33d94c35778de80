"""Other teams test their code against our synchronous stubs with grpcio-testing's fake channel; this is how."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc_testing
import pytest
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc

from chassis.errors import to_grpc_status
from kernel.errors import Reason, Refusal
from tests.fakes.order_samples import ORDER_ID

SERVICE = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"]


class Shop:
    """A consumer: what another team's code looks like."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._orders = order_service_pb2_grpc.OrderServiceStub(channel)

    def buy(self, key: str) -> str:
        request = order_service_pb2.PlaceOrderRequest(request_id=key, payment_method="pm_card_visa")
        answer: order_service_pb2.PlaceOrderResponse = self._orders.PlaceOrder(request, timeout=5)
        return order_pb2.OrderState.Name(answer.order.state)

    def follow(self, order_id: str) -> list[str]:
        request = order_service_pb2.WatchOrderRequest(order_id=order_id)
        return [order_pb2.OrderState.Name(answer.order.state) for answer in self._orders.WatchOrder(request, timeout=5)]


@pytest.fixture
def channel() -> grpc_testing.Channel:
    return grpc_testing.channel([SERVICE], grpc_testing.strict_real_time())


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_a_consumer_places_an_order(channel: grpc_testing.Channel, threads: ThreadPoolExecutor) -> None:
    buying = threads.submit(Shop(channel).buy, "k-1")

    _, request, rpc = channel.take_unary_unary(SERVICE.methods_by_name["PlaceOrder"])
    order = order_pb2.Order(order_id=ORDER_ID, state=order_pb2.ORDER_STATE_PAID)
    rpc.send_initial_metadata(())
    rpc.terminate(order_service_pb2.PlaceOrderResponse(order=order), (), grpc.StatusCode.OK, "")

    assert request.request_id == "k-1"
    assert buying.result(timeout=10) == "ORDER_STATE_PAID"


def test_a_consumer_sees_why_it_is_refused(channel: grpc_testing.Channel, threads: ThreadPoolExecutor) -> None:
    buying = threads.submit(Shop(channel).buy, "k-1")

    _, _, rpc = channel.take_unary_unary(SERVICE.methods_by_name["PlaceOrder"])
    declined = to_grpc_status(Refusal(Reason.PAYMENT_DECLINED, "The card was declined."))
    rpc.send_initial_metadata(())
    rpc.terminate(None, declined.trailing_metadata, declined.code, declined.details)

    with pytest.raises(grpc.RpcError) as refused:
        buying.result(timeout=10)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert refused.value.details() == "The card was declined."
    assert "grpc-status-details-bin" in str(refused.value.trailing_metadata())


def test_a_consumer_follows_an_order(channel: grpc_testing.Channel, threads: ThreadPoolExecutor) -> None:
    following = threads.submit(Shop(channel).follow, ORDER_ID)

    _, request, rpc = channel.take_unary_stream(SERVICE.methods_by_name["WatchOrder"])
    rpc.send_initial_metadata(())
    for state in (order_pb2.ORDER_STATE_PENDING, order_pb2.ORDER_STATE_PAID):
        rpc.send_response(order_service_pb2.WatchOrderResponse(order=order_pb2.Order(state=state)))
    rpc.terminate((), grpc.StatusCode.OK, "")

    assert request.order_id == ORDER_ID
    assert following.result(timeout=10) == ["ORDER_STATE_PENDING", "ORDER_STATE_PAID"]
