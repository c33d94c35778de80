"""The REST API called from within the process, as the person who looks at a page would call it from outside.

So a page shows, and a button does, what that person may see and do, and nothing of an order is known here that is not
in the contract.
"""

from collections.abc import Awaitable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access.guard import FORWARDED
from gateway.asgi import JSON
from gateway.bind import KEY_HEADER

Json = dict[str, Any]

# What of a request says who makes it, and from where.
_CARRIED = ("client", "server", "scheme")
COOKIE = "ordermesh_console"


class Refused(Exception):
    """The API did not do it.

    Attributes:
        status: Of its answer.
        title: What was wrong.
        detail: What to do.
    """

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(problem.get("title", ""))
        self.status = status
        self.title = str(problem.get("title", "Something went wrong"))
        self.detail = str(problem.get("detail", ""))


class Api:
    """The API as one person may use it.

    Args:
        app: The application behind `/api`.
        request: Theirs.
    """

    def __init__(self, app: ASGIApp, request: Request) -> None:
        self._app = app
        self._request = request

    async def get(self, path: str, **query: str) -> Json:
        """Read something.

        Args:
            path: Below /api/v1: "/orders".
            query: Empty values are left out.

        Raises:
            Refused: It cannot be read.
        """
        return await self._call(
            "GET", path, urlencode({name: value for name, value in query.items() if value}), b"", {}
        )

    async def post(self, path: str, body: Json, key: str) -> Json:
        """Have something done.

        Args:
            path: Below /api/v1: "/orders/…:retry".
            body: Of the request.
            key: Its idempotency key: a button that is pressed twice does its work once.

        Raises:
            Refused: It was not done.
        """
        headers = {KEY_HEADER: key, "content-type": JSON}
        return await self._call("POST", path, "", orjson.dumps(body), headers)

    def stream(self, path: str, **query: str) -> Response:
        """Return an answer that is the API's own, event by event.

        Args:
            path: Below /api/v1: "/orders/…:watch".
            query: As it is.
        """
        headers = {}
        if last := self._request.headers.get("last-event-id"):
            headers["last-event-id"] = last
        return _Passed(self._app, self._scope("GET", path, urlencode(query), headers))

    async def _call(self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]) -> Json:
        status, answer = HTTPStatus.INTERNAL_SERVER_ERROR.value, bytearray()

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            answer.extend(message.get("body", b""))

        await self._app(self._scope(method, path, query, headers), receive, send)
        document: Json = orjson.loads(answer) if answer else {}
        if status >= HTTPStatus.BAD_REQUEST:
            raise Refused(status, document)
        return document

    def _scope(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> Scope:
        whole = f"/api/v1{quote(path, safe='/:')}"
        sent = {**_origin(self._request), **authorization(self._request), **headers}
        return {
            **{name: self._request.scope.get(name) for name in _CARRIED},
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": f"/api/v1{path}",
            "raw_path": whole.encode("ascii"),
            "query_string": query.encode("ascii"),
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()],
        }


async def or_why_not(reading: Awaitable[Json]) -> Json:
    """Return what was read, or why it cannot be, as "refused": a page is of use without one of its parts."""
    try:
        return await reading
    except Refused as refused:
        return {"refused": refused.title}


class _Passed(Response):
    """The answer of another application."""

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        super().__init__()
        self._app = app
        self._asked = scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the other application answer."""
        await self._app(self._asked, receive, send)


def _origin(request: Request) -> dict[str, str]:
    """Return the headers that say where a request comes from: who needs no credentials is told by them."""
    names = ["host", "origin", *(name.decode() for name in FORWARDED)]
    return {name: value for name in names if (value := request.headers.get(name)) is not None}


def authorization(request: Request) -> dict[str, str]:
    """Return the header that says who the person is: the browser's own, or what they signed in with."""
    own = request.headers.get("authorization")
    if own:
        return {"authorization": own}
    kept = request.cookies.get(COOKIE)
    return {"authorization": f"Bearer {kept}"} if kept else {}
