"""Who may call an operation, as OpenAPI says it: the scope, and whether customers may."""

from typing import Any

from chassis.access.rules import rule_of
from gateway.routes import Route

KEY, STAFF, CUSTOMER = "apiKey", "staffToken", "customerToken"


def schemes() -> dict[str, Any]:
    """Return the ways to say who one is, as OpenAPI's components hold them."""
    bearer = {"type": "http", "scheme": "bearer"}
    return {
        KEY: {
            **bearer,
            "bearerFormat": "omk_<id>_<secret>",
            "description": "An API key, made with `ordermesh keys create`; it has scopes.",
        },
        STAFF: {
            **bearer,
            "bearerFormat": "JWT",
            "description": "A token of the shop's identity provider for staff; it has scopes.",
        },
        CUSTOMER: {
            **bearer,
            "bearerFormat": "JWT",
            "description": "A token of that provider that names a customer, who sees their own orders alone.",
        },
    }


def of(route: Route, *, open_here: bool = False) -> list[dict[str, list[str]]]:
    """Return what an operation asks for; any one of it is enough, and nothing is where `open_here`."""
    rule = rule_of(route.method)
    if rule is None:
        return []
    asked: list[dict[str, list[str]]] = [{}] if open_here else []
    if rule.scope:
        asked += [{KEY: [rule.scope]}, {STAFF: [rule.scope]}]
    if rule.own:
        asked.append({CUSTOMER: []})
    return asked
