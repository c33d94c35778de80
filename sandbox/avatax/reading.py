"""AvaTax reads requests leniently: names in any case, nulls as absent, numbers as strings. Then it is strict."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.avatax.errors import AvataxError, value_required
from sandbox.schema import Schema, SchemaBook, Violation

Json = dict[str, Any]
_Tidy = Callable[[Any], Any]

_DECIMAL = re.compile(r"-?\d+(\.\d+)?")


class Reader:
    """Reads the bodies of AvaTax's operations."""

    def __init__(self, book: SchemaBook) -> None:
        self._book = book
        self._tidies: dict[int, _Tidy] = {}

    def read(self, operation: str, document: object) -> Json:
        """Return a request body with canonical names and types, checked against the operation's schema.

        Raises:
            AvataxError: the first thing that is wrong.
        """
        if not isinstance(document, dict):
            message = "The request could not be understood: a JSON object is needed."
            raise AvataxError(400, "ModelStateInvalid", message)
        tidy: Json = self._tidy(self._book.schema(operation))(document)
        violations = self._book.violations(operation, tidy)
        if violations:
            raise _refusal(violations[0])
        return tidy

    def _tidy(self, schema: Schema) -> _Tidy:
        """Return the function that tidies values of a schema; made once per schema."""
        schema = self._book.resolve(schema)
        made = self._tidies.get(id(schema))
        if made is None:
            made = self._tidies[id(schema)] = self._make(schema)
        return made

    def _make(self, schema: Schema) -> _Tidy:
        match schema.get("type"):
            case "object":
                return _object({name: self._tidy(part) for name, part in schema.get("properties", {}).items()})
            case "array":
                items = self._tidy(schema["items"])
                return lambda value: [items(part) for part in value] if isinstance(value, list) else value
            case "number" | "integer":
                return _number
            case _ if "enum" in schema:
                allowed = {word.lower(): word for word in schema["enum"]}
                return lambda value: allowed.get(value.lower(), value) if isinstance(value, str) else value
            case _:
                return lambda value: value


def _object(known: Mapping[str, _Tidy]) -> _Tidy:
    canonical = {name.lower(): name for name in known}

    def tidy(value: Any) -> Any:  # noqa: ANN401  (JSON is any value)
        if not isinstance(value, dict):
            return value
        result: Json = {}
        for given, part in value.items():
            if part is not None:
                name = given if given in known else canonical.get(given.lower())
                result[name or given] = part if name is None else known[name](part)
        return result

    return tidy


def _number(value: Any) -> Any:  # noqa: ANN401  (JSON is any value)
    return float(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


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
            return value_required(violation.expected)
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
