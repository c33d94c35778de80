"""The whole HTTP application: the contract's routes first, then the webhooks and the gateway's own pages."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import openapi, routes
from gateway.access.guard import Guard
from gateway.console.site import Console
from gateway.contract import Contract
from gateway.edge import Edge
from gateway.endpoint import Endpoints
from gateway.pages import Numbers, pages, router_problem
from gateway.readiness import Readiness
from gateway.routes import RouteTable
from gateway.shop import site as shop
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
    data_dir: Path,
    guard: Guard,
    webhooks: Sequence[Webhook] = WEBHOOKS,
    numbers: Numbers | None = None,
    sandbox_url: str = "",
    *,
    has_shop: bool = False,
    behind_proxy: bool = False,
) -> ASGIApp:
    """Return the application.

    Args:
        contract: What is served and documented.
        backends: A channel for each of the contract's services, by the service's full name.
        readiness: Knows which services are serving.
        endpoints: Runs whatever reaches a service.
        ids: Names requests.
        stopping: Set when open streams shall end.
        data_dir: Where the span store lies.
        guard: Lets requests in.
        webhooks: Where providers send their events to.
        numbers: What `/metrics` shows; None where it shows nothing.
        sandbox_url: Where the sandbox plays the providers; empty where they are real.
        has_shop: Whether the demo shop is served.
        behind_proxy: Whether a proxy in front speaks HTTPS with those who ask.

    Raises:
        ContractError: The contract asks for routes that cannot be served.
    """
    table = RouteTable(routes.routes(contract))

    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        await transcoder(scope, receive, send)

    others = Starlette(
        routes=[
            *Console(
                api,
                readiness,
                ids,
                data_dir,
                sandbox_url,
                endpoints.strangers_bodies,
                has_shop=has_shop,
                behind_proxy=behind_proxy,
            ).routes(),
            *(shop.routes(sandbox_url) if has_shop else ()),
            *(_webhook(webhook, contract, backends, endpoints) for webhook in webhooks),
            *pages(
                readiness, openapi.document(contract, table.routes, webhooks, open_here=not guard.required), numbers
            ),
        ],
        exception_handlers={HTTPException: router_problem},
    )
    others.router.redirect_slashes = False
    transcoder = Transcoder(table, backends, endpoints, stopping, guard, otherwise=others)
    return Edge(transcoder, ids, readiness, behind_proxy=behind_proxy)


def _webhook(webhook: Webhook, contract: Contract, backends: Mapping[str, Backend], endpoints: Endpoints) -> Route:
    service = contract.method(webhook.method).containing_service.full_name
    endpoint = WebhookEndpoint(webhook, contract, backends[service], endpoints)
    return Route(webhook.path, endpoint, methods=["POST"])
