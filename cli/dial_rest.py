"""How the command reaches the mesh from outside: stubs whose calls go to the gateway's REST API, under an API key.

Services know callers by certificates and take no keys; the gateway does. Whatever has a route there works alike; what
has none is for those who are inside.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from typing import Any, cast

import grpc
import httpx
import orjson
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from chassis.config import Secret
from gateway import contract, wrong
from gateway.read_json import MessageReaders
from gateway.routes import REQUEST_ID, Route, routes
from gateway.write_json import MessageWriters
from kernel.errors import FieldViolation, Reason, Refusal

VARIABLE = "ORDERMESH_GATEWAY_URL"

# An open stream is never silent for longer: the gateway says every 15 s that it is there.
_SILENT_SECONDS = 60.0
_SERVER_ERROR = 500


class RestChannel:
    """Stands in for a channel to any service of the mesh.

    Its calls raise:
        Refusal: It was not done, for the reason given, or nobody answered (UNAVAILABLE, DEADLINE_EXCEEDED).

    Args:
        url: Where the gateway is.
        key: An API key, or a token, that it knows.
        client: Makes the requests.
    """

    def __init__(self, url: str, key: Secret, client: httpx.AsyncClient) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {key.reveal()}"}
        self._client = client
        self._read, self._write = MessageReaders().read, MessageWriters().write

    @property
    def for_stub(self) -> grpc.aio.Channel:
        """Return it under the type that generated stubs ask for; they use the two methods below only."""
        return cast("grpc.aio.Channel", self)

    def unary_unary(self, path: str, *_: object, **__: object) -> Callable[..., Awaitable[Message]]:
        """Return the callable behind one RPC of a stub."""

        async def call(request: Message, *, timeout: float) -> Message:  # noqa: ASYNC109  (grpc's own name)
            route = self._route(path)
            with self._answering():
                answer = await self._client.request(**self._request(route, request), timeout=timeout)
            if answer.is_error:
                raise _refusal(answer.status_code, answer.headers, answer.content)
            return self._message(route, orjson.loads(answer.content or b"{}"))

        return call

    def unary_stream(self, path: str, *_: object, **__: object) -> Callable[..., AsyncIterator[Message]]:
        """Return the callable behind one server-streaming RPC of a stub."""

        async def call(request: Message) -> AsyncIterator[Message]:
            route = self._route(path)
            with self._answering():
                async with self._client.stream(**self._request(route, request), timeout=_SILENT_SECONDS) as answer:
                    if answer.is_error:
                        raise _refusal(answer.status_code, answer.headers, await answer.aread())
                    async for kind, data in _events(answer.aiter_lines()):
                        if kind == "end":
                            return
                        if kind == "error":
                            raise _refusal(_SERVER_ERROR, {}, data)
                        yield self._message(route, orjson.loads(data))
            raise Refusal(Reason.UNAVAILABLE, "The gateway ended the stream early.")

        return call

    @cached_property
    def _routes(self) -> Mapping[str, Route]:
        # The first route of a method is its own; those after it are other ways to the same.
        return {_path(route.method): route for route in reversed(routes(contract.load()))}

    def _route(self, path: str) -> Route:
        if path not in self._routes:
            name = path.rpartition("/")[2]
            raise Refusal(Reason.PERMISSION_DENIED, f"The REST API has no {name}: it takes a certificate, and no key.")
        return self._routes[path]

    def _request(self, route: Route, request: Message) -> dict[str, Any]:
        """Return what httpx is told to send."""
        written = self._write(request)
        members = {field.name: written[field.name] for field, _ in request.ListFields()}
        given = {name: str(members.pop(name)) for name in route.bound_by_path() if name in members}
        headers = dict(self._headers)
        if route.needs_key:
            headers["idempotency-key"] = members.pop(REQUEST_ID, "")
        body = members if route.body == "*" else members.pop(route.body, {}) if route.body else None
        query = [] if route.body == "*" else list(_parameters(members))
        url = f"{self._url}{route.template.fill(dict.fromkeys(route.bound_by_path(), '') | given)}"
        sent = {} if body is None else {"json": body}
        return {"method": route.http_method, "url": url, "params": query, "headers": headers, **sent}

    def _message(self, route: Route, document: object) -> Message:
        try:
            return self._read(
                route.method.output_type, {route.response_body: document} if route.response_body else document
            )
        except wrong.Wrong as error:
            what = ", ".join(violation.field.lstrip(".") for violation in error.violations)
            raise Refusal(Reason.INTERNAL, f"The gateway is of another release than this command: {what}.") from None

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException:
            raise Refusal(Reason.DEADLINE_EXCEEDED, f"No answer came in time from {self._url}.") from None
        except httpx.TransportError:
            raise Refusal(Reason.UNAVAILABLE, f"Nobody answers at {self._url} ({VARIABLE}).") from None


@asynccontextmanager
async def rest_channel(url: str, key: Secret, trust: ssl.SSLContext | bool) -> AsyncIterator[RestChannel]:  # noqa: FBT001  (httpx's own)
    """Open connections to the gateway as they are needed, and close them again."""
    # Where a redirect leads nobody has vouched for the key's next reader, and proxies are none of ours.
    async with httpx.AsyncClient(follow_redirects=False, trust_env=False, verify=trust) as client:
        yield RestChannel(url, key, client)


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def _parameters(members: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the members as the query writes them: "a.b=1&c=x&c=y" is {"a": {"b": 1}, "c": ["x", "y"]}."""
    for name, value in members.items():
        if isinstance(value, dict):
            yield from _parameters(value, f"{prefix}{name}.")
            continue
        for each in value if isinstance(value, list) else [value]:
            yield f"{prefix}{name}", str(each).lower() if isinstance(each, bool) else str(each)


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, str]]:
    """Yield the kind and the data of each event; comments have neither."""
    kind, data = "message", ""
    async for line in lines:
        if line:
            name, _, value = line.partition(": ")
            kind = value if name == "event" else kind
            data = value if name == "data" else data
        elif data:
            yield kind, data
            kind, data = "message", ""


def _refusal(status: int, headers: Mapping[str, str], body: bytes | str) -> Refusal:
    """Return what a problem says."""
    try:
        problem = orjson.loads(body)
        reason = Reason(problem["reason"])
    except (ValueError, KeyError, TypeError):
        # Not ours: of something between us and the gateway, or of a release after this one.
        kind = Reason.UNAVAILABLE if status >= _SERVER_ERROR else Reason.INTERNAL
        return Refusal(kind, f"The gateway, or something before it, answered with {status}.")
    wait = headers.get("retry-after", "")
    return Refusal(
        reason,
        problem.get("detail", ""),
        metadata=problem.get("metadata", {}),
        fields=tuple(FieldViolation(each["field"], each["description"]) for each in problem.get("errors", ())),
        retry_after=float(wait) if wait.isdigit() else None,
    )
