"""REST to gRPC: finds the route, makes the request, calls, writes the answer; all compiled from the routes at start."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

import orjson
from google.protobuf import message_factory
from google.protobuf.message import Message
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.access.rules import rule_of
from gateway import asgi, conditions, problem, resuming
from gateway.access.guard import NOBODY, Admission, Guard
from gateway.asgi import Exchange
from gateway.bind import KEY_HEADER, Binder, Incoming
from gateway.bodies import Bodies
from gateway.endpoint import Endpoints
from gateway.read_json import MessageReaders
from gateway.routes import Route, RouteTable, host_of
from gateway.sse import EventStream
from gateway.write_json import MessageWriters

MAX_BODY_BYTES = 262_144

# Longer than the services' own longest wait for a provider, shorter than a proxy's usual 30 s.
UNARY_SECONDS = 15.0
# A stream is opened anew once an hour, so that none outlives certificates and replicas for ever.
STREAM_SECONDS = 3600.0

_KEY_HEADER = KEY_HEADER.lower().encode()
_IF_MATCH = conditions.IF_MATCH.lower().encode()
_IF_NONE_MATCH = conditions.IF_NONE_MATCH.lower().encode()
_LAST_EVENT_ID = resuming.LAST_EVENT_ID.lower().encode()


class Backend(Protocol):
    """A channel to one service, as far as the transcoder uses it: chassis.channel.Channel."""

    def admit(self) -> None:
        """Refuse a call that the service would refuse, before anything of it is read."""
        ...

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
    ) -> Callable[..., Awaitable[Any]]:
        """Return the callable behind an RPC with one answer."""
        ...

    def unary_stream(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
    ) -> Callable[..., AsyncIterator[Any]]:
        """Return the callable behind an RPC that answers with a stream."""
        ...


class Transcoder:
    """The ASGI application behind every route of the contract.

    Args:
        table: The routes.
        backends: A channel for each service, by the service's full name.
        endpoints: Runs the handlers.
        stopping: Set when open streams shall end.
        guard: Lets requests in.
        otherwise: Answers the paths that no route has.
    """

    def __init__(
        self,
        table: RouteTable,
        backends: Mapping[str, Backend],
        endpoints: Endpoints,
        stopping: asyncio.Event,
        guard: Guard,
        otherwise: ASGIApp,
    ) -> None:
        self._table = table
        self._endpoints = endpoints
        self._otherwise = otherwise
        readers, writers = MessageReaders(), MessageWriters()
        self._handlers: dict[str, _Handler] = {}
        for route in table.routes:
            backend = backends[route.method.containing_service.full_name]
            binder, write = Binder(route, readers), _body_writer(route, writers)
            if route.method.server_streaming:
                self._handlers[route.name] = _StreamHandler(
                    route, _Door(guard, route), binder, write, backend, endpoints, stopping
                )
            else:
                self._handlers[route.name] = _UnaryHandler(
                    route, _Door(guard, route), binder, write, backend, endpoints
                )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        raw_path = scope.get("raw_path")
        match = self._table.match(raw_path.decode("latin-1") if raw_path else quote(scope["path"]))
        if not match.routes:
            await self._otherwise(scope, receive, send)
            return
        method = scope["method"]
        route = match.route(method)
        exchange = Exchange(scope, receive, send)
        if route is not None:
            handler = self._handlers[route.name]
            await self._endpoints.run(
                method, route.template.text, exchange, lambda: handler.handle(exchange, match.segments)
            )
        elif method == "OPTIONS":
            await exchange.options(match.allowed())
        else:
            await exchange.tell(problem.of_wrong_method(match.allowed()))


def _body_writer(route: Route, writers: MessageWriters) -> Callable[[Message], Any]:
    output = route.method.output_type
    if not route.response_body:
        return writers.of_message(output)
    name = route.response_body
    write = writers.of_field(output.fields_by_name[name])
    return lambda message: write(getattr(message, name))


class _Handler(Protocol):
    """Answers the requests of one route."""

    async def handle(self, exchange: Exchange, segments: Sequence[str]) -> None:
        """Answer one request."""
        ...


class _Door:
    """Lets in whoever may use one route."""

    def __init__(self, guard: Guard, route: Route) -> None:
        self.guard = guard
        self._rule = rule_of(route.method) or NOBODY
        self._audience = host_of(route.method.containing_service.full_name)

    async def admit(self, exchange: Exchange) -> Admission:
        """Return what goes to the service, or refuse the request before anything of it is read."""
        return await self.guard.admit(exchange.headers, self._rule, self._audience)


class _Requests:
    """Makes the gRPC requests of one route out of HTTP's."""

    def __init__(self, route: Route, binder: Binder, bodies: Bodies) -> None:
        self._route = route
        self._binder = binder
        self._bodies = bodies

    async def read(self, exchange: Exchange, segments: Sequence[str]) -> Message:
        """Return the gRPC request."""
        body = await self._bodies.read(exchange, MAX_BODY_BYTES) if self._route.body else b""
        if body:
            asgi.require_json(exchange.headers)
        return self._binder.bind(
            Incoming(
                segments=segments,
                query=exchange.scope["query_string"].decode("latin-1"),
                keys=exchange.headers.all(_KEY_HEADER),
                body=body,
                if_match=exchange.headers.all(_IF_MATCH),
                last_event_ids=exchange.headers.all(_LAST_EVENT_ID),
            )
        )


