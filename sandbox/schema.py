"""Checks requests against the providers' JSON Schemas: each schema is compiled once into nested functions.

It knows the keywords that the files under schemas/ use, and refuses to compile any other; a test compares its verdicts
with a full JSON Schema implementation.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
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


Check = Callable[[Any, Path], Iterator[Violation]]

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
# One @, something on both sides, a dot in the domain, no blanks: what a mail API can know without sending.
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(T.*)?")
_FORMATS: Mapping[str, re.Pattern[str]] = {"email": _EMAIL, "date": _DATE}


class SchemaBook:
    """The schemas of one provider's operations."""

    def __init__(self, name: str) -> None:
        raw = files("sandbox").joinpath("schemas", f"{name}.json").read_text()
        self._document = json.loads(raw)
        self._compiled: dict[str, Check] = {}
        self._checks = {operation: self._compile(schema) for operation, schema in self._document["operations"].items()}

    def schema(self, operation: str) -> Schema | None:
        """Return the schema of an operation's parameters with references left in, or None."""
        found: Schema | None = self._document["operations"].get(operation)
        return found

    def resolve(self, schema: Schema) -> Schema:
        """Return what a reference stands for; any other schema unchanged."""
        if "$ref" not in schema:
            return schema
        target: Schema = self._document["$defs"][_name(schema)]
        return target

    def violations(self, operation: str, value: object) -> Iterator[Violation]:
        """Yield what is wrong with an operation's parameters, in the order of the schema."""
        return self._checks[operation](value, ())

    def _compile(self, schema: Schema) -> Check:
        if "$ref" in schema:
            return self._reference(_name(schema))
        # "properties" looks after "additionalProperties" too.
        keywords = schema.keys() - ({"additionalProperties"} if "properties" in schema else set())
        checks = [self._keyword(keyword, schema) for keyword in schema if keyword in keywords]

        def check(value: Any, path: Path) -> Iterator[Violation]:  # noqa: ANN401  (JSON is any value)
            for one in checks:
                yield from one(value, path)

        return check

    def _reference(self, name: str) -> Check:
        # Compiled on first use and shared, so that a large definition is built once.
        def check(value: Any, path: Path) -> Iterator[Violation]:  # noqa: ANN401  (JSON is any value)
            if name not in self._compiled:
                self._compiled[name] = self._compile(self._document["$defs"][name])
            return self._compiled[name](value, path)

        return check

    def _keyword(self, keyword: str, schema: Schema) -> Check:
        match keyword:
            case "type":
                return _type(schema["type"])
            case "properties" | "additionalProperties":
                return self._properties(schema)
            case "required":
                return _required(schema["required"])
            case "items":
                return self._items(schema["items"])
            case "anyOf":
                return self._any_of(schema["anyOf"])
            case "enum":
                return _enum(schema["enum"])
            case "format":
                return _format(schema["format"])
            case "uniqueItems":
                return _unique(required=schema["uniqueItems"])
            case "minLength" | "maxLength" | "minItems" | "maxItems" | "maxProperties":
                return _size(keyword, schema[keyword])
            case _:
                raise NotImplementedError(f"schema keyword {keyword}")

    def _properties(self, schema: Schema) -> Check:
        known = {name: self._compile(part) for name, part in schema.get("properties", {}).items()}
        others = schema.get("additionalProperties", True)
        rest = self._compile(others) if isinstance(others, dict) else None

        def check(value: Any, path: Path) -> Iterator[Violation]:  # noqa: ANN401  (JSON is any value)
            if not isinstance(value, dict):
                return
            for name, part in value.items():
                inner = known.get(name, rest)
                if inner is not None:
                    yield from inner(part, (*path, name))
                elif others is False:
                    yield Violation(path, "additionalProperties", name, part)

        return check

    def _items(self, schema: Schema) -> Check:
        inner = self._compile(schema)

        def check(value: Any, path: Path) -> Iterator[Violation]:  # noqa: ANN401  (JSON is any value)
            if isinstance(value, list):
                for index, part in enumerate(value):
                    yield from inner(part, (*path, index))

        return check

    def _any_of(self, schemas: list[Schema]) -> Check:
        alternatives = [(self._compile(part), _TYPES.get(self.resolve(part).get("type", ""))) for part in schemas]

        def check(value: Any, path: Path) -> Iterator[Violation]:  # noqa: ANN401  (JSON is any value)
            closest: list[Violation] | None = None
            for alternative, fits in alternatives:
                found = list(alternative(value, path))
                if not found:
                    return
                # What is wrong with the alternative of the right type says more than "none fits".
                if closest is None or (fits is not None and fits(value)):
                    closest = found
            yield from closest or ()

        return check


def _name(schema: Schema) -> str:
    reference: str = schema["$ref"]
    return reference.rpartition("/")[2]


def _type(name: str) -> Check:
    fits = _TYPES[name]

    def check(value: Any, path: Path) -> Iterator[Violation]:  # noqa: ANN401  (JSON is any value)
        if not fits(value):
            yield Violation(path, "type", name, value)

    return check


def _required(names: list[str]) -> Check:
    def check(value: Any, path: Path) -> Iterator[Violation]:  # noqa: ANN401  (JSON is any value)
        if isinstance(value, dict):
            for name in names:
                if name not in value:
                    yield Violation(path, "required", name, value)

    return check


def _enum(allowed: list[Any]) -> Check:
    def check(value: Any, path: Path) -> Iterator[Violation]:  # noqa: ANN401  (JSON is any value)
        if value not in allowed:
            yield Violation(path, "enum", allowed, value)

    return check


def _format(name: str) -> Check:
    pattern = _FORMATS[name]

    def check(value: Any, path: Path) -> Iterator[Violation]:  # noqa: ANN401  (JSON is any value)
        if isinstance(value, str) and not pattern.fullmatch(value):
            yield Violation(path, "format", name, value)

    return check


def _unique(*, required: bool) -> Check:
    def check(value: Any, path: Path) -> Iterator[Violation]:  # noqa: ANN401  (JSON is any value)
        if required and isinstance(value, list):
            seen = {json.dumps(part, sort_keys=True) for part in value}
            if len(seen) < len(value):
                yield Violation(path, "uniqueItems", expected=True, value=value)

    return check


def _size(keyword: str, bound: int) -> Check:
    kind = {"Length": str, "Items": list, "Properties": dict}[keyword[3:]]
    too_small = keyword.startswith("min")

    def check(value: Any, path: Path) -> Iterator[Violation]:  # noqa: ANN401  (JSON is any value)
        if isinstance(value, kind) and (len(value) < bound if too_small else len(value) > bound):
            yield Violation(path, keyword, bound, value)

    return check
