"""Time and trace of a call, from the channel of the caller to the handler of the server."""

from collections.abc import AsyncIterator

import grpc
import pytest

from chassis import deadline
from chassis.service import Tasks
from kernel.errors import Reason, Refusal
from tests.fakes.scripted_service import FOUND, GET, WATCH, Found, Seen, chassis_channel, scripted, stub
from tests.fakes.telemetry_sink import recording_tracer

LONG = 30.0


async def test_a_handler_knows_how_long_its_caller_waits_less_what_the_way_back_takes() -> None:
    seen = []

    async def note() -> Found:
        seen.append(deadline.remaining(LONG))
        return FOUND

    async with scripted(note) as running, running.channel() as channel:
        await stub(channel).GetOrder(GET, timeout=5)
        await stub(channel).GetOrder(GET)

    with_deadline, without = seen
    assert 1 < with_deadline <= 5 - deadline.HEADROOM_SECONDS
    # Clocks are floating-point numbers: of a large one a difference is not exact to the last digit.
    assert 6 < without <= deadline.DEFAULT_SECONDS - deadline.HEADROOM_SECONDS + 1e-9


async def test_a_deadline_is_handed_down_and_shrinks_at_every_hop() -> None:
    seen = []

    async def note() -> Found:
        seen.append(deadline.remaining(LONG))
        return FOUND

    async with scripted(note) as last, chassis_channel(last.address) as (onward, _):

        async def call_on() -> Found:
            seen.append(deadline.remaining(LONG))
            return await stub(onward).GetOrder(GET, timeout=LONG)

        async with scripted(call_on) as first, first.channel() as channel:
            await stub(channel).GetOrder(GET, timeout=5)

    assert 5 > seen[0] > seen[1] > 1
    assert seen[0] - seen[1] >= deadline.HEADROOM_SECONDS


async def test_work_that_nobody_waits_for_is_not_begun() -> None:
    async with scripted() as running, running.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub(channel).GetOrder(GET, timeout=deadline.SHORTEST_SECONDS * 0.9)

    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert running.servicer.calls == 0


async def test_a_call_without_a_deadline_gets_one() -> None:
    seen = []

    async def note() -> Found:
        seen.append(deadline.remaining(LONG))
        return FOUND

    async with scripted(note) as running, chassis_channel(running.address) as (channel, _):
        await stub(channel).GetOrder(GET)

    assert 5 < seen[0] < 10


async def test_work_that_outlives_its_call_is_not_under_its_deadline() -> None:
    tasks, seen = Tasks(), []

    async def work() -> None:
        seen.append(deadline.remaining(LONG))

    async def begin() -> Found:
        await tasks.start(work(), "work")
        seen.append(deadline.remaining(LONG))
        return FOUND

    async with scripted(begin) as running, running.channel() as channel:
        await stub(channel).GetOrder(GET, timeout=5)

    assert seen[0] == LONG
    assert seen[1] < 5


async def test_a_trace_goes_on_from_client_to_server() -> None:
    async with scripted() as running, chassis_channel(running.address) as (channel, client):
        tracer, _ = recording_tracer("shop")
        with tracer.span("buy") as root:
            await stub(channel).GetOrder(GET)

    (sent,), (served,) = client.spans, running.spans.spans
    assert {root.trace_id, sent.trace_id, served.trace_id} == {root.trace_id}
    assert (sent.parent_id, served.parent_id) == (root.span_id, sent.span_id)
    assert (sent.kind, served.kind) == ("client", "server")
    assert sent.name == served.name == "ordermesh.order.v1.OrderService/GetOrder"


async def test_what_other_vendors_say_of_a_trace_is_passed_on() -> None:
    async with (
        scripted() as last,
        chassis_channel(last.address) as (onward, _),
        scripted(lambda: stub(onward).GetOrder(GET)) as first,
        first.channel() as channel,
    ):
        trace = (("traceparent", f"00-{7:032x}-{9:016x}-01"), ("tracestate", "vendor=abc"))
        await stub(channel).GetOrder(GET, metadata=trace)

    (span,) = last.spans.spans
    assert (span.trace_id, span.tracestate) == (7, "vendor=abc")


@pytest.mark.parametrize(
    "header", ["", "00-zz", "ff-" + "1" * 32 + "-" + "1" * 16 + "-01", "é".encode().decode("latin-1")]
)
async def test_a_trace_that_makes_no_sense_begins_anew(header: str) -> None:
    async with scripted() as running, running.channel() as channel:
        await stub(channel).GetOrder(GET, metadata=(("traceparent", header.encode("ascii", "ignore").decode()),))

    (span,) = running.spans.spans
    assert span.parent_id == 0


async def test_a_call_that_fails_is_seen_as_failed_on_both_sides() -> None:
    async def refuse() -> Found:
        raise Refusal(Reason.INTERNAL, "No.")

    async with scripted(refuse) as running, chassis_channel(running.address) as (channel, client):
        with pytest.raises(grpc.aio.AioRpcError):
            await stub(channel).GetOrder(GET)

    (sent,), (served,) = client.spans, running.spans.spans
    assert (sent.status, served.status) == ("error", "error")
    assert list(running.metrics.rpc_server_duration.read()) == [
        ("grpc", "ordermesh.order.v1.OrderService/GetOrder", "INTERNAL", "INTERNAL")
    ]


async def test_a_mistake_of_the_caller_is_not_the_servers_fault() -> None:
    async def refuse() -> Found:
        raise Refusal(Reason.ORDER_NOT_FOUND, "No.")

    async with scripted(refuse) as running, chassis_channel(running.address) as (channel, client):
        with pytest.raises(grpc.aio.AioRpcError):
            await stub(channel).GetOrder(GET)

    (sent,), (served,) = client.spans, running.spans.spans
    assert (sent.status, served.status) == ("error", "unset")


async def test_a_stream_is_one_span_on_each_side() -> None:
    async def twice() -> AsyncIterator[Seen]:
        yield Seen()
        yield Seen()

    async with scripted(watch=twice) as running, chassis_channel(running.address) as (channel, client):
        assert len([answer async for answer in stub(channel).WatchOrder(WATCH)]) == 2

    (sent,), (served,) = client.spans, running.spans.spans
    assert served.parent_id == sent.span_id
    assert sent.attributes["rpc.response.status_code"] == "OK"
