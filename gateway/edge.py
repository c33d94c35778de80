"""The outermost layer: what holds for every single answer, be it an order, a page or a problem."""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import redaction
from gateway import problem, sse
from gateway.access.settings import is_loopback
from gateway.asgi import Exchange
from gateway.readiness import Readiness
from kernel.errors import Reason, Refusal
from kernel.ids import Ids

_REQUEST_ID = b"x-request-id"
_STREAM = (b"content-type", sse.MEDIA_TYPE.encode())
_USABLE_ID = re.compile(rb"[\x21-\x7e]{1,128}")

# The API is read by programs: nothing of it is to be displayed, framed, sniffed or cached. Pages bring their own.
_DEFAULTS: dict[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}

# A year, as browsers and their lists take it. Not for localhost, whose other ports speak plaintext (RFC 6797, 8.4).
_HTTPS_ALONE = (b"strict-transport-security", b"max-age=31536000")

# Some 10 KB each while they wait; far more than the services behind can work on at once. An event stream is one of them
# until it is open, and counted in streams.py from then on.
MAX_IN_FLIGHT = 1_000


# Whoever watches over us must be answered at any load: a gateway that is busy is not one that is broken.
_HEALTH = frozenset({"/healthz", "/readyz"})


class Edge:
    """Gives every request an id and every answer its protective headers, and turns away what is too much.

    Args:
        app: The application behind.
        ids: Names requests.
        readiness: Knows when the gateway is about to stop.
        behind_proxy: Whether a proxy in front speaks HTTPS with those who ask, whatever it speaks with us.
    """

    def __init__(self, app: ASGIApp, ids: Ids, readiness: Readiness, *, behind_proxy: bool = False) -> None:
        self._app = app
        self._ids = ids
        self._readiness = readiness
        self._behind_proxy = behind_proxy
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        given = next((value for name, value in scope["headers"] if name == _REQUEST_ID), b"")
        request_id = given if _is_usable(given) else self._ids.new().encode()
        secured = (self._behind_proxy or scope["scheme"] == "https") and not _is_localhost(scope)
        holds_place = False

        async def send_with_headers(message: Message) -> None:
            nonlocal holds_place
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if holds_place and _STREAM in headers:
                    holds_place = False
                    self._in_flight -= 1
                present = {name for name, _ in headers}
                headers.extend((name, value) for name, value in _DEFAULTS.items() if name not in present)
                headers.append((_REQUEST_ID, request_id))
                if secured:
                    headers.append(_HTTPS_ALONE)
                if self._readiness.leaving:
                    # The next request on this connection would find it closed: let the client open another elsewhere.
                    headers.append((b"connection", b"close"))
                message["headers"] = headers
            await send(message)

        if self._in_flight >= MAX_IN_FLIGHT and scope["path"] not in _HEALTH:
            await _turn_away(Exchange(scope, receive, send_with_headers))
            return
        holds_place = True
        self._in_flight += 1
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            if holds_place:
                self._in_flight -= 1


def _is_localhost(scope: Scope) -> bool:
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return is_loopback(host.decode("latin-1") if b":" in host.rpartition(b"]")[2] else f"{host.decode('latin-1')}:443")


def _is_usable(given: bytes) -> bool:
    """Say whether an id may be repeated: one that has the shape of a secret is not, whoever has sent it."""
    return bool(_USABLE_ID.fullmatch(given)) and not redaction.is_suspicious(given.decode("ascii"))


async def _turn_away(exchange: Exchange) -> None:
    refusal = Refusal(Reason.OVERLOADED, "The gateway has all the requests it can hold.", retry_after=1.0)
    await exchange.tell(problem.of_refusal(refusal))
