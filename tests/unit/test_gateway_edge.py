"""The outermost layer: who holds a place there and for how long, and what every answer over HTTPS says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.caller import Caller
from chassis.server import SERVER_OPTIONS
from chassis.serving.admission import MOST_STREAMS as MOST_STREAMS_OF_A_SERVICE
from gateway import sse, streams
from gateway.bodies import MOST_OF_CALLERS, MOST_OF_STRANGERS, Bodies
from gateway.console.site import Console
from gateway.edge import MAX_IN_FLIGHT, Edge
from gateway.readiness import Readiness
from gateway.streams import MOST_OF_A_CUSTOMER, MOST_OF_ANOTHER, MOST_STREAMS, Streams
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.ids import Uuid7Ids

CLOCK = SystemClock()
IDS = Uuid7Ids(CLOCK)
# Each watch over health is a call too, and one that is repeated is two for a moment.
TO_SPARE = 100


def edge(app: ASGIApp, *, behind_proxy: bool = False) -> Edge:
    return Edge(app, IDS, Readiness({}, CLOCK), behind_proxy=behind_proxy)


def scope(path: str, method: str = "GET", host: bytes = b"shop.example", scheme: str = "http") -> Scope:
    headers = [(b"host", host), (b"sec-fetch-site", b"same-origin")]
    return {
        "type": "http",
        "method": method,
        "scheme": scheme,
        "path": path,
        "query_string": b"",
        "headers": headers,
        "server": ("10.0.0.1", 8080),
    }


async def answer_of(app: ASGIApp, asked: Scope, body: bytes = b"") -> Message:
    """Return the message with the status and the headers."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(asked, receive, send)
    return sent[0]


class Watching:
    """An application whose answer under /watch never ends."""

    def __init__(self, content_type: str) -> None:
        self._content_type = content_type.encode()
        self.ending = asyncio.Event()

    async def __call__(self, asked: Scope, _: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", self._content_type)]})
        if asked["path"] == "/watch":
            await self.ending.wait()
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def as_many_as_there_are_places(app: Watching, outermost: Edge) -> AsyncIterator[None]:
    waiting = [asyncio.create_task(answer_of(outermost, scope("/watch"))) for _ in range(MAX_IN_FLIGHT)]
    await asyncio.sleep(0)
    yield
    app.ending.set()
    await asyncio.gather(*waiting)


async def test_open_event_streams_leave_the_places_to_requests() -> None:
    app = Watching(sse.MEDIA_TYPE)
    outermost = edge(app)
    async with as_many_as_there_are_places(app, outermost):
        assert (await answer_of(outermost, scope("/order")))["status"] == 200

    # And each of them gave back one place, not two.
    app = Watching("text/plain")
    outermost = edge(app)
    async with as_many_as_there_are_places(app, outermost):
        assert (await answer_of(outermost, scope("/order")))["status"] == 429
        assert (await answer_of(outermost, scope("/healthz")))["status"] == 200
    assert (await answer_of(outermost, scope("/order")))["status"] == 200


async def test_a_stream_gives_its_place_back_once() -> None:
    app = Watching(sse.MEDIA_TYPE)
    outermost = edge(app)
    async with as_many_as_there_are_places(app, outermost):
        pass

    app = Watching("text/plain")
    outermost._app = app
    async with as_many_as_there_are_places(app, outermost):
        assert (await answer_of(outermost, scope("/order")))["status"] == 429


def held(counted: Streams, who: Caller, most: int) -> ExitStack:
    places = ExitStack()
    for _ in range(most):
        places.enter_context(counted.held(who))
    return places


def test_a_customer_opens_few_streams_and_nobody_more_than_half() -> None:
    counted = Streams()
    customer = Caller("user:1", "gateway", customer_id="c-1", vouched=True)
    shop = Caller("key:shop", "gateway", vouched=True)
    with held(counted, customer, MOST_OF_A_CUSTOMER), held(counted, shop, MOST_OF_ANOTHER):
        for who, most in ((customer, MOST_OF_A_CUSTOMER), (shop, MOST_OF_ANOTHER)):
            with pytest.raises(Refusal) as refused, counted.held(who):
                pass
            assert (refused.value.reason, refused.value.metadata) == (Reason.OVERLOADED, {"streams": str(most)})
            # Those of clients that vanished are not gone in a second.
            assert refused.value.retry_after == 15.0
    with counted.held(customer), counted.held(shop):
        pass


def test_there_is_an_end_to_all_streams_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_STREAMS", 3)
    counted = Streams()
    with ExitStack() as places:
        for name in "abc":
            places.enter_context(counted.held(Caller(f"user:{name}", "gateway")))
        with pytest.raises(Refusal, match="Too many event streams"), counted.held(Caller("user:d", "gateway")):
            pass
    assert MOST_OF_ANOTHER * 2 <= MOST_STREAMS


def test_streams_never_fill_the_connection_that_calls_have_to_take_as_well() -> None:
    carried = dict(SERVER_OPTIONS)["grpc.max_concurrent_streams"]

    assert isinstance(carried, int)
    assert carried >= MOST_STREAMS + MAX_IN_FLIGHT + TO_SPARE
    assert carried >= MOST_STREAMS_OF_A_SERVICE + MAX_IN_FLIGHT + TO_SPARE


def test_slow_bodies_never_have_all_places() -> None:
    assert MOST_OF_CALLERS + MOST_OF_STRANGERS < MAX_IN_FLIGHT


@pytest.mark.parametrize(
    ("scheme", "behind_proxy", "host", "secured"),
    [
        ("https", False, b"shop.example", True),
        ("http", True, b"shop.example", True),
        ("http", False, b"shop.example", False),
        ("http", True, b"localhost:8080", False),
    ],
)
async def test_browsers_are_told_to_stay_with_https_also_behind_a_proxy(
    scheme: str, *, behind_proxy: bool, host: bytes, secured: bool
) -> None:
    outermost = edge(Watching("text/plain"), behind_proxy=behind_proxy)

    answer = await answer_of(outermost, scope("/", host=host, scheme=scheme))

    assert (b"strict-transport-security" in dict(answer["headers"])) is secured


@pytest.mark.parametrize(("scheme", "behind_proxy"), [("https", False), ("http", True), ("http", False)])
async def test_the_key_that_the_console_keeps_in_a_browser_never_leaves_it_in_plaintext(
    tmp_path: Path, scheme: str, *, behind_proxy: bool
) -> None:
    console = Console(
        cast("ASGIApp", SimpleNamespace()),
        Readiness({}, CLOCK),
        IDS,
        tmp_path,
        "",
        Bodies(1),
        has_shop=False,
        behind_proxy=behind_proxy,
    )
    app = Starlette(routes=console.routes())

    answer = await answer_of(app, scope("/console/sign-in", "POST", scheme=scheme), b"key=omk_abc")

    cookie = dict(answer["headers"])[b"set-cookie"]
    assert (b"; Secure" in cookie) is (behind_proxy or scheme == "https")
