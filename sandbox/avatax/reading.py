"""AvaTax reads requests leniently: names in any case, nulls as absent, numbers as strings. Then it is strict."""

from typing import Any

from sandbox.avatax.errors import AvataxError
from sandbox.schema import Schema, SchemaBook, Violation

Json = dict[str, Any]


def read(book: SchemaBook, operation: str, document: object) -> Json:
    """Return a request body with canonical names and types, checked against the operation's schema.

    Raises:
        AvataxError: the first thing that is wrong.
    """
    schema = book.schema(operation)
    if not isinstance(document, dict) or schema is None:
        message = "The request could not be understood: a JSON object is needed."
        raise AvataxError(400, "ModelStateInvalid", message)
    tidy: Json = _tidy(book, schema, document)
    first = next(iter(book.violations(operation, tidy)), None)
    if first is not None:
        raise _refusal(first)
    return tidy


def _tidy(book: SchemaBook, schema: Schema, value: Any) -> Any:  # noqa: ANN401  (JSON is any value)
    schema = book.resolve(schema)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        canonical = {name.lower(): name for name in known}
        tidy: Json = {}
        for given, part in value.items():
            name = given if given in known else str(canonical.get(given.lower(), given))
            if part is not None:
                tidy[name] = _tidy(book, known[name], part) if name in known else part
        return tidy
    if isinstance(value, list):
        return [_tidy(book, schema.get("items", {}), part) for part in value]
    if isinstance(value, str):
        return _tidy_text(schema, value)
    return value


def _tidy_text(schema: Schema, text: str) -> str | float:
    if schema.get("type") in {"number", "integer"}:
        try:
            return float(text)
        except ValueError:
            return text
    for allowed in schema.get("enum", ()):
        if allowed.lower() == text.lower():
            return str(allowed)
    return text


def _refusal(violation: Violation) -> AvataxError:
    field = str(violation.path[-1]) if violation.path else ""
    match violation.keyword:
        case "minItems" if field == "lines":
            description = (
                "The CreateTransactionModel object must have an element called 'lines', with at least one valid line "
                "record."
            )
            message = "Transactions must have at least one line."
            return AvataxError(400, "MissingLine", message, description, target="HttpRequestHeaders")
        case "required":
            name = violation.expected
            message = f"Field '{name}' is required."
            description = f"Please provide a value for field '{name}'."
            return AvataxError(400, "ValueRequiredError", message, description, target="IncorrectData")
        case "maxLength":
            message = f"Field '{field}' has an invalid length."
            description = f"Field '{field}' must be between 0 and {violation.expected} characters in length."
            return AvataxError(400, "StringLengthError", message, description, target="IncorrectData")
        case "enum":
            message = f"The value for field '{field}' is not recognized."
            description = f"Field '{field}' must be one of: {', '.join(violation.expected)}."
            return AvataxError(400, "InvalidEnumValue", message, description, target="IncorrectData")
        case "format":
            message = f"Field '{field}' is not a valid date."
            return AvataxError(400, "DateFormatError", message, target="IncorrectData")
        case "additionalProperties":
            message = f"Field '{violation.expected}' is not part of this request."
            return AvataxError(400, "ModelStateInvalid", message, target="IncorrectData")
        case _:
            message = f"Field '{field}' must be of type {violation.expected}."
            return AvataxError(400, "ModelStateInvalid", message, target="IncorrectData")
