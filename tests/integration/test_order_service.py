"""The order service over real sockets, on both databases: what its callers see."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from ordermesh.payment.v1 import payment_pb2
from ordermesh.tax.v1 import tax_pb2

from chassis.errors import refusal_of
from kernel.errors import Reason, Refusal
from order_svc.__main__ import MIGRATIONS
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_faults import Held, Lost
from tests.fakes.order_payments import DECLINED, NEEDS_ACTION
from tests.fakes.order_ports import NOWHERE
from tests.fakes.order_requests import place_request
from tests.fakes.order_samples import ORDER_ID, euros
from tests.fakes.order_service import Shop, a_shop

PAID, PENDING, FAILED = order_pb2.ORDER_STATE_PAID, order_pb2.ORDER_STATE_PENDING, order_pb2.ORDER_STATE_FAILED


@pytest.fixture
async def shop(tmp_path: Path, database_kind: str, make_database: MakeDatabase) -> AsyncIterator[Shop]:
    async with a_shop(tmp_path, make_database(database_kind, MIGRATIONS)) as made:
        yield made


def refusal(failed: pytest.ExceptionInfo[grpc.aio.AioRpcError]) -> Refusal:
    """Return what the service's own details say of a failed call."""
    found = refusal_of(failed.value)
    assert found is not None
    return found


def get(order_id: str) -> order_service_pb2.GetOrderRequest:
    return order_service_pb2.GetOrderRequest(order_id=order_id)


async def test_an_order_is_placed_and_read_again(shop: Shop) -> None:
    async with shop.open() as orders:
        order = (await orders.PlaceOrder(place_request())).order
        read = (await orders.GetOrder(get(order.order_id))).order

    assert order.state == PAID
    assert order.subtotal.minor_units + order.tax.amount.minor_units == order.total.minor_units == 7075
    assert (order.tax.source, order.payment.state) == (tax_pb2.TAX_SOURCE_AVATAX, payment_pb2.PAYMENT_STATE_SUCCEEDED)
    assert order.payment.provider_payment_id.startswith("pi_")
    # The tax document may have come in between, with its difference and its entry in the journal.
    for each in (order, read):
        each.tax.ClearField("document_code")
        each.tax.ClearField("difference")
    read.version, read.etag = order.version, order.etag
    read.update_time.CopyFrom(order.update_time)
    assert read == order
    assert shop.peers.payments.captures == [(order.order_id, euros(7075))]


async def test_a_quote_costs_nothing_and_leaves_nothing(shop: Shop) -> None:
    request = place_request()
    quote = order_service_pb2.QuoteOrderRequest(customer=request.customer, items=request.items, ship_to=request.ship_to)
    async with shop.open() as orders:
        answer = await orders.QuoteOrder(quote)
        listed = await orders.ListOrders(order_service_pb2.ListOrdersRequest())

    assert (answer.subtotal.minor_units, answer.tax.amount.minor_units, answer.total.minor_units) == (5897, 1178, 7075)
    assert not listed.orders
    assert shop.peers.payments.charges == 0


async def test_twenty_equal_calls_at_once_and_one_after_a_restart_are_one_order(shop: Shop) -> None:
    async with shop.open() as orders:
        answers = await asyncio.gather(*(orders.PlaceOrder(place_request()) for _ in range(20)))
    async with shop.open() as orders:
        answers.append(await orders.PlaceOrder(place_request()))

    assert len({answer.order.order_id for answer in answers}) == 1
    assert {answer.order.state for answer in answers} == {PAID}
    assert len(shop.peers.payments.captures) == 1
    assert len(shop.peers.mails.notifications) == 1


async def test_a_key_that_stood_for_another_order_is_refused(shop: Shop) -> None:
    other = place_request()
    other.items[0].quantity = 3
    async with shop.open() as orders:
        order = (await orders.PlaceOrder(place_request())).order
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await orders.PlaceOrder(other)

    assert failed.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert refusal(failed).reason is Reason.REQUEST_ID_REUSED
    assert refusal(failed).metadata == {"orderId": order.order_id}
    assert len(shop.peers.payments.captures) == 1


