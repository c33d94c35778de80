"""One HTTP request to one gRPC request: body, path, query and headers, put together and read at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from gateway import percent
from gateway.conditions import ETAG, IF_MATCH, takes_if_match, wanted_tag
from gateway.contract import has_side_effects
from gateway.json_text import parse, parse_object
from gateway.query import QueryReader
from gateway.read_json import MessageReaders
from gateway.resuming import AFTER_VERSION, LAST_EVENT_ID, last_version, takes_last_event_id
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
        if_match: Every If-Match header that came.
        last_event_ids: Every Last-Event-ID header that came.
    """

    segments: Sequence[str]
    query: str
    keys: Sequence[str]
    body: bytes
    if_match: Sequence[str] = ()
    last_event_ids: Sequence[str] = ()


class Binder:
    """Makes the gRPC requests of one route."""

    def __init__(self, route: Route, readers: MessageReaders) -> None:
        self._route = route
        self._input = route.method.input_type
        self._readers = readers
        self._query = QueryReader(route)
        self._changes = has_side_effects(route.method)
        self._takes_if_match = takes_if_match(route)
        self._takes_last_event_id = takes_last_event_id(route)
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
        if incoming.if_match and self._changes:
            violations.extend(self._merge_if_match(members, incoming.if_match))
        if incoming.last_event_ids and self._takes_last_event_id:
            violations.extend(_wrong_last_event_id(incoming.last_event_ids))
        try:
            message = self._readers.read(self._input, members)
        except Wrong as wrong:
            violations.extend(wrong.violations)
        if violations:
            raise refusal(violations)
        if incoming.last_event_ids and self._takes_last_event_id:
            _go_on_after(message, last_version(incoming.last_event_ids))
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

    def _merge_if_match(self, members: dict[str, Any], values: Sequence[str]) -> list[FieldViolation]:
        if not self._takes_if_match:
            # To do it whatever the version were to do what the client said not to do.
            return [FieldViolation(f".{IF_MATCH}", "is not understood by this request, which takes no version")]
        try:
            tag = wanted_tag(values)
        except ValueError as error:
            return [FieldViolation(f".{IF_MATCH}", str(error))]
        return _put(members, ETAG, tag, f"the {IF_MATCH} header") if tag else []


def _wrong_last_event_id(values: Sequence[str]) -> list[FieldViolation]:
    try:
        last_version(values)
    except ValueError as error:
        return [FieldViolation(f".{LAST_EVENT_ID}", str(error))]
    return []


def _go_on_after(message: Message, version: int | None) -> None:
    """Have the stream begin after an event: what the query says is older, as browsers reconnect to their first URL.

    A version below zero stays, for the service to refuse it.
    """
    if version is not None and getattr(message, AFTER_VERSION) >= 0:
        setattr(message, AFTER_VERSION, version)


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
