"""The pages that the gateway serves itself: health, the OpenAPI document, and the documentation that shows it."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from importlib import resources
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis.telemetry.metrics import Metrics
from gateway import problem
from gateway.asgi import JSON
from gateway.fixed import Page, fixed
from gateway.readiness import Readiness

Numbers = Callable[[], Sequence[Metrics]]
"""Returns the metrics of every service in this process."""

# Everything the page loads comes from here, and nothing in it is inline.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _PAGE_POLICY}
_FILES = {
    problem.DOCUMENTATION: ("docs.html", "text/html; charset=utf-8"),
    "/docs/docs.css": ("docs.css", "text/css; charset=utf-8"),
    "/docs/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
}


def pages(readiness: Readiness, openapi: Mapping[str, Any], numbers: Numbers | None) -> list[Route]:
    """Return the routes of all pages.

    Args:
        readiness: Knows which services are serving.
        openapi: The document of the contract.
        numbers: What `/metrics` shows; None where it shows nothing.
    """
    folder = resources.files("gateway.documentation").joinpath("page")
    return [
        Route("/healthz", _alive),
        Route("/readyz", _ready(readiness)),
        *([] if numbers is None else [Route("/metrics", _metrics(numbers))]),
        Route("/openapi.json", fixed(orjson.dumps(openapi), JSON, _HEADERS)),
        *(
            Route(path, fixed(folder.joinpath(name).read_bytes(), kind, _HEADERS))
            for path, (name, kind) in _FILES.items()
        ),
    ]


async def router_problem(request: Request, error: Exception) -> Response:
    """Answer what Starlette's router refuses, in the form of every other problem."""
    allow = (error.headers or {}).get("Allow", "") if isinstance(error, HTTPException) else ""
    methods = sorted({*allow.split(", "), "OPTIONS"}) if allow else []
    if methods and request.method == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": ", ".join(methods)})
    told = problem.of_wrong_method(methods) if methods else problem.of_no_route()
    return Response(told.body(), told.status, dict(told.headers), media_type=problem.MEDIA_TYPE)


async def _alive(_: Request) -> Response:
    """Tell that the process runs; whether it is of use is /readyz's to tell."""
    return Response(orjson.dumps({"status": "alive"}), media_type=JSON)


def _ready(readiness: Readiness) -> Page:
    async def answer(_: Request) -> Response:
        ready = readiness.ready()
        status_word = "ready" if ready else "stopping" if readiness.leaving else "not ready"
        document = {"status": status_word, "services": dict(readiness.states())}
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(orjson.dumps(document), status, media_type=JSON)

    return answer


def _metrics(numbers: Numbers) -> Page:
    async def answer(_: Request) -> Response:
        from chassis.telemetry import exposition  # noqa: PLC0415  (memory that most processes save)

        return Response(exposition.text(numbers()), headers={"Content-Type": exposition.CONTENT_TYPE})

    return answer