async def test_a_declined_card_is_refused_the_same_before_and_after_a_restart(shop: Shop) -> None:
    request = place_request(payment_method=DECLINED)
    answers = []
    for _ in range(2):
        async with shop.open() as orders:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await orders.PlaceOrder(request)
            answers.append((failed.value.code(), failed.value.details(), refusal(failed).metadata))
            order = (await orders.GetOrder(get(refusal(failed).metadata["orderId"]))).order

    assert answers[0] == answers[1]
    assert answers[0][0] is grpc.StatusCode.FAILED_PRECONDITION
    assert answers[0][2]["declineCode"] == "insufficient_funds"
    assert (order.state, order.failure.reason) == (FAILED, "PAYMENT_DECLINED")
    assert shop.peers.payments.captures == []


async def test_an_address_that_is_nowhere_is_refused_naming_the_field(shop: Shop) -> None:
    request = place_request()
    request.ship_to.postal_code = NOWHERE
    async with shop.open() as orders:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await orders.PlaceOrder(request)

    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal(failed).reason is Reason.ADDRESS_INVALID
    assert [each.field for each in refusal(failed).fields] == ["ship_to.postal_code"]


async def test_an_order_that_does_not_exist_is_not_found(shop: Shop) -> None:
    async with shop.open() as orders:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await orders.GetOrder(get(ORDER_ID))

    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    assert refusal(failed).metadata == {"orderId": ORDER_ID}


async def test_orders_are_listed_page_by_page_with_filters(shop: Shop) -> None:
    async with shop.open() as orders:
        for number in range(5):
            await orders.PlaceOrder(place_request(f"k-{number}"))
        with pytest.raises(grpc.aio.AioRpcError):
            await orders.PlaceOrder(place_request("k-declined", DECLINED))

        request = order_service_pb2.ListOrdersRequest(customer_id="c-1", state=PAID, page_size=2)
        pages = []
        while True:
            page = await orders.ListOrders(request)
            pages.append([order.order_id for order in page.orders])
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token

        request.state = FAILED
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await orders.ListOrders(request)
        everything = await orders.ListOrders(order_service_pb2.ListOrdersRequest())

    assert [len(page) for page in pages] == [2, 2, 1]
    listed = [order_id for page in pages for order_id in page]
    assert listed == sorted(set(listed), reverse=True)
    assert [each.field for each in refusal(failed).fields] == ["page_token"]
    assert len(everything.orders) == 6


async def test_a_watcher_sees_an_order_from_pending_to_paid(shop: Shop) -> None:
    answered = asyncio.Event()
    shop.peers.payments.faults.plan("charge", Held(answered))
    async with shop.open(patience_seconds=0.1) as orders:
        order = (await orders.PlaceOrder(place_request())).order
        assert order.state == PENDING

        seen = []
        async for answer in orders.WatchOrder(order_service_pb2.WatchOrderRequest(order_id=order.order_id)):
            seen.append(answer.order)
            answered.set()

    assert [each.version for each in seen] in ([2, 3], [1, 2, 3])
    assert (seen[0].state, seen[-1].state) == (PENDING, PAID)


