"""Streams that go on where a client was cut off, as browsers' EventSource asks for it: by event ids and Last-Event-ID.

An answered object with a whole number `version` names its event by it; a request with `after_version` takes it back.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.routes import Route

LAST_EVENT_ID = "Last-Event-ID"
AFTER_VERSION = "after_version"
_VERSION = "version"
_DIGITS = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_LARGEST = 2**63 - 1


def takes_last_event_id(route: Route) -> bool:
    """Return whether the route's stream can go on after an event."""
    return route.method.server_streaming and _has_number(route.method.input_type, AFTER_VERSION)


def last_version(values: Sequence[str]) -> int | None:
    """Return the version that the client saw last; None when it has seen none.

    Args:
        values: Every Last-Event-ID header that came.

    Raises:
        ValueError: It is no id of an event of ours.
    """
    # A client that has no id may send an empty one.
    given = [value for value in values if value]
    if not given:
        return None
    if len(given) > 1:
        raise ValueError("is given more than once")
    if not _DIGITS.fullmatch(given[0]) or int(given[0]) > _LARGEST:
        raise ValueError("must be the id of an event of this stream, a whole number")
    return int(given[0])


def event_id_of(route: Route) -> Callable[[Message], str]:
    """Return what names the event of a message; empty where nothing does."""
    if route.answered is None or not _has_number(route.answered, _VERSION):
        return lambda _: ""
    inner = route.response_body

    def read(answer: Any) -> str:  # noqa: ANN401  (a message of the route's own type)
        version = getattr(getattr(answer, inner) if inner else answer, _VERSION)
        return str(version) if version > 0 else ""

    return read


def _has_number(message: Descriptor, name: str) -> bool:
    field = message.fields_by_name.get(name)
    return field is not None and field.type == FieldDescriptor.TYPE_INT64 and not field.is_repeated
