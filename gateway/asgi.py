"""What ASGI leaves to every application: reading headers, reading a body within limits, sending an answer."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from gateway import problem
from gateway.problem import Problem
from kernel.errors import Reason, Refusal

JSON = "application/json"


class Disconnected(Exception):
    """The client went away before its request was complete: there is nobody to answer."""


class Headers:
    """The request's headers, read once. Names are given in lower case."""

    __slots__ = ("_values",)

    def __init__(self, scope: Scope) -> None:
        values: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            values.setdefault(name, []).append(value)
        self._values = values

    def all(self, name: bytes) -> list[str]:
        """Return every value of that header, in order."""
        return [value.decode("latin-1") for value in self._values.get(name, ())]

    def one(self, name: bytes) -> str:
        """Return the first value of that header; empty when it did not come."""
        values = self._values.get(name)
        return values[0].decode("latin-1") if values else ""


class Exchange:
    """One HTTP request and its answer.

    Attributes:
        scope: ASGI's.
        receive: ASGI's.
        send: ASGI's.
        headers: The request's headers.
        status: The status that was sent; 0 until one was.
    """

    __slots__ = ("headers", "receive", "scope", "send", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.headers = Headers(scope)
        self.status = 0

    async def body(self, limit: int) -> bytes:
        """Return the whole body of at most that many bytes.

        Raises:
            Refusal: The body is larger than the limit, or compressed.
            Disconnected: The client went away, or was too slow (limits.py).
        """
        if self.headers.one(b"content-encoding") not in {"", "identity"}:
            description = "must be left out: compressed bodies are not read"
            raise UnsupportedMediaType("Content-Encoding", description)
        declared = self.headers.one(b"content-length")
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        return await self._receive_all(limit)

    async def respond(
        self, status: int, body: bytes, content_type: str = JSON, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        fields = [(b"content-type", content_type.encode("latin-1")), (b"content-length", b"%d" % len(body))]
        if headers:
            fields.extend((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())
        await self.start(status, fields)
        await self.send({"type": "http.response.body", "body": body})

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the status and the headers; what follows goes to `send`."""
        self.status = int(status)
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def not_modified(self, etag: str) -> None:
        """Answer that the client has it already."""
        await self.start(HTTPStatus.NOT_MODIFIED, [(b"etag", etag.encode("ascii"))])
        await self.send({"type": "http.response.body", "body": b""})

    async def options(self, allowed: Iterable[str]) -> None:
        """Answer OPTIONS with the methods that the path answers to. There is no CORS."""
        await self.start(HTTPStatus.NO_CONTENT, [(b"allow", ", ".join(allowed).encode("ascii"))])
        await self.send({"type": "http.response.body", "body": b""})

    async def tell(self, told: Problem) -> None:
        """Send a problem."""
        await self.respond(told.status, told.body(), problem.MEDIA_TYPE, told.headers)

    async def _receive_all(self, limit: int) -> bytes:
        parts, size, more = [], 0, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise _too_large(limit)
            more = message.get("more_body", False)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class HttpRefusal(Refusal):
    """A refusal for which HTTP has a status of its own.

    Attributes:
        status: That one.
    """

    status: HTTPStatus


class UnsupportedMediaType(HttpRefusal):
    """The body is of a kind that is not read here: 415."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE

    def __init__(self, header: str, description: str) -> None:
        one = Refusal.of_field(header, description)
        super().__init__(one.reason, one.message, fields=one.fields)


def require_json(headers: Headers) -> None:
    """Make sure that the body says that it is JSON.

    Raises:
        UnsupportedMediaType: It says something else, or nothing.
    """
    media_type, _, parameters = headers.one(b"content-type").partition(";")
    charset = parameters.strip().lower()
    if media_type.strip().lower() != JSON or charset not in {"", "charset=utf-8", 'charset="utf-8"'}:
        raise UnsupportedMediaType("Content-Type", f"must be {JSON}")


def _too_large(limit: int) -> Refusal:
    return Refusal(
        Reason.REQUEST_TOO_LARGE,
        f"The request body is larger than {limit} bytes.",
        metadata={"maximumBytes": str(limit)},
    )
