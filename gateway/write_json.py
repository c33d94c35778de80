"""Messages to JSON values: one writer per message type, compiled from its descriptor once.

Names are the contract's own, 64-bit integers are numbers, enum values go without their prefix. What has no presence is
always written, lists and maps too; what has presence (messages, optional fields, members of a oneof) only when set.
"""

import base64
import math
import struct
from collections.abc import Callable, Mapping
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway import enum_names, wellknown

Writer = Callable[[Any], Any]
# Name, whether the field is left out while unset, and how its value is written; None when it is written as it is.
_Step = tuple[str, bool, Writer | None]

# The longest decimals that a 32-bit float ever needs to be told apart from its neighbours.
_FLOAT_DIGITS = 9


class MessageWriters:
    """The writers of all message types that were asked for, compiled on first use."""

    def __init__(self) -> None:
        self._compiled: dict[str, Writer] = {}

    def write(self, message: Message) -> Any:  # noqa: ANN401  (any JSON value)
        """Return the JSON value that stands for the message."""
        return self.of_message(cast("Descriptor", message.DESCRIPTOR))(message)

    def of_message(self, descriptor: Descriptor) -> Writer:
        """Return the writer of a message type."""
        name = descriptor.full_name
        writer = self._compiled.get(name)
        if writer is None:
            writer = wellknown.writer(descriptor, self._of_wrapped)
            if writer is None:
                steps: list[_Step] = []
                writer = _message_writer(steps)
                # Before the fields are compiled: one of them may be of this very type.
                self._compiled[name] = writer
                steps.extend((field.name, field.has_presence, self._of_field(field)) for field in descriptor.fields)
            self._compiled[name] = writer
        return writer

    def of_field(self, field: FieldDescriptor) -> Writer:
        """Return the writer of one field's value, list or map."""
        return self._of_field(field) or (lambda value: value)

    def _of_wrapped(self, field: FieldDescriptor) -> Writer:
        return _of_scalar(field) or (lambda value: value)

    def _of_field(self, field: FieldDescriptor) -> Writer | None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return self._of_map(field.message_type)
        one = self.of_message(field.message_type) if field.message_type is not None else _of_scalar(field)
        if not field.is_repeated:
            return one
        return list if one is None else _list_writer(one)

    def _of_map(self, entry: Descriptor) -> Writer:
        value = entry.fields_by_name["value"]
        write_value = self.of_message(value.message_type) if value.message_type is not None else _of_scalar(value)
        write_key = _key_writer(entry.fields_by_name["key"])
        if write_value is None:
            return lambda entries: {write_key(key): item for key, item in entries.items()}
        return lambda entries: {write_key(key): write_value(item) for key, item in entries.items()}


def _message_writer(steps: list[_Step]) -> Writer:
    def write(message: Any) -> Any:  # noqa: ANN401
        members: dict[str, Any] = {}
        for name, leave_out, writer in steps:
            if leave_out and not message.HasField(name):
                continue
            value = getattr(message, name)
            members[name] = value if writer is None else writer(value)
        return members

    return write


def _list_writer(one: Writer) -> Writer:
    return lambda items: [one(item) for item in items]


def _key_writer(key: FieldDescriptor) -> Writer:
    if key.type == FieldDescriptor.TYPE_BOOL:
        return lambda value: "true" if value else "false"
    return str


def _of_scalar(field: FieldDescriptor) -> Writer | None:
    if field.enum_type is not None:
        return _enum_writer(field.enum_type)
    return _SCALARS.get(field.type)


def _enum_writer(enum: EnumDescriptor) -> Writer:
    names = enum_names.by_number(enum)
    # A value that this contract does not know yet, from a newer service, is written as its number.
    return lambda number: names.get(number, number)


def _write_bytes(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _write_double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _write_float(value: float) -> float | str:
    """Return the shortest decimal that reads back as the same 32-bit float: 0.1, not 0.10000000149011612."""
    if not math.isfinite(value):
        return _write_double(value)
    for digits in range(6, _FLOAT_DIGITS):
        short = float(f"{value:.{digits}g}")
        if struct.pack("<f", short) == struct.pack("<f", value):
            return short
    return float(f"{value:.{_FLOAT_DIGITS}g}")


_SCALARS: Mapping[int, Writer] = {
    FieldDescriptor.TYPE_BYTES: _write_bytes,
    FieldDescriptor.TYPE_FLOAT: _write_float,
    FieldDescriptor.TYPE_DOUBLE: _write_double,
}
