"""The headers that requests may bring and answers carry, as OpenAPI describes them."""

from collections.abc import Mapping
from typing import Any

from gateway import conditions, resuming
from gateway.bind import KEY_HEADER, MAX_KEY_LENGTH
from gateway.contract import field_rules
from gateway.routes import Route

_KEY_SCHEMA = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_KEY_LENGTH,
    "pattern": "^[\\x21-\\x7e]+$",
    "description": "Names the change that is meant; it becomes the call's `request_id`. The same key with the same "
    "request gives the first answer again, with another request 409.",
}
_IF_NONE_MATCH_SCHEMA = {
    "type": "string",
    "description": "The `ETag` of what the client has already: the answer is 304 when that is still what there is.",
}
_LAST_EVENT_ID_SCHEMA = {
    "type": "string",
    "pattern": "^(0|[1-9][0-9]{0,17})?$",
    "description": "The `id` of the event that came last before the stream was cut off; the stream goes on after it. "
    "Empty is as if there were none. Browsers' EventSource sends it by itself. It goes before "
    f"`{resuming.AFTER_VERSION}`.",
}
# Two quotes around what the contract allows.
_QUOTES = 2

ETAG = {
    "description": "Names this version of it, for `If-Match` and `If-None-Match`.",
    "schema": {"type": "string"},
}


def of_request(route: Route) -> list[dict[str, Any]]:
    """Return the parameters of a route that are headers."""
    found = []
    if route.needs_key:
        found.append(parameter(KEY_HEADER, "header", _KEY_SCHEMA, required=True))
    if conditions.takes_if_match(route):
        found.append(parameter(conditions.IF_MATCH, "header", _if_match_schema(route), required=False))
    if conditions.takes_if_none_match(route):
        found.append(parameter(conditions.IF_NONE_MATCH, "header", _IF_NONE_MATCH_SCHEMA, required=False))
    if resuming.takes_last_event_id(route):
        found.append(parameter(resuming.LAST_EVENT_ID, "header", _LAST_EVENT_ID_SCHEMA, required=False))
    return found


def parameter(name: str, place: str, schema: Mapping[str, Any], *, required: bool) -> dict[str, Any]:
    """Return a parameter; what its schema says in words is said of the parameter."""
    written = dict(schema)
    description = written.pop("description", "")
    found: dict[str, Any] = {"name": name, "in": place, "required": required, "schema": written}
    if description:
        found["description"] = description
    return found


def _if_match_schema(route: Route) -> dict[str, Any]:
    rules = field_rules(route.method.input_type.fields_by_name[conditions.ETAG])
    limit = {"maxLength": rules.string.max_len + _QUOTES} if rules is not None and rules.string.max_len else {}
    return {
        "type": "string",
        "pattern": '^(\\*|"[\\x21\\x23-\\x7e]+")$',
        **limit,
        "description": "The `ETag` of the version that the command is meant for: it is refused with 412 when there is "
        "another by now. One strong tag in its quotes, or `*`, which is whatever there is. Left out it is `*`.",
    }
