"""Checks requests against the providers' JSON Schemas: each schema is compiled once into nested functions.

It knows the keywords that the files under schemas/ use and refuses to compile any other; a test compares its verdicts
with those of a full JSON Schema implementation.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

Schema = Mapping[str, Any]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing in a request that its schema forbids."""

    path: Path
    """Where, from the root: `("personalizations", 0, "to")`."""
    keyword: str
    """The JSON Schema keyword that was broken."""
    expected: Any
    """What the schema says there; for `required` and `additionalProperties` the property's name."""
    value: Any
    """What the request says there."""


Check = Callable[[Any, Path, list[Violation]], None]
"""Appends what is wrong with a value."""

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: (
        (isinstance(value, int) or (isinstance(value, float) and value.is_integer())) and not isinstance(value, bool)
    ),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}
_FORMATS: Mapping[str, re.Pattern[str]] = {
    # One @, something on both sides, a dot in the domain, no blanks: what a mail API can know without sending.
    "email": re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+"),
    "date": re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(T.*)?"),
}
_MEASURED: Mapping[str, type[str | list[Any] | dict[str, Any]]] = {"Length": str, "Items": list, "Properties": dict}


class SchemaBook:
    """The schemas of one provider's operations."""

    def __init__(self, name: str) -> None:
        raw = files("sandbox").joinpath("schemas", f"{name}.json").read_text()
        document = json.loads(raw)
        self._operations: Mapping[str, Schema] = document["operations"]
        self._definitions: Mapping[str, Schema] = document.get("$defs", {})
        self._defined: dict[str, Check] = {}
        self._checks = {operation: self._compile(schema) for operation, schema in self._operations.items()}

    def schema(self, operation: str) -> Schema:
        """Return the schema of an operation's parameters, references left in."""
        return self._operations[operation]

    def resolve(self, schema: Schema) -> Schema:
        """Return what a reference stands for; any other schema unchanged."""
        return self._definitions[_name(schema)] if "$ref" in schema else schema

    def violations(self, operation: str, value: object) -> list[Violation]:
        """Return what is wrong with an operation's parameters."""
        found: list[Violation] = []
        self._checks[operation](value, (), found)
        return found

    def _compile(self, schema: Schema) -> Check:
        if "$ref" in schema:
            return self._reference(_name(schema))
        # "properties" looks after "additionalProperties" too.
        covered = {"additionalProperties"} if "properties" in schema else set()
        checks = [self._keyword(keyword, schema) for keyword in schema if keyword not in covered]
        if len(checks) == 1:
            return checks[0]

        def check(value: Any, path: Path, found: list[Violation]) -> None:  # noqa: ANN401  (JSON is any value)
            for one in checks:
                one(value, path, found)

        return check

    def _reference(self, name: str) -> Check:
        if name not in self._defined:
            self._defined[name] = self._compile(self._definitions[name])
        return self._defined[name]

    def _keyword(self, keyword: str, schema: Schema) -> Check:
        argument = schema[keyword]
        if keyword in {"properties", "additionalProperties"}:
            return self._properties(schema)
        if keyword == "items":
            return self._items(argument)
        if keyword == "anyOf":
            return self._any_of(argument)
        if keyword[:3] in {"min", "max"} and keyword[3:] in _MEASURED:
            return _size(keyword, argument)
        return _SIMPLE[keyword](argument)

    def _properties(self, schema: Schema) -> Check:
        known = {name: self._compile(part) for name, part in schema.get("properties", {}).items()}
        others = schema.get("additionalProperties", True)
        rest = self._compile(others) if isinstance(others, dict) else None

        def check(value: Any, path: Path, found: list[Violation]) -> None:  # noqa: ANN401  (JSON is any value)
            if not isinstance(value, dict):
                return
            for name, part in value.items():
                inner = known.get(name, rest)
                if inner is not None:
                    inner(part, (*path, name), found)
                elif others is False:
                    found.append(Violation(path, "additionalProperties", name, part))

        return check

    def _items(self, schema: Schema) -> Check:
        inner = self._compile(schema)

        def check(value: Any, path: Path, found: list[Violation]) -> None:  # noqa: ANN401  (JSON is any value)
            if isinstance(value, list):
                for index, part in enumerate(value):
                    inner(part, (*path, index), found)

        return check

    def _any_of(self, schemas: list[Schema]) -> Check:
        alternatives = [(self._compile(part), _TYPES.get(self.resolve(part).get("type", ""))) for part in schemas]

        def check(value: Any, path: Path, found: list[Violation]) -> None:  # noqa: ANN401  (JSON is any value)
            closest: list[Violation] = []
            settled = False
            for alternative, fits in alternatives:
                wrong: list[Violation] = []
                alternative(value, path, wrong)
                if not wrong:
                    return
                # What is wrong with the alternative of the right type says most; failing that, with the last one, since
                # the first is often just the empty string.
                right_type = fits is not None and fits(value)
                if right_type or not settled:
                    closest, settled = wrong, right_type
            found.extend(closest)

        return check


def _name(schema: Schema) -> str:
    reference: str = schema["$ref"]
    return reference.rpartition("/")[2]


def _type(name: str) -> Check:
    fits = _TYPES[name]

    def check(value: Any, path: Path, found: list[Violation]) -> None:  # noqa: ANN401  (JSON is any value)
        if not fits(value):
            found.append(Violation(path, "type", name, value))

    return check


def _required(names: list[str]) -> Check:
    def check(value: Any, path: Path, found: list[Violation]) -> None:  # noqa: ANN401  (JSON is any value)
        if isinstance(value, dict):
            found.extend(Violation(path, "required", name, value) for name in names if name not in value)

    return check


def _enum(allowed: list[Any]) -> Check:
    def check(value: Any, path: Path, found: list[Violation]) -> None:  # noqa: ANN401  (JSON is any value)
        if value not in allowed:
            found.append(Violation(path, "enum", allowed, value))

    return check


def _format(name: str) -> Check:
    pattern = _FORMATS[name]

    def check(value: Any, path: Path, found: list[Violation]) -> None:  # noqa: ANN401  (JSON is any value)
        if isinstance(value, str) and not pattern.fullmatch(value):
            found.append(Violation(path, "format", name, value))

    return check


def _unique(required: bool) -> Check:  # noqa: FBT001  (the keyword's own argument)
    def check(value: Any, path: Path, found: list[Violation]) -> None:  # noqa: ANN401  (JSON is any value)
        if (
            required
            and isinstance(value, list)
            and len({json.dumps(part, sort_keys=True) for part in value}) < len(value)
        ):
            found.append(Violation(path, "uniqueItems", required, value))

    return check


def _size(keyword: str, bound: int) -> Check:
    kind = _MEASURED[keyword[3:]]
    least = keyword.startswith("min")

    def check(value: Any, path: Path, found: list[Violation]) -> None:  # noqa: ANN401  (JSON is any value)
        if isinstance(value, kind) and (len(value) < bound if least else len(value) > bound):
            found.append(Violation(path, keyword, bound, value))

    return check


_SIMPLE: Mapping[str, Callable[[Any], Check]] = {
    "type": _type,
    "required": _required,
    "enum": _enum,
    "format": _format,
    "uniqueItems": _unique,
}
