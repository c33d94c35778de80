"""Problems as OpenAPI describes them: which statuses there are, for which reasons, and what the document looks like."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from gateway import problem
from kernel.errors import Reason

REQUEST_ID_HEADER = {"$ref": "#/components/headers/X-Request-Id"}


def references(statuses: Iterable[int]) -> dict[str, Any]:
    """Return the responses of an operation that may fail with these statuses, and with others."""
    named = {str(int(status)): {"$ref": f"#/components/responses/{int(status)}"} for status in statuses}
    return {**named, "default": {"$ref": "#/components/responses/Problem"}}


def responses() -> dict[str, Any]:
    """Return the response of each status, as OpenAPI's components hold them."""
    by_status: dict[int, list[str]] = {}
    for reason in Reason:
        by_status.setdefault(problem.status_of(reason), []).append(reason.value)
    by_status.setdefault(int(HTTPStatus.PRECONDITION_FAILED), []).append(Reason.VERSION_MISMATCH.value)
    by_status.setdefault(int(HTTPStatus.UNSUPPORTED_MEDIA_TYPE), []).append(Reason.VALIDATION_FAILED.value)
    named = {
        str(status): _problem_response(f"{HTTPStatus(status).phrase}: {', '.join(f'`{name}`' for name in reasons)}.")
        for status, reasons in sorted(by_status.items())
    }
    return {**named, "Problem": _problem_response("Any other problem: 408, 429, 500, 501, 503, 504.")}


def _problem_response(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {
            "X-Request-Id": REQUEST_ID_HEADER,
            "Retry-After": {
                "description": "Seconds after which another try makes sense, when that is known.",
                "schema": {"type": "integer", "minimum": 1},
            },
        },
        "content": {problem.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def schemas() -> dict[str, Any]:
    """Return the schemas of a problem, as OpenAPI's components hold them."""
    text = {"type": "string"}
    return {
        "Problem": {
            "type": "object",
            "description": "Why a request was not done: a problem as RFC 9457 describes it, with members of our own.",
            "properties": {
                "type": {**text, "format": "uri-reference", "description": "Where the reason is explained."},
                "title": {**text, "description": "The reason in words."},
                "status": {"type": "integer", "description": "The HTTP status."},
                "detail": {**text, "description": "What happened this time, for a person."},
                "reason": {**text, "description": "The reason, for programs: a value of ErrorReason."},
                "errors": {
                    "type": "array",
                    "description": "The fields that are wrong.",
                    "items": {"$ref": "#/components/schemas/FieldError"},
                },
                "metadata": {
                    "type": "object",
                    "description": "Facts about it; ErrorReason says which reason brings which.",
                    "additionalProperties": text,
                },
                "decline_code": {**text, "description": "The card issuer's reason, when a card was declined."},
                "order_id": {**text, "description": "The order that it is about."},
            },
            "required": ["type", "title", "status", "detail", "reason"],
        },
        "FieldError": {
            "type": "object",
            "description": "A field that is wrong.",
            "properties": {
                "field": {**text, "description": "Its path: `items[0].quantity`; for a header its name."},
                "description": {**text, "description": "What is wrong with it and what to do."},
            },
            "required": ["field", "description"],
        },
    }
