"""Stripe's request bodies: forms with `a[b]=c` and `a[0]=x`, typed by the operation's schema."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from sandbox.schema import Schema, SchemaBook, Violation
from sandbox.stripe.errors import StripeError, bad_parameter

Json = dict[str, Any]

_MAX_FIELDS = 1000
_METADATA_KEYS = 50
_METADATA_KEY_LENGTH = 40
_METADATA_VALUE_LENGTH = 500


def parse_form(text: str) -> Json:
    """Return a form as nested objects whose leaves are strings.

    Raises:
        StripeError: the form is malformed.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise StripeError(400, f"Invalid request body: {error}", remembered=False) from None
    root: Json = {}
    for name, value in pairs:
        _place(root, _segments(name), name, value)
    return root


def _segments(name: str) -> list[str]:
    head, *rest = name.split("[")
    return [head, *(part.removesuffix("]") for part in rest)]


def _place(root: Json, segments: list[str], name: str, value: str) -> None:
    node: Json = root
    for segment in segments[:-1]:
        inner = node.setdefault(segment, {})
        if not isinstance(inner, dict):
            raise bad_parameter(f"Invalid request: {name} is both a value and an object", name)
        node = inner
    last = segments[-1]
    if last == "":  # a[]=x appends
        last = str(len(node))
    if isinstance(node.get(last), dict):
        raise bad_parameter(f"Invalid request: {name} is both a value and an object", name)
    node[last] = value


def typed(book: SchemaBook, operation: str, form: Json) -> Json:
    """Return the form with its leaves turned into what the operation's schema wants, checked against it.

    Raises:
        StripeError: the first thing that Stripe would refuse.
    """
    value: Json = _coerce(book, book.schema(operation), form)
    violations = book.violations(operation, value)
    if violations:
        raise _refusal(violations[0])
    metadata = value.get("metadata")
    if metadata:
        _check_metadata(metadata)
    return value


def _coerce(book: SchemaBook, schema: Schema, value: Any) -> Any:  # noqa: ANN401  (JSON is any value)
    schema = book.resolve(schema)
    if "anyOf" in schema:
        return _coerce_any(book, schema["anyOf"], value)
    kind = schema.get("type")
    if isinstance(value, dict):
        if kind == "array":
            items = schema["items"]
            return [_coerce(book, items, part) for part in value.values()]
        known = schema.get("properties", {})
        return {name: _coerce(book, known[name], part) if name in known else part for name, part in value.items()}
    return _coerce_leaf(kind, value)


def _coerce_any(book: SchemaBook, alternatives: list[Schema], value: Any) -> Any:  # noqa: ANN401  (JSON is any value)
    for alternative in alternatives:
        part = book.resolve(alternative)
        if isinstance(value, dict) == (part.get("type") in {"object", "array"}):
            coerced = _coerce(book, part, value)
            if coerced is not value or part.get("type") == "string" or value in part.get("enum", ()):
                return coerced
    return value


def _coerce_leaf(kind: str | None, text: str) -> str | int | bool:
    if kind == "integer" and text.removeprefix("-").isdecimal() and text.isascii():
        return int(text)
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    return text


def param_name(path: tuple[str | int, ...]) -> str:
    """Return a path as a form writes it: `shipping[address][city]`."""
    head, *rest = path or ("",)
    return str(head) + "".join(f"[{part}]" for part in rest)


def _refusal(violation: Violation) -> StripeError:
    param = param_name(violation.path)
    value = violation.value
    match violation.keyword:
        case "additionalProperties":
            unknown = param_name((*violation.path, violation.expected))
            return bad_parameter(f"Received unknown parameter: {unknown}", unknown, "parameter_unknown")
        case "required":
            missing = param_name((*violation.path, violation.expected))
            return bad_parameter(f"Missing required param: {missing}.", missing, "parameter_missing")
        case _ if value == "":
            message = (
                f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a parameter;"
                f" however '{param}' cannot be unset. You should remove '{param}' from your request or supply a "
                "non-empty value."
            )
            return bad_parameter(message, param, "parameter_invalid_empty")
        case "type" if violation.expected == "integer" and isinstance(value, str):
            return bad_parameter(f"Invalid integer: {value}", param, "parameter_invalid_integer")
        case "enum":
            allowed = _one_of([str(part) for part in violation.expected if part])
            return bad_parameter(f"Invalid {param}: must be {allowed}", param)
        case "type" if isinstance(value, str):
            return bad_parameter(f"Invalid {violation.expected}: {value}", param)
        case _:
            return bad_parameter(f"Invalid {violation.expected}", param)


def _one_of(words: list[str]) -> str:
    match words:
        case [only]:
            return only
        case [first, second]:
            return f"one of {first} or {second}"
        case _:
            return f"one of {', '.join(words[:-1])}, or {words[-1]}"


def _check_metadata(metadata: Json) -> None:
    for message, param in _metadata_complaints(metadata):
        raise bad_parameter(message, param)


def _metadata_complaints(metadata: Json) -> Iterator[tuple[str, str]]:
    if len(metadata) > _METADATA_KEYS:
        yield f"Metadata can have up to {_METADATA_KEYS} keys, but you passed in {len(metadata)}.", "metadata"
    for key, value in metadata.items():
        if len(key) > _METADATA_KEY_LENGTH:
            message = (
                f"Metadata keys can have up to {_METADATA_KEY_LENGTH} characters, "
                f"but you passed in a key that is {len(key)} characters."
            )
            yield message, "metadata"
        if len(value) > _METADATA_VALUE_LENGTH:
            message = (
                f"Metadata values can have up to {_METADATA_VALUE_LENGTH} characters, "
                f"but you passed in a value that is {len(value)} characters."
            )
            yield message, f"metadata[{key}]"
