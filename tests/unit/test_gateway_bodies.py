"""Bodies that do not come keep nobody else out."""

import asyncio

import pytest
from starlette.types import Message

from chassis.admission import OUTER_SECONDS, Admission
from chassis.limits import Limits
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import Tracer
from gateway import contract as contracts
from gateway.asgi import Exchange
from gateway.bodies import Bodies, BodyLate
from gateway.endpoint import Endpoints
from gateway.webhooks import WEBHOOKS, WebhookEndpoint
from kernel.clock import SystemClock
from kernel.ids import Uuid7Ids
from tests.fakes.gateway import Spans


class Sender:
    """A client, whose body comes when it is let.

    Attributes:
        status: What it was answered.
    """

    def __init__(self) -> None:
        self.comes = asyncio.Event()
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        scope = {"type": "http", "scheme": "http", "headers": [(b"stripe-signature", b"t=1,v1=a")]}
        self.exchange = Exchange(scope, self.receive, self.send)

    async def receive(self) -> Message:
        await self.comes.wait()
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = dict(message["headers"])


async def test_the_one_that_has_taken_longest_makes_room() -> None:
    bodies = Bodies(2)
    senders = [Sender() for _ in range(4)]
    reading = [asyncio.create_task(bodies.read(each.exchange, 100)) for each in senders]
    await asyncio.wait(reading[:2])
    for each in senders:
        each.comes.set()

    assert [type(each) for each in await asyncio.gather(*reading, return_exceptions=True)] == [
        BodyLate,
        BodyLate,
        bytes,
        bytes,
    ]
    assert await bodies.read(senders[0].exchange, 100) == b"{}"


async def test_a_body_that_is_there_is_read_however_many_are_not() -> None:
    bodies = Bodies(1)
    slow = [asyncio.create_task(bodies.read(Sender().exchange, 100)) for _ in range(3)]
    await asyncio.sleep(0)
    quick = Sender()
    quick.comes.set()

    assert await bodies.read(quick.exchange, 100) == b"{}"
    assert {type(each) for each in await asyncio.gather(*slow, return_exceptions=True)} == {BodyLate}


async def test_nobody_waits_longer_than_said() -> None:
    with pytest.raises(BodyLate):
        await Bodies(1, 0.0).read(Sender().exchange, 100)


class Service:
    """The service behind a webhook, which never answers in time."""

    def __init__(self) -> None:
        self.called = 0

    def admit(self) -> None:
        """Have nothing against it."""

    def unary_unary(self, *_: object) -> object:
        async def call(*_: object, **__: object) -> None:
            self.called += 1
            await asyncio.Event().wait()

        return call

    def unary_stream(self, *_: object) -> object:
        raise AssertionError


def endpoints(most: int) -> Endpoints:
    tracer = Tracer("gateway", Spans(), lambda: 0, lambda bits: 1 << (bits - 1))
    admission = Admission(Limits(in_flight=most), OUTER_SECONDS)
    return Endpoints(tracer, Metrics("gateway"), Uuid7Ids(SystemClock()), admission)


async def test_webhooks_whose_bodies_do_not_come_leave_all_places_to_orders() -> None:
    shared, service = endpoints(2), Service()
    webhook = WebhookEndpoint(WEBHOOKS[0], contracts.load(), service, shared)  # type: ignore[arg-type]  # all that it calls of one
    senders = [Sender() for _ in range(3)]
    posted = [
        asyncio.create_task(webhook(each.exchange.scope, each.exchange.receive, each.exchange.send)) for each in senders
    ]
    await asyncio.sleep(0)
    assert (shared.admission.in_flight, service.called) == (0, 0)

    # Once they have come they are calls like all others: as many at a time as there are places.
    for each in senders:
        each.comes.set()
    await posted[2]
    assert (shared.admission.in_flight, service.called, senders[2].status) == (2, 2, 429)

    # And while there is no place, none is waited for.
    late = Sender()
    await webhook(late.exchange.scope, late.exchange.receive, late.exchange.send)
    assert late.status == 429
    for waiting in posted[:2]:
        waiting.cancel()
    await asyncio.gather(*posted, return_exceptions=True)


async def test_who_is_cut_off_hears_that_it_was_too_slow_and_is_hung_up_on() -> None:
    shared = endpoints(2)
    shared.strangers_bodies = Bodies(1, 0.0)
    webhook = WebhookEndpoint(WEBHOOKS[0], contracts.load(), Service(), shared)  # type: ignore[arg-type]  # as above
    sender = Sender()

    await webhook(sender.exchange.scope, sender.exchange.receive, sender.exchange.send)

    assert (sender.status, sender.headers[b"connection"]) == (408, b"close")
