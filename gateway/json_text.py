"""JSON text to plain values, refusing what two readers may take in two ways: duplicate names, endless nesting."""

import json
from typing import Any

import orjson

from kernel.errors import FieldViolation, Reason, Refusal

# No message of the contract nests deeper than ten; the interpreter's stack holds many times this.
MAX_DEPTH = 64


def parse(text: bytes) -> Any:  # noqa: ANN401  (any JSON value)
    """Return the value that a JSON text stands for.

    Raises:
        Refusal: The text is not JSON, not UTF-8, too deep, or names a member twice in one object.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _refusal(f"is not valid JSON: {error}") from None
    # Outside of strings every member has exactly one colon. As many colons as members means that none was there twice,
    # and spares the exact and slower second reading.
    if _count_members([value], 0) != text.count(b":"):
        _refuse_duplicates(text)
    return value


def parse_object(text: bytes) -> dict[str, Any]:
    """Return the members of a JSON object.

    Raises:
        Refusal: As `parse`, or the value is not an object.
    """
    value = parse(text)
    if type(value) is not dict:
        raise _refusal(f"must be a JSON object, not {kind_of(value)}")
    return value


def kind_of(value: object) -> str:
    """Return what a JSON value is, in words for a person."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def _count_members(value: dict[str, Any] | list[Any], depth: int) -> int:
    if depth > MAX_DEPTH:
        raise _refusal(f"is nested deeper than {MAX_DEPTH} levels")
    if type(value) is dict:
        count, children = len(value), value.values()
    else:
        count, children = 0, value  # type: ignore[assignment]  # both are iterables of JSON values
    for child in children:
        if type(child) is dict or type(child) is list:
            count += _count_members(child, depth + 1)
    return count


def _refuse_duplicates(text: bytes) -> None:
    # Numbers are left as text: they were read before, and the standard library refuses very long ones its own way.
    json.loads(text, object_pairs_hook=_unique, parse_int=str, parse_float=str)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise _refusal(f"names {name[:100]!r} twice in one object")
        seen.add(name)


def _refusal(description: str) -> Refusal:
    return Refusal(
        Reason.VALIDATION_FAILED, f"The request body {description}.", fields=(FieldViolation("body", description),)
    )
