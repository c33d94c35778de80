"""The messages of google.protobuf that JSON writes in a form of their own: times, durations, masks, wrapped values."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from gateway import scalars
from gateway.json_text import kind_of
from gateway.scalars import Reader
from gateway.wrong import Wrong

_PACKAGE = "google.protobuf."
_WRAPPERS = frozenset(
    f"{_PACKAGE}{kind}Value"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
# Too rare to be written anew: protobuf's own mapping reads and writes them.
_BY_JSON_FORMAT = frozenset(f"{_PACKAGE}{kind}" for kind in ("Any", "Struct", "Value", "ListValue"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
_SECONDS = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,9})?s", re.ASCII)


def reader(descriptor: Descriptor) -> Reader | None:
    """Return the reader of a type with a JSON form of its own; None for all others."""
    name = descriptor.full_name
    if name in _WRAPPERS:
        read_value = scalars.reader(descriptor.fields_by_name["value"])
        return lambda value: {"value": read_value(value)}
    if name in _BY_JSON_FORMAT:
        return _json_format_reader(descriptor)
    return {
        Timestamp.DESCRIPTOR.full_name: _read_timestamp,
        Duration.DESCRIPTOR.full_name: _read_duration,
        FieldMask.DESCRIPTOR.full_name: _read_mask,
    }.get(name)


def writer(
    descriptor: Descriptor, scalar_writer: Callable[[FieldDescriptor], Callable[[Any], Any]]
) -> Callable[[Any], Any] | None:
    """Return the writer of a type with a JSON form of its own; None for all others."""
    name = descriptor.full_name
    if name in _WRAPPERS:
        write = scalar_writer(descriptor.fields_by_name["value"])
        return lambda message: write(message.value)
    if name in _BY_JSON_FORMAT:
        return _write_by_json_format
    return {
        Timestamp.DESCRIPTOR.full_name: _write_timestamp,
        Duration.DESCRIPTOR.full_name: lambda message: message.ToJsonString(),
        FieldMask.DESCRIPTOR.full_name: lambda message: ",".join(message.paths),
    }.get(name)


def is_leaf(descriptor: Descriptor) -> bool:
    """Return whether the type is one single value in JSON, and so may stand in a query parameter."""
    return descriptor.full_name in _WRAPPERS or descriptor.full_name in {
        Timestamp.DESCRIPTOR.full_name,
        Duration.DESCRIPTOR.full_name,
        FieldMask.DESCRIPTOR.full_name,
    }


def _json_format_reader(descriptor: Descriptor) -> Reader:
    make = message_factory.GetMessageClass(descriptor)

    def read(value: Any) -> Any:  # noqa: ANN401
        try:
            return json_format.ParseDict(value, make())
        except (json_format.ParseError, TypeError, ValueError, AttributeError):
            raise Wrong.value(f"must be a JSON value that {descriptor.name} can hold, not {kind_of(value)}") from None

    return read


def _write_by_json_format(message: Any) -> Any:  # noqa: ANN401
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _read_timestamp(value: Any) -> Any:  # noqa: ANN401
    # The shape first, because protobuf's own parser takes odd ones and fails on others with any exception.
    if type(value) is str and _RFC_3339.fullmatch(value):
        result = Timestamp()
        try:
            result.FromJsonString(value.upper())
        except ValueError:
            raise Wrong.value("must be a moment that exists, between the years 1 and 9999") from None
        return {"seconds": result.seconds, "nanos": result.nanos}
    raise Wrong.value('must be a time as RFC 3339 writes it: "2026-01-31T12:00:00Z"')


def _write_timestamp(message: Any) -> Any:  # noqa: ANN401
    text = (_EPOCH + timedelta(seconds=message.seconds)).isoformat()[:19]
    nanos = message.nanos
    if not nanos:
        return f"{text}Z"
    if not nanos % 1_000_000:
        return f"{text}.{nanos // 1_000_000:03d}Z"
    if not nanos % 1_000:
        return f"{text}.{nanos // 1_000:06d}Z"
    return f"{text}.{nanos:09d}Z"


def _read_duration(value: Any) -> Any:  # noqa: ANN401
    if type(value) is str and _SECONDS.fullmatch(value):
        result = Duration()
        try:
            result.FromJsonString(value)
        except ValueError:
            raise Wrong.value("must be a duration of at most 315576000000 seconds") from None
        return {"seconds": result.seconds, "nanos": result.nanos}
    raise Wrong.value('must be a duration in seconds: "1.5s"')


def _read_mask(value: Any) -> Any:  # noqa: ANN401
    if type(value) is str:
        return {"paths": [path for path in value.split(",") if path]}
    raise Wrong.value(f"must be the names of fields, separated by commas, not {kind_of(value)}")