async def test_an_order_explains_itself(shop: Shop) -> None:
    shop.peers.mails.faults.plan("send", Lost.REQUEST, Lost.REQUEST, Lost.REQUEST)
    trace_id = f"{77:032x}"
    async with shop.open() as orders:
        trace = (("traceparent", f"00-{trace_id}-{5:016x}-01"),)
        order = (await orders.PlaceOrder(place_request(), metadata=trace)).order
        explain = order_service_pb2.ExplainOrderRequest(order_id=order.order_id)
        async with asyncio.timeout(20):
            while True:
                story = await orders.ExplainOrder(explain)
                if all(task.done for task in story.tasks):
                    break

    assert [event.kind for event in story.events][:3] == ["order.placed", "tax.quoted", "payment.charged"]
    assert {event.kind for event in story.events[3:]} == {"tax.committed", "mail.accepted"}
    assert [event.version for event in story.events][:3] == [1, 2, 3]
    assert story.trace_ids[0] == trace_id
    mail = next(task for task in story.tasks if task.kind == "send_confirmation")
    assert mail.attempts >= 2
    assert mail.result in shop.peers.mails.notifications.values()
    assert not story.HasField("next_attempt_time")
    assert story.order.tax.document_code == order.order_id


async def test_one_trace_reaches_every_service(shop: Shop) -> None:
    trace_id = f"{78:032x}"
    async with shop.open() as orders:
        trace = (("traceparent", f"00-{trace_id}-{5:016x}-01"),)
        await orders.PlaceOrder(place_request(), metadata=trace)

    seen = [metadata["traceparent"].split("-")[1] for metadata in shop.peers.metadata]
    assert seen[:2] == [trace_id, trace_id]


async def test_a_customer_who_has_to_act_gets_what_the_browser_needs_and_is_paid_after_acting(shop: Shop) -> None:
    async with shop.open() as orders:
        order = (await orders.PlaceOrder(place_request(payment_method=NEEDS_ACTION))).order
        assert order.state == order_pb2.ORDER_STATE_PAYMENT_ACTION_REQUIRED
        assert order.payment.client_secret == "pi_secret"

        shop.peers.payments.customer_pays(order.order_id)
        watch = order_service_pb2.WatchOrderRequest(order_id=order.order_id, after_version=order.version)
        seen = [answer.order async for answer in orders.WatchOrder(watch)]

    assert [each.state for each in seen] == [PAID]
    assert seen[0].payment.client_secret == ""


async def test_orders_that_were_not_finished_go_on_after_a_restart(shop: Shop) -> None:
    shop.peers.payments.faults.plan("charge", *[Lost.ANSWER] * 3)
    async with shop.open(patience_seconds=0.1) as orders:
        order = (await orders.PlaceOrder(place_request())).order
        assert order.state == PENDING
    async with shop.open() as orders:
        again = (await orders.PlaceOrder(place_request())).order

    assert (again.order_id, again.state) == (order.order_id, PAID)
    assert len(shop.peers.payments.captures) == 1


async def test_a_command_on_an_order_that_nobody_placed_says_so(shop: Shop) -> None:
    async with shop.open() as orders:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await orders.CancelOrder(order_service_pb2.CancelOrderRequest(request_id="k", order_id=ORDER_ID))

    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    assert refusal(failed).reason is Reason.ORDER_NOT_FOUND


async def test_a_stop_ends_watchers_and_does_not_wait_for_them(shop: Shop) -> None:
    shop.peers.payments.faults.plan("charge", *[Lost.REQUEST] * 1000)
    async with asyncio.timeout(15), AsyncExitStack() as ending:
        async with shop.open(patience_seconds=0.1) as orders:
            order = (await orders.PlaceOrder(place_request())).order
            channel = await ending.enter_async_context(grpc.aio.insecure_channel(shop.address))
            request = order_service_pb2.WatchOrderRequest(order_id=order.order_id)
            watching = aiter(order_service_pb2_grpc.OrderServiceStub(channel).WatchOrder(request))
            await anext(watching)

        with pytest.raises(grpc.aio.AioRpcError) as failed:
            async for _ in watching:
                pass

    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_service_whose_address_is_taken_does_not_start_and_leaves_nothing_open(shop: Shop) -> None:
    with pytest.raises(OSError, match="taken"):
        async with shop.open(address=shop.peers.address):
            pass

    async with shop.open() as orders:
        assert not (await orders.ListOrders(order_service_pb2.ListOrdersRequest())).orders
