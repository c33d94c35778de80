"""The server that every service runs: what callers see of failures, bad input, and its own coming and going."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import grpc
import pytest
from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.type.v1 import customer_pb2, money_pb2

from chassis import caller
from chassis.errors import refusal_of
from chassis.server import MAXIMUM_MESSAGE_BYTES, MAXIMUM_METADATA_BYTES, SERVER_OPTIONS
from kernel.errors import Reason, Refusal
from tests.fakes.scripted_service import FOUND, GET, WATCH, Found, Seen, scripted, stub

GET_PATH = "/ordermesh.order.v1.OrderService/GetOrder"
PLACE_PATH = "/ordermesh.order.v1.OrderService/PlaceOrder"
SECRET = "sk_live_1234567890"


async def failure(call: Awaitable[object]) -> tuple[grpc.aio.AioRpcError, Refusal]:
    """Return how a call failed, and what our own details say of it."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    refusal = refusal_of(failed.value)
    assert refusal is not None
    return failed.value, refusal


def raw(channel: grpc.aio.Channel, path: str) -> Any:  # noqa: ANN401  (bytes to bytes; grpc's types want messages)
    return channel.unary_unary(path)


async def broken() -> Found:
    raise ValueError(f"secret {SECRET} of ada@example.com")


async def test_what_a_handler_answers_arrives() -> None:
    async with scripted() as running, running.channel() as channel:
        assert await stub(channel).GetOrder(GET) == FOUND


async def test_the_text_of_an_exception_never_leaves_the_process(caplog: pytest.LogCaptureFixture) -> None:
    async with scripted(broken) as running, running.channel() as channel:
        error, refusal = await failure(stub(channel).GetOrder(GET))

    assert error.code() is grpc.StatusCode.INTERNAL
    assert SECRET not in repr(error)
    assert "ada@example.com" not in repr(error)
    assert refusal.reason is Reason.INTERNAL
    (record,) = [record for record in caplog.records if record.message == "rpc.defect"]
    assert refusal.metadata == {"errorId": vars(record)["error_id"]}
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None


async def test_a_stream_that_breaks_says_as_little(caplog: pytest.LogCaptureFixture) -> None:
    async def breaks() -> AsyncIterator[Seen]:
        yield Seen()
        raise ValueError(SECRET)

    async with scripted(watch=breaks) as running, running.channel() as channel:
        answers = aiter(stub(channel).WatchOrder(WATCH))
        await anext(answers)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await anext(answers)

    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert SECRET not in repr(failed.value)
    assert [record.message for record in caplog.records] == ["rpc.defect"]


async def test_a_refusal_arrives_with_all_it_says() -> None:
    async def refuse() -> Found:
        raise Refusal(Reason.OVERLOADED, "Later.", metadata={"orderId": "1"}, retry_after=2.0)

    async with scripted(refuse) as running, running.channel() as channel:
        error, refusal = await failure(stub(channel).GetOrder(GET))

    assert (error.code(), error.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "Later.")
    assert (refusal.reason, refusal.metadata, refusal.retry_after) == (Reason.OVERLOADED, {"orderId": "1"}, 2.0)


@pytest.mark.parametrize(
    "sent",
    [b"\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\xc3\x28", b"\x0a\x05ab", b"\x0b", b"\x00" * 40],
    ids=["garbage", "endless length", "bad UTF-8", "cut off", "open group", "zeros"],
)
async def test_bytes_that_are_no_message_are_an_invalid_argument(sent: bytes) -> None:
    async with scripted() as running, running.channel() as channel:
        error, refusal = await failure(raw(channel, GET_PATH)(sent))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.reason is Reason.VALIDATION_FAILED
    assert "OrderService/GetOrder" in refusal.message
    assert running.servicer.calls == 0


async def test_every_field_that_breaks_a_rule_is_named() -> None:
    request = order_service_pb2.PlaceOrderRequest(
        customer=customer_pb2.Customer(customer_id="c 1", email="ada"),
        items=[
            order_pb2.OrderItem(sku="mug", quantity=1, unit_price=money_pb2.Money(currency_code="eur")),
            order_pb2.OrderItem(),
        ],
        payment_method="visa-of-ada",
    )
    async with scripted() as running, running.channel() as channel:
        error, refusal = await failure(stub(channel).PlaceOrder(request))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert {each.field for each in refusal.fields} == {
        "request_id",
        "customer.customer_id",
        "customer.email",
        "items[0].unit_price.currency_code",
        "items[1].sku",
        "items[1].quantity",
        "items[1].unit_price",
        "ship_to",
        "payment_method",
    }
    assert all(each.description for each in refusal.fields)
    assert "visa-of-ada" not in repr(error)
    assert running.servicer.calls == 0


