"""Each outbound request is one client span and one count, named by its operation and free of what it carried."""

import asyncio

import pytest

from chassis.http import HttpTransport, Lost, NotSent, TooLarge, create_client
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import Span
from tests.fakes.http_peer import Conversation, HttpPeer, Script
from tests.fakes.telemetry_sink import RecordingSink, recording_tracer
from tests.fakes.unused_ports import unused_port

SECRET_PATH = "/v1/customers?email=bob%40example.com"


def watched(url: str) -> tuple[HttpTransport, RecordingSink, Metrics]:
    tracer, sink = recording_tracer("payment")
    metrics = Metrics("payment")
    transport = HttpTransport(
        "stripe", url, tracer=tracer, metrics=metrics, timeout_seconds=5, max_connections=2, max_answer_bytes=5_000
    )
    return transport, sink, metrics


def answering(status: int) -> Script:
    async def answers(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(b"HTTP/1.1 %d x\r\ncontent-length: 0\r\n\r\n" % status)

    return answers


async def closes(conversation: Conversation) -> None:
    await conversation.request()


async def never_ends(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n" + b"x" * 9000)


async def stalls(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.until_closed()


async def request(transport: HttpTransport) -> None:
    await transport.request(
        "POST", SECRET_PATH, operation="create_customer", headers={"authorization": "Bearer s3cret"}
    )


def only(sink: RecordingSink) -> Span:
    (span,) = sink.spans
    return span


@pytest.mark.parametrize(
    ("status", "outcome", "failed"),
    [
        (200, "answered", False),
        (302, "answered", False),
        (402, "refused", True),
        (429, "refused", True),
        (503, "failed", True),
    ],
)
async def test_an_answered_request_says_how(status: int, outcome: str, failed: bool) -> None:  # noqa: FBT001  (a table)
    async with HttpPeer(answering(status)) as peer:
        transport, sink, metrics = watched(peer.url)

        await request(transport)

    span = only(sink)
    assert (span.name, span.kind, span.status) == ("POST create_customer", "client", "error" if failed else "unset")
    assert span.attributes["http.response.status_code"] == status
    assert span.attributes.get("error.type") == (str(status) if failed else None)
    assert metrics.provider_calls.read() == {("stripe", "create_customer", outcome): 1}


@pytest.mark.parametrize(
    ("script", "error", "outcome"),
    [(closes, Lost, "lost"), (never_ends, TooLarge, "too_large"), (None, NotSent, "not_sent")],
)
async def test_an_unanswered_request_says_why(script: Script | None, error: type[Exception], outcome: str) -> None:
    async with HttpPeer(script or closes) as peer:
        transport, sink, metrics = watched(peer.url if script else f"http://127.0.0.1:{unused_port()}")

        with pytest.raises(error):
            await request(transport)

    span = only(sink)
    assert (span.status, span.status_message) == ("error", outcome)
    assert span.attributes["error.type"] == f"chassis.http.errors.{error.__name__}"
    assert metrics.provider_calls.read() == {("stripe", "create_customer", outcome): 1}


async def test_a_cancelled_request_is_recorded_too() -> None:
    async with HttpPeer(stalls) as peer:
        transport, sink, metrics = watched(peer.url)
        task = asyncio.create_task(request(transport))
        await peer.asked.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert only(sink).status_message == "cancelled"
    assert metrics.provider_calls.read() == {("stripe", "create_customer", "cancelled"): 1}


async def test_neither_query_nor_header_nor_body_is_in_the_span() -> None:
    async with HttpPeer(answering(200)) as peer:
        transport, sink, _ = watched(peer.url)
        await request(transport)

    recorded = repr({name: getattr(only(sink), name) for name in Span.__slots__})
    assert "bob" not in recorded
    assert "s3cret" not in recorded


async def test_the_operation_of_a_client_s_request_names_its_span_too() -> None:
    tracer, sink = recording_tracer("tax")
    async with HttpPeer(answering(200)) as peer:
        client = create_client(
            "avatax", peer.url, tracer=tracer, metrics=Metrics("tax"), timeout_seconds=5, max_connections=1
        )
        await client.request("GET", "/api/v2/utilities/ping", operation="ping")

    assert only(sink).name == "GET ping"


async def test_the_span_belongs_to_the_work_it_is_made_in() -> None:
    async with HttpPeer(answering(200)) as peer:
        transport, sink, _ = watched(peer.url)
        tracer, _ = recording_tracer()
        with tracer.span("charge") as outer:
            await request(transport)

    assert (only(sink).trace_id, only(sink).parent_id) == (outer.trace_id, outer.span_id)
