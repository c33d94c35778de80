"""Orders that wait for a person, and payments that change unasked, over real sockets and on both databases."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from ordermesh.order.v1 import order_pb2
from ordermesh.order.v1 import order_service_pb2 as pb
from ordermesh.payment.v1 import payment_service_pb2

from chassis.errors import refusal_of
from kernel.errors import Reason, Refusal
from order_svc.__main__ import MIGRATIONS
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_payments import NEEDS_ACTION, PAID_WITH_ANOTHER
from tests.fakes.order_requests import place_request
from tests.fakes.order_samples import ORDER_ID, euros
from tests.fakes.order_service import Shop, a_shop

if TYPE_CHECKING:
    from ordermesh.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub

PAID, PENDING, FAILED = order_pb2.ORDER_STATE_PAID, order_pb2.ORDER_STATE_PENDING, order_pb2.ORDER_STATE_FAILED
CONTRADICTION = Refusal(Reason.PROVIDER_CONTRADICTS, "another amount")

# Far more than anything here takes: what comes later than that never comes.
PATIENCE_SECONDS = 60


@pytest.fixture
async def shop(tmp_path: Path, database_kind: str, make_database: MakeDatabase) -> AsyncIterator[Shop]:
    async with a_shop(tmp_path, make_database(database_kind, MIGRATIONS)) as made:
        yield made


async def until(orders: "OrderServiceAsyncStub", order_id: str, *kinds: str) -> pb.ExplainOrderResponse:
    """Wait until the order's journal has such entries, each as often as it is named."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            story = await orders.ExplainOrder(pb.ExplainOrderRequest(order_id=order_id))
            if not Counter(kinds) - Counter(event.kind for event in story.events):
                return story
            await asyncio.sleep(0.05)


async def declined(orders: "OrderServiceAsyncStub") -> str:
    """Place an order whose card is declined, and whose customer pays with another at that moment."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await orders.PlaceOrder(place_request(payment_method=PAID_WITH_ANOTHER))
    refusal = refusal_of(failed.value)
    assert refusal is not None
    return refusal.metadata["orderId"]


def retry(order_id: str, request_id: str = "again") -> pb.RetryOrderRequest:
    return pb.RetryOrderRequest(request_id=request_id, order_id=order_id)


async def test_an_order_that_was_parked_stays_so_over_a_restart_and_goes_on_when_a_person_says_so(shop: Shop) -> None:
    shop.peers.payments.faults.plan("charge", CONTRADICTION)
    async with shop.open() as orders:
        parked = (await orders.PlaceOrder(place_request())).order
    async with shop.open() as orders:
        again = (await orders.PlaceOrder(place_request())).order
        listed = (await orders.ListOrders(pb.ListOrdersRequest(needs_review=True))).orders
        story = await orders.ExplainOrder(pb.ExplainOrderRequest(order_id=parked.order_id))
        retried = (await orders.RetryOrder(retry(parked.order_id))).order
        await until(orders, parked.order_id, "payment.charged")
        repeated = (await orders.RetryOrder(retry(parked.order_id))).order
        none = (await orders.ListOrders(pb.ListOrdersRequest(needs_review=True))).orders

    assert (parked.state, parked.needs_review) == (PENDING, True)
    assert again == parked
    assert [order.order_id for order in listed] == [parked.order_id]
    assert (story.events[-1].kind, story.events[-1].facts["reason"]) == ("charge.refused", "PROVIDER_CONTRADICTS")
    assert not story.HasField("next_attempt_time")
    assert (retried.needs_review, retried.version) == (False, parked.version + 1)
    assert (repeated.state, repeated.version) == (PAID, retried.version + 1)
    assert not none
    assert len(shop.peers.payments.captures) == 1


async def test_a_retry_of_no_order_and_one_without_need_change_nothing(shop: Shop) -> None:
    async with shop.open() as orders:
        paid = (await orders.PlaceOrder(place_request())).order
        await until(orders, paid.order_id, "tax.committed", "mail.accepted")
        retried = (await orders.RetryOrder(retry(paid.order_id))).order
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await orders.RetryOrder(retry(ORDER_ID))

    assert (retried.state, retried.version) == (PAID, paid.version)
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_refused_mail_marks_the_order_and_a_retry_sends_it(shop: Shop) -> None:
    shop.peers.mails.faults.plan("send", Refusal(Reason.VALIDATION_FAILED, "no such recipient"))
    async with shop.open() as orders:
        placed = (await orders.PlaceOrder(place_request())).order
        refused = (await until(orders, placed.order_id, "mail.refused")).order
        await orders.RetryOrder(retry(placed.order_id))
        story = await until(orders, placed.order_id, "mail.accepted")

    assert (refused.state, refused.needs_review, refused.version) == (PAID, True, placed.version)
    assert (story.order.needs_review, len(shop.peers.mails.asked)) == (False, 1)


async def test_a_customer_who_has_paid_is_heard_of_and_the_news_acknowledged(shop: Shop) -> None:
    async with shop.open() as orders:
        order = (await orders.PlaceOrder(place_request(payment_method=NEEDS_ACTION))).order
        shop.peers.payments.customer_pays(order.order_id)
        await until(orders, order.order_id, "payment.charged")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await shop.peers.until_asked("AcknowledgePaymentNews")

    (acknowledged,) = shop.peers.of(payment_service_pb2.AcknowledgePaymentNewsRequest)
    assert acknowledged.version == 2
    assert shop.peers.payments.unheard == {}


async def test_money_that_came_while_nobody_listened_goes_back_after_the_restart(shop: Shop) -> None:
    async with shop.open() as orders:
        order_id = await declined(orders)
    async with shop.open() as orders:
        story = await until(orders, order_id, "payment.undone")

    assert (story.order.state, story.order.needs_review) == (FAILED, False)
    assert story.order.refunded.minor_units == 7075
    # It is news, or found when the payment is given up, whichever comes first.
    assert story.events[-2].kind in {"payment.late", "payment.changed"}
    assert (story.events[-1].kind, story.events[-1].cause) == ("payment.undone", "sweeper")
    assert shop.peers.payments.refund_keys == [f"{order_id}:undo"]


async def test_a_refund_that_comes_back_is_shown_with_its_next_try_and_sent_at_once_by_a_retry(shop: Shop) -> None:
    async with shop.open() as orders:
        order_id = await declined(orders)
        await until(orders, order_id, "payment.undone")
        shop.peers.payments.bank_returns(order_id)
        story = await until(orders, order_id, "refund.failed")
        await orders.RetryOrder(retry(order_id))
        await until(orders, order_id, "payment.undone", "payment.undone")

    assert (story.order.state, story.order.needs_review) == (FAILED, True)
    assert story.next_attempt_time.ToSeconds() - story.events[-1].time.ToSeconds() == pytest.approx(86_400, abs=5)
    assert shop.peers.payments.refund_keys == [f"{order_id}:undo", f"{order_id}:undo:2"]
    assert shop.peers.payments.kept(order_id) == euros(0)
