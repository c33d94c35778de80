"""One HTTP request to one gRPC request: body, path variables, query and key, put together and read at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from gateway import percent
from gateway.json_text import parse, parse_object
from gateway.query import QueryReader
from gateway.read_json import MessageReaders
from gateway.routes import REQUEST_ID, Route, find_field
from gateway.scalars import value_of_text
from gateway.wrong import Wrong, refusal
from kernel.errors import FieldViolation

KEY_HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 128
_FIRST_VISIBLE, _LAST_VISIBLE = "!", "~"


@dataclass(frozen=True, slots=True)
class Incoming:
    """What of an HTTP request becomes the gRPC request.

    Attributes:
        segments: The path's segments, percent-encoded.
        query: What follows the question mark, percent-encoded.
        keys: Every Idempotency-Key header that came.
        body: The body; empty when there was none.
    """

    segments: Sequence[str]
    query: str
    keys: Sequence[str]
    body: bytes


class Binder:
    """Makes the gRPC requests of one route."""

    def __init__(self, route: Route, readers: MessageReaders) -> None:
        self._route = route
        self._input = route.method.input_type
        self._readers = readers
        self._query = QueryReader(route)
        readers.of_message(self._input)

    def bind(self, incoming: Incoming) -> Message:
        """Return the gRPC request.

        Raises:
            Refusal: Something is missing, unknown or malformed; it names each field.
        """
        members = self._body(incoming.body)
        violations: list[FieldViolation] = []
        if incoming.query:
            violations.extend(self._merge_query(members, incoming.query))
        violations.extend(self._merge_path(members, incoming.segments))
        if self._route.needs_key:
            violations.extend(_merge_key(members, incoming.keys))
        try:
            message = self._readers.read(self._input, members)
        except Wrong as wrong:
            violations.extend(wrong.violations)
        if violations:
            raise refusal(violations)
        return message

    def _body(self, text: bytes) -> dict[str, Any]:
        field = self._route.body
        if not text or not field:
            return {}
        return parse_object(text) if field == "*" else {field: parse(text)}

    def _merge_query(self, members: dict[str, Any], query: str) -> Sequence[FieldViolation]:
        try:
            members.update(self._query.read(query))
        except Wrong as wrong:
            return wrong.violations
        return ()

    def _merge_path(self, members: dict[str, Any], segments: Sequence[str]) -> list[FieldViolation]:
        violations = []
        for variable in self._route.template.variables:
            raw = "/".join(segments[variable.start : variable.stop])
            several = variable.stop is None or variable.stop - variable.start > 1
            try:
                text = percent.decode_but_slashes(raw) if several else percent.decode(raw)
            except ValueError as error:
                violations.append(FieldViolation(f".{variable.field}", str(error)))
                continue
            field = find_field(self._input, variable.field)
            value = text if field is None else value_of_text(field, text)
            violations.extend(_put(members, variable.field, value, "the path"))
        return violations


def _merge_key(members: dict[str, Any], keys: Sequence[str]) -> list[FieldViolation]:
    if not keys:
        return [FieldViolation(f".{KEY_HEADER}", "is a required header: one new key per change that is meant")]
    if len(keys) > 1:
        return [FieldViolation(f".{KEY_HEADER}", "is given more than once")]
    key = keys[0]
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not all(_FIRST_VISIBLE <= letter <= _LAST_VISIBLE for letter in key):
        return [FieldViolation(f".{KEY_HEADER}", f"must be 1 to {MAX_KEY_LENGTH} visible ASCII characters")]
    return _put(members, REQUEST_ID, key, f"the {KEY_HEADER} header")


def _put(members: dict[str, Any], path: str, value: Any, source: str) -> list[FieldViolation]:  # noqa: ANN401
    """Set the member at a dotted path; what the body says there already must be the same."""
    *parents, name = path.split(".")
    for parent in parents:
        members = members.setdefault(parent, {})
        if type(members) is not dict:
            return []  # the reader names it: it should have been an object
    if members.setdefault(name, value) != value:
        return [FieldViolation(f".{path}", f"differs from {source}; leave it out of the body")]
    return []
