"""The OpenAPI 3.1 document of everything that the gateway serves, written from descriptors, comments and rules."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ordermesh.errors.v1 import error_reason_pb2

from gateway.contract import Contract
from gateway.documentation import failures, security
from gateway.documentation.links import Links
from gateway.documentation.operations import Operations
from gateway.documentation.schemas import Schemas, reachable
from gateway.routes import Route
from gateway.webhooks import WEBHOOKS, Webhook

_INTRODUCTION = """\
The REST side of Ordermesh: places orders, works out their tax, charges them and tells what became of them.

* JSON members are named as in the contract (`order_id`), amounts are whole numbers of minor units (1099 is 10.99 EUR),
  times are RFC 3339, enum values go without their prefix. Members whose value is zero or empty are written all the
  same; objects that do not exist are left out.
* Everything that changes something takes an `Idempotency-Key`; a DELETE needs none. Send the same key again after a
  timeout: the answer is that of the first try, and nothing happens twice.
* What has a version is answered with an `ETag`. A command with that in `If-Match` is refused with 412 once there is
  another version; a GET with it in `If-None-Match` is answered by 304 until there is.
* Say who you are with `Authorization: Bearer` and an API key or a token; each operation names the scope that it needs.
  On the machine of the gateway itself that may be left out, unless it is set up otherwise.
* Errors are RFC 9457 problems. `reason` says which one it is; `errors` names each field that is wrong.
* Every answer carries an `X-Request-Id`: yours when you sent one. `traceparent` is understood as W3C describes it.
"""

_OWN_TAGS = [
    {"name": "Webhooks", "description": "Where the providers send their events. Not for clients."},
    {"name": "Health", "description": "For load balancers and orchestrators."},
]

# A google.api.http "custom" method has no place in OpenAPI.
_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"})


def document(
    contract: Contract, routes: Sequence[Route], webhooks: Sequence[Webhook] = WEBHOOKS, *, open_here: bool = False
) -> dict[str, Any]:
    """Return the document; `open_here` where this machine's own programs need no credentials."""
    schemas = Schemas(
        contract,
        sent=reachable([route.method.input_type for route in routes]),
        answered=reachable([route.method.output_type for route in routes]),
    )
    schemas.add("ErrorReason", schemas.enum(error_reason_pb2.ErrorReason.DESCRIPTOR, with_zero=False))
    for name, schema in failures.schemas().items():
        schemas.add(name, schema)
    documented = [route for route in routes if route.http_method in _METHODS]
    operations = Operations(contract, schemas, Links(documented), open_here=open_here)
    paths: dict[str, dict[str, Any]] = {}
    for route in documented:
        paths.setdefault(_path(route), {})[route.http_method.lower()] = operations.of_route(route)
    for webhook in webhooks:
        paths[webhook.path] = {"post": operations.of_webhook(webhook)}
    paths.update(_health())
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ordermesh", "version": "v1", "description": _INTRODUCTION},
        "servers": [{"url": "/"}],
        "tags": [*_tags(contract, routes), *_OWN_TAGS],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "responses": failures.responses(),
            "securitySchemes": security.schemes(),
            "headers": {
                "X-Request-Id": {
                    "description": "Names the exchange in our logs: the request's own, or one that was made for it.",
                    "schema": {"type": "string"},
                },
            },
        },
    }


def _tags(contract: Contract, routes: Iterable[Route]) -> list[dict[str, str]]:
    services = {route.method.containing_service.name: route.method.containing_service for route in routes}
    return [{"name": name, "description": contract.comment(service)} for name, service in services.items()]


def _path(route: Route) -> str:
    """Return the path with OpenAPI's own variables: "/v1/{name=orders/*}" is "/v1/{name}"."""
    return re.sub(r"\{([^}=]+)=[^}]*\}", r"{\1}", route.template.text)


def _health() -> dict[str, Any]:
    return {
        "/healthz": _page("Health", "Tells that the process is alive", {"200": "It is."}),
        "/readyz": _page(
            "Ready",
            "Tells whether requests can be served",
            {
                "200": "They can; `services` says which of the services that orders can wait for is away.",
                "503": "They cannot: the order service is away, as `services` says, or the gateway stops.",
            },
        ),
    }


def _page(name: str, summary: str, responses: dict[str, str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
    answers = {
        status: {"description": text, "content": {"application/json": {"schema": schema}}}
        for status, text in responses.items()
    }
    return {"get": {"operationId": name, "summary": summary, "tags": ["Health"], "responses": answers}}
