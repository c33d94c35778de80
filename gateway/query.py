"""Query parameters to the JSON object that they stand for: "a.b=1&c=x&c=y" is {"a": {"b": "1"}, "c": ["x", "y"]}."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway import percent, wellknown
from gateway.routes import Route, find_field
from gateway.scalars import value_of_text
from gateway.wrong import Wrong
from kernel.errors import FieldViolation


class QueryReader:
    """Reads the query of one route: knows which fields of the request are left for it."""

    def __init__(self, route: Route) -> None:
        self._request = route.method.input_type
        self._by_path = route.bound_by_path()
        self._body = route.body

    def read(self, query: str) -> dict[str, Any]:
        """Return the JSON object that the query stands for.

        Raises:
            Wrong: Parameters are unknown, malformed, or given twice where one value is expected; it names each.
        """
        members: dict[str, Any] = {}
        violations: list[FieldViolation] = []
        for name, value in _pairs(query, violations):
            description = self._put(members, name, value)
            if description is not None:
                violations.append(FieldViolation(f".{name[:100]}", description))
        if violations:
            raise Wrong(violations)
        return members

    def _put(self, members: dict[str, Any], path: str, value: str) -> str | None:
        field = None if self._body == "*" else find_field(self._request, path)
        if field is None or path in self._by_path or path.split(".", 1)[0] == self._body:
            return "is not a parameter of this request"
        if not _is_single_value(field):
            return "is an object; give its fields one by one, as parent.child"
        *parents, name = path.split(".")
        for parent in parents:
            members = members.setdefault(parent, {})
        item = value_of_text(field, value)
        if field.is_repeated:
            members.setdefault(name, []).append(item)
        elif name in members:
            return "is given more than once"
        else:
            members[name] = item
        return None


def parameters(route: Route) -> Iterator[tuple[str, FieldDescriptor]]:
    """Yield every query parameter that the route understands, by its path, nested ones included."""
    if route.body == "*":
        return
    bound = route.bound_by_path()
    for path, field in _leaves(route.method.input_type, "", ()):
        if path not in bound and path.split(".", 1)[0] != route.body:
            yield path, field


def _leaves(message: Descriptor, prefix: str, above: tuple[str, ...]) -> Iterator[tuple[str, FieldDescriptor]]:
    for field in message.fields:
        path = f"{prefix}{field.name}"
        inner = field.message_type
        if inner is None or wellknown.is_leaf(inner):
            yield path, field
        elif not field.is_repeated and inner.full_name not in above:
            # A type within itself is documented once; deeper ones are understood all the same.
            yield from _leaves(inner, f"{path}.", (*above, message.full_name))


def _is_single_value(field: FieldDescriptor) -> bool:
    return field.message_type is None or wellknown.is_leaf(field.message_type)


def _pairs(query: str, violations: list[FieldViolation]) -> Iterator[tuple[str, str]]:
    for part in query.split("&"):
        if not part:
            continue
        name, _, value = part.replace("+", " ").partition("=")
        try:
            decoded = percent.decode(name)
        except ValueError as error:
            violations.append(FieldViolation(".query", f"has a name that {error}"))
            continue
        try:
            yield decoded, percent.decode(value)
        except ValueError as error:
            violations.append(FieldViolation(f".{decoded[:100]}", str(error)))
