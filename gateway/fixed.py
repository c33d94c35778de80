"""Pages and files that never change while the process runs."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

Page = Callable[[Request], Awaitable[Response]]


def fixed(body: bytes, content_type: str, headers: Mapping[str, str]) -> Page:
    """Return what answers with it; browsers ask whether it has changed.

    Args:
        body: The page.
        content_type: Of what kind it is.
        headers: What else is sent with it.
    """
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    sent = {"ETag": etag, "Cache-Control": "no-cache", **headers}

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=sent)
        return Response(body, headers=sent, media_type=content_type)

    return answer