async def test_a_thousand_mistakes_are_still_an_answer() -> None:
    request = order_service_pb2.PlaceOrderRequest(items=[order_pb2.OrderItem()] * 200)
    async with scripted() as running, running.channel() as channel:
        error, refusal = await failure(stub(channel).PlaceOrder(request))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert len(refusal.fields) == 10


async def test_a_method_that_is_not_built_and_one_that_does_not_exist_are_unimplemented() -> None:
    async with scripted() as running, running.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await raw(channel, "/ordermesh.order.v1.OrderService/Nothing")(b"")

    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_everybody_on_loopback_is_the_local_user() -> None:
    seen = []

    async def note() -> Found:
        seen.append(caller.current())
        return FOUND

    async with scripted(note) as running, running.channel() as channel:
        await stub(channel).GetOrder(GET)

    assert seen == [caller.MACHINES_USER]


async def cancelled() -> Found:
    """Wait for something that is cancelled, while the call itself is not."""
    inner = asyncio.create_task(asyncio.Event().wait())
    inner.cancel()
    await inner
    return FOUND


async def test_a_cancellation_that_is_not_the_callers_is_unavailable_and_not_a_hang() -> None:
    async with scripted(cancelled) as running, running.channel() as channel:
        error, refusal = await failure(stub(channel).GetOrder(GET, timeout=60))

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert refusal.retry_after is not None


async def test_a_caller_that_goes_away_cancels_its_call_and_is_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> Found:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return FOUND

    async with scripted(wait) as running, running.channel() as channel:
        call = stub(channel).GetOrder(GET)
        await begun.wait()
        call.cancel()
        await ended.wait()

    assert caplog.records == []


async def test_a_message_that_is_too_large_is_refused_and_the_largest_is_not() -> None:
    async with scripted() as running, running.channel() as channel:
        call = raw(channel, PLACE_PATH)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call(b"\x00" * (MAXIMUM_MESSAGE_BYTES + 1))
        assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

        error, _ = await failure(call(b"\x00" * MAXIMUM_MESSAGE_BYTES))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_metadata_has_one_limit_and_none_below_it_is_refused_by_chance() -> None:
    async with scripted() as running, running.channel() as channel:
        call = stub(channel).GetOrder
        for _ in range(20):
            await call(GET, metadata=(("x-filler", "a" * (MAXIMUM_METADATA_BYTES - 1_000)),), timeout=5)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(GET, metadata=(("x-filler", "a" * (MAXIMUM_METADATA_BYTES + 1)),), timeout=5)

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_calls_beyond_what_a_connection_may_carry_do_not_reach_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = {**dict(SERVER_OPTIONS), "grpc.max_concurrent_streams": 2}
    monkeypatch.setattr("chassis.server.SERVER_OPTIONS", tuple(few.items()))
    under_way = most = 0

    async def slow() -> Found:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        return FOUND

    async with scripted(slow) as running, running.channel() as channel:
        calls = (stub(channel).GetOrder(GET, timeout=5) for _ in range(6))
        ended = await asyncio.gather(*calls, return_exceptions=True)

    # They wait for their turn, or are refused in a way that is repeated.
    refused = [each for each in ended if isinstance(each, grpc.aio.AioRpcError)]
    assert {each.code() for each in refused} <= {grpc.StatusCode.UNAVAILABLE}
    assert len(ended) - len(refused) >= 2
    assert most == 2


async def test_a_card_number_is_refused_before_anything_is_done_and_never_repeated() -> None:
    request = order_service_pb2.PlaceOrderRequest(request_id="4242 4242 4242 4242", reference="5555555555554444")
    async with scripted() as running, running.channel() as channel:
        error, refusal = await failure(stub(channel).PlaceOrder(request))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.reason is Reason.CARD_NUMBER_REFUSED
    assert [each.field for each in refusal.fields] == ["request_id", "reference"]
    assert not any(number in repr(error) for number in ("4242", "5555"))
    assert running.servicer.calls == 0
