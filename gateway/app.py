"""The whole HTTP application: the contract's routes first, then webhooks, health and documentation."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Page
from starlette.types import ASGIApp

from gateway import problem, routes
from gateway.asgi import JSON
from gateway.contract import Contract
from gateway.edge import Edge
from gateway.endpoint import Endpoints
from gateway.readiness import Readiness
from gateway.routes import RouteTable
from gateway.transcoder import Backend, Transcoder
from gateway.webhooks import WEBHOOKS, Webhook, WebhookEndpoint
from kernel.ids import Ids


def create_app(
    contract: Contract,
    backends: Mapping[str, Backend],
    readiness: Readiness,
    endpoints: Endpoints,
    ids: Ids,
    stopping: asyncio.Event,
) -> ASGIApp:
    """Return the application.

    Args:
        contract: What is served and documented.
        backends: A channel for each of the contract's services, by the service's full name.
        readiness: Knows which services are serving.
        endpoints: Runs whatever reaches a service.
        ids: Names requests.
        stopping: Set when open streams shall end.

    Raises:
        ContractError: The contract asks for routes that cannot be served.
    """
    table = RouteTable(routes.routes(contract))
    pages = Starlette(
        routes=[
            Page("/healthz", _alive),
            Page("/readyz", _Ready(readiness).answer),
            *(_webhook(webhook, contract, backends, endpoints) for webhook in WEBHOOKS),
        ],
        exception_handlers={HTTPException: _problem},
    )
    pages.router.redirect_slashes = False
    return Edge(Transcoder(table, backends, endpoints, stopping, otherwise=pages), ids)


def _webhook(webhook: Webhook, contract: Contract, backends: Mapping[str, Backend], endpoints: Endpoints) -> Page:
    service = contract.method(webhook.method).containing_service.full_name
    endpoint = WebhookEndpoint(webhook, contract, backends[service], endpoints)
    return Page(webhook.path, endpoint, methods=["POST"])


async def _alive(_: Request) -> Response:
    """Tell that the process runs; whether it is of use is /readyz's to tell."""
    return Response(orjson.dumps({"status": "alive"}), media_type=JSON)


class _Ready:
    """Tells whether requests can be served, and which service keeps them from it."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    async def answer(self, _: Request) -> Response:
        ready = self._readiness.ready()
        document = {"status": "ready" if ready else "not ready", "services": dict(self._readiness.states())}
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(orjson.dumps(document), status, media_type=JSON)


async def _problem(request: Request, error: Exception) -> Response:
    """Answer what Starlette's router refuses, in our own form."""
    allow = error.headers.get("Allow", "") if isinstance(error, HTTPException) and error.headers else ""
    if not allow:
        told = problem.of_no_route()
    elif request.method == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": f"{allow}, OPTIONS"})
    else:
        told = problem.of_wrong_method([*allow.split(", "), "OPTIONS"])
    return Response(told.body(), told.status, dict(told.headers), media_type=problem.MEDIA_TYPE)
