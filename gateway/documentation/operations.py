"""Routes and webhooks as OpenAPI operations."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from google.protobuf.descriptor import MethodDescriptor

from gateway import conditions, problem, query, resuming
from gateway.contract import Contract
from gateway.documentation import security
from gateway.documentation.failures import REQUEST_ID_HEADER, references
from gateway.documentation.headers import ETAG, of_request, parameter
from gateway.documentation.links import Links
from gateway.documentation.schemas import Schemas
from gateway.routes import REQUEST_ID, Route, find_field
from gateway.webhooks import Webhook, payload_limit
from kernel.errors import Reason

_FIRST_SENTENCE = re.compile(r"(?<=[.:])\s")
_WORD = re.compile(r"[A-Z][A-Z_]+")


class Operations:
    """Writes operations, each under a name of its own."""

    def __init__(self, contract: Contract, schemas: Schemas, links: Links, *, open_here: bool = False) -> None:
        self._open_here = open_here
        self._links = links
        self._contract = contract
        self._schemas = schemas
        self._names: set[str] = set()

    def of_route(self, route: Route) -> dict[str, Any]:
        """Return the operation of a route."""
        method = route.method
        written = self._described(method, self._name(method), method.containing_service.name)
        if parameters := self._parameters(route):
            written["parameters"] = parameters
        if route.body:
            written["requestBody"] = self._request_body(route)
        written["responses"] = self._responses(route)
        written["security"] = security.of(route, open_here=self._open_here)
        return written

    def of_webhook(self, webhook: Webhook) -> dict[str, Any]:
        """Return the operation of a webhook."""
        method = self._contract.method(webhook.method)
        fields = method.input_type.fields_by_name
        limit = payload_limit(webhook, self._contract)
        return {
            **self._described(method, method.name, "Webhooks"),
            "parameters": [
                parameter(header, "header", self._schemas.sent(fields[name]), required=True)
                for name, header in webhook.headers.items()
            ],
            "requestBody": {
                "required": True,
                "description": f"The events as the provider sends them, byte for byte; at most {limit} bytes.",
                "content": {"application/json": {"schema": {}}},
            },
            "responses": {
                "200": self._answer("Stored.", self._schemas.answered(method.output_type)),
                **references([HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE]),
            },
        }

    def _name(self, method: MethodDescriptor) -> str:
        """Return a name of its own for each operation; further bindings of one RPC are numbered."""
        name, number = method.name, 1
        while name in self._names:
            number += 1
            name = f"{method.name}{number}"
        self._names.add(name)
        return name

    def _described(self, method: MethodDescriptor, name: str, tag: str) -> dict[str, Any]:
        comment = self._contract.comment(method)
        return {
            "operationId": name,
            "summary": _FIRST_SENTENCE.split(comment, maxsplit=1)[0].rstrip(".:"),
            "description": comment,
            "tags": [tag],
        }

    def _parameters(self, route: Route) -> list[dict[str, Any]]:
        parameters = []
        for variable in route.template.variables:
            field = find_field(route.method.input_type, variable.field)
            if field is not None:
                schema = {"minLength": 1, **self._schemas.sent(field)}
                parameters.append(parameter(variable.field, "path", schema, required=True))
        for path, field in query.parameters(route):
            parameters.append(parameter(path, "query", self._schemas.sent(field), required=False))
        return [*parameters, *of_request(route)]

    def _request_body(self, route: Route) -> dict[str, Any]:
        request = route.method.input_type
        if route.body == "*":
            schema = self._schemas.request_body(request, _given_elsewhere(route))
        else:
            schema = self._schemas.sent(request.fields_by_name[route.body])
        required = self._schemas.is_required(schema)
        return {"required": required, "content": {"application/json": {"schema": schema}}}

    def _responses(self, route: Route) -> dict[str, Any]:
        output = route.method.output_type
        if route.response_body:
            schema = self._schemas.answered_field(output.fields_by_name[route.response_body])
        else:
            schema = self._schemas.answered(output)
        comment = self._contract.comment(output)
        if route.method.server_streaming:
            success = {"200": _event_stream(comment, schema, resumable=resuming.takes_last_event_id(route))}
        elif route.location is not None:
            headers = {"Location": _location(route.location.text), **_etag(route)}
            success = {"201": self._answer(comment, schema, headers)}
        else:
            success = {"200": self._answer(comment, schema, _etag(route))}
        if links := self._links.of(route):
            next(iter(success.values()))["links"] = links
        if conditions.takes_if_none_match(route):
            success["304"] = {"description": "The client has it already.", "headers": _etag(route)}
        return {**success, **references(self._failing(route))}

    def _failing(self, route: Route) -> list[int]:
        """Return the statuses of failures worth naming: those of its kind of request, and those its comment names."""
        statuses = {int(each) for each in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)}
        if route.template.variables:
            statuses.add(HTTPStatus.NOT_FOUND)
        if route.body:
            statuses |= {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}
        if route.needs_key:
            statuses.add(HTTPStatus.CONFLICT)
        if conditions.takes_if_match(route):
            statuses.add(HTTPStatus.PRECONDITION_FAILED)
        named = set(_WORD.findall(self._contract.comment(route.method))) & set(Reason.__members__)
        return sorted(statuses | {problem.status_of(Reason[name]) for name in named})

    def _answer(
        self, description: str, schema: dict[str, Any], headers: Mapping[str, Any] = MappingProxyType({})
    ) -> dict[str, Any]:
        content = {"application/json": {"schema": schema}}
        every = {"X-Request-Id": REQUEST_ID_HEADER, **headers}
        return {"description": description or "Done.", "headers": every, "content": content}


def _given_elsewhere(route: Route) -> frozenset[str]:
    """Return the fields of the request that the path and the headers give."""
    given = set(route.bound_by_path())
    if route.needs_key:
        given.add(REQUEST_ID)
    if conditions.takes_if_match(route):
        given.add(conditions.ETAG)
    return frozenset(given)


def _location(template: str) -> dict[str, Any]:
    return {
        "description": f"Where it can be read: `{template}`.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    }


def _etag(route: Route) -> dict[str, Any]:
    return {"ETag": ETAG} if conditions.answers_etag(route) else {}


def _event_stream(comment: str, schema: dict[str, Any], *, resumable: bool) -> dict[str, Any]:
    resumed = f"Their `id` is what `{resuming.LAST_EVENT_ID}` takes." if resumable else ""
    event = {
        "type": "object",
        "description": "One event, in the words of the server-sent events standard.",
        "properties": {"event": {"type": "string"}, "id": {"type": "string"}, "data": {"type": "string"}},
        "required": ["event", "data"],
        "oneOf": [
            _event("message", schema),
            _event("error", {"$ref": "#/components/schemas/Problem"}),
            _event("end", {"type": "object"}),
        ],
    }
    return {
        "description": f"{comment}\n\nServer-sent events. Each event without a name has one object as its `data`; "
        "an `error` event brings a problem and ends the stream, an `end` event ends it in good order. "
        f"Comments (`: still here`) keep the connection open. {resumed}".rstrip(),
        "headers": {"X-Request-Id": REQUEST_ID_HEADER},
        "content": {"text/event-stream": {"schema": event}},
    }


def _event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    content = {"contentMediaType": "application/json", "contentSchema": data}
    return {"properties": {"event": {"const": name}, "data": content}}