def _wire(route: Route) -> tuple[str, Callable[[Any], bytes], Callable[[bytes], Any]]:
    """Return how the RPC is called: its path, and how its messages become bytes and back."""
    method = route.method
    path = f"/{method.containing_service.full_name}/{method.name}"
    request = message_factory.GetMessageClass(method.input_type)
    answer = message_factory.GetMessageClass(method.output_type)
    return path, request.SerializeToString, answer.FromString


class _UnaryHandler:
    """Answers with one message."""

    def __init__(
        self,
        route: Route,
        door: _Door,
        binder: Binder,
        write: Callable[[Message], Any],
        backend: Backend,
        endpoints: Endpoints,
    ) -> None:
        self._door = door
        self._endpoints = endpoints
        self._requests = _Requests(route, binder, endpoints.bodies)
        self._write = write
        self._location = route.location
        self._response_body = route.response_body
        self._etag_of = conditions.etag_of(route)
        self._may_be_known = conditions.takes_if_none_match(route)
        self._backend_admits = backend.admit
        self._call = backend.unary_unary(*_wire(route))

    async def handle(self, exchange: Exchange, segments: Sequence[str]) -> None:
        admission = await self._door.admit(exchange)
        self._endpoints.require_room()
        self._backend_admits()
        request = await self._requests.read(exchange, segments)
        with self._endpoints.admission.admitted(admission.who.principal):
            answer = await self._call(request, timeout=UNARY_SECONDS, metadata=admission.metadata)
        headers: dict[str, str] = {}
        if etag := self._etag_of(answer):
            headers["ETag"] = etag
            if self._may_be_known and conditions.is_known(etag, exchange.headers.all(_IF_NONE_MATCH)):
                await exchange.not_modified(etag)
                return
        body = orjson.dumps(self._write(answer))
        if self._location is None:
            await exchange.respond(HTTPStatus.OK, body, headers=headers)
            return
        created = getattr(answer, self._response_body) if self._response_body else answer
        name = self._location.variables[0].field
        headers["Location"] = self._location.fill({name: str(getattr(created, name))})
        await exchange.respond(HTTPStatus.CREATED, body, headers=headers)


class _StreamHandler:
    """Answers with server-sent events."""

    def __init__(
        self,
        route: Route,
        door: _Door,
        binder: Binder,
        write: Callable[[Message], Any],
        backend: Backend,
        endpoints: Endpoints,
        stopping: asyncio.Event,
    ) -> None:
        self._door = door
        self._requests = _Requests(route, binder, endpoints.bodies)
        self._write = write
        self._event_id_of = resuming.event_id_of(route)
        self._endpoints = endpoints
        self._stopping = stopping
        self._call = backend.unary_stream(*_wire(route))

    async def handle(self, exchange: Exchange, segments: Sequence[str]) -> None:
        admission = await self._door.admit(exchange)
        # It passes the door as a call does, and is counted among the streams then: as services have it as well.
        with self._endpoints.admission.admitted(admission.who.principal):
            pass
        request = await self._requests.read(exchange, segments)
        with self._endpoints.streams.held(admission.who):
            await self._run(exchange, request, admission)

    async def _run(self, exchange: Exchange, request: Message, admission: Admission) -> None:
        messages = self._call(request, timeout=STREAM_SECONDS, metadata=admission.metadata)
        stream = EventStream(
            self._while_admitted(messages, admission),
            self._write,
            self._endpoints.problem_of,
            self._stopping,
            event_id_of=self._event_id_of,
        )
        await stream.run(exchange)

    async def _while_admitted(self, messages: AsyncIterator[Any], admission: Admission) -> AsyncIterator[Any]:
        """Yield what comes, for as long as the credentials are good: a stream may be open for an hour."""
        async with contextlib.aclosing(messages):  # type: ignore[type-var]  # the channel's own generator
            async for message in messages:
                await self._door.guard.still(admission)
                yield message
