"""JSON values to messages: one reader per message type, compiled from its descriptor once.

A reader turns plain JSON values into what the message's constructor takes, and names all fields that are wrong at once.
google.protobuf.json_format does the same for any message at some ten times the cost, and names only the first.
"""

import base64
import binascii
import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway import enum_names, wellknown
from gateway.json_text import kind_of
from gateway.wrong import Wrong
from kernel.errors import FieldViolation

Reader = Callable[[Any], Any]

# An answer that lists more is of no use to a person, and lets a small request ask for a large answer.
_MAX_VIOLATIONS = 100
# Whole numbers that a double still tells apart from their neighbours.
_EXACT_IN_A_DOUBLE = 2**53
_FLOAT_MAX = 3.4028234663852886e38
_DOUBLE_MAX = 1.7976931348623157e308
_DIGITS = re.compile(r"-?(?:0|[1-9][0-9]{0,19})", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_NOT_A_NUMBER = frozenset({"NaN", "Infinity", "-Infinity"})

_SIGNED_32 = (-(2**31), 2**31 - 1)
_SIGNED_64 = (-(2**63), 2**63 - 1)
_UNSIGNED_32 = (0, 2**32 - 1)
_UNSIGNED_64 = (0, 2**64 - 1)
_INTEGER_RANGES = {
    FieldDescriptor.TYPE_INT32: _SIGNED_32,
    FieldDescriptor.TYPE_SINT32: _SIGNED_32,
    FieldDescriptor.TYPE_SFIXED32: _SIGNED_32,
    FieldDescriptor.TYPE_INT64: _SIGNED_64,
    FieldDescriptor.TYPE_SINT64: _SIGNED_64,
    FieldDescriptor.TYPE_SFIXED64: _SIGNED_64,
    FieldDescriptor.TYPE_UINT32: _UNSIGNED_32,
    FieldDescriptor.TYPE_FIXED32: _UNSIGNED_32,
    FieldDescriptor.TYPE_UINT64: _UNSIGNED_64,
    FieldDescriptor.TYPE_FIXED64: _UNSIGNED_64,
}


class MessageReaders:
    """The readers of all message types that were asked for, compiled on first use."""

    def __init__(self) -> None:
        self._compiled: dict[str, Reader] = {}

    def read(self, descriptor: Descriptor, value: Any) -> Message:  # noqa: ANN401  (any JSON value)
        """Return the message that the JSON value stands for.

        Raises:
            Wrong: Fields are unknown, of another type or out of range; it names each.
        """
        arguments = self.of_message(descriptor)(value)
        if isinstance(arguments, Message):
            return arguments
        return message_factory.GetMessageClass(descriptor)(**arguments)

    def of_message(self, descriptor: Descriptor) -> Reader:
        """Return the reader of a message type: it answers constructor arguments, for well-known types the message."""
        name = descriptor.full_name
        reader = self._compiled.get(name)
        if reader is None:
            reader = wellknown.reader(descriptor, self.of_scalar)
            if reader is None:
                fields: dict[str, Reader] = {}
                reader = _message_reader(fields, _oneofs(descriptor))
                # Before the fields are compiled: one of them may be of this very type.
                self._compiled[name] = reader
                fields.update({field.name: self._of_field(field) for field in descriptor.fields})
            self._compiled[name] = reader
        return reader

    def of_scalar(self, field: FieldDescriptor) -> Reader:
        """Return the reader of one value of the field, which is no message."""
        limits = _INTEGER_RANGES.get(field.type)
        if limits is not None:
            return _integer_reader(*limits)
        if field.enum_type is not None:
            return _enum_reader(field.enum_type)
        return _SCALARS[field.type]

    def _of_field(self, field: FieldDescriptor) -> Reader:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return self._of_map(field.message_type)
        one = self.of_message(field.message_type) if field.message_type is not None else self.of_scalar(field)
        return _list_reader(one) if field.is_repeated else one

    def _of_map(self, entry: Descriptor) -> Reader:
        key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
        message = value.message_type
        if message is None:
            return _map_reader(_key_reader(key, self.of_scalar(key)), self.of_scalar(value))
        # A map's messages cannot be given to the constructor as their arguments; they are made here.
        return _map_reader(_key_reader(key, self.of_scalar(key)), lambda item: self.read(message, item))


def _oneofs(descriptor: Descriptor) -> Mapping[str, str]:
    return {field.name: oneof.name for oneof in descriptor.oneofs if len(oneof.fields) > 1 for field in oneof.fields}


def _message_reader(fields: Mapping[str, Reader], oneofs: Mapping[str, str]) -> Reader:
    def read(value: Any) -> Any:  # noqa: ANN401
        if type(value) is not dict:
            raise Wrong.value(f"must be an object, not {kind_of(value)}")
        arguments: dict[str, Any] = {}
        violations: list[FieldViolation] = []
        for name, item in value.items():
            reader = fields.get(name)
            if reader is None:
                violations.append(_unknown(name, fields))
                continue
            try:
                arguments[name] = reader(item)
            except Wrong as wrong:
                violations.extend(wrong.under(f".{name}"))
        if oneofs:
            violations.extend(_both_of_a_oneof(value, oneofs))
        if violations:
            raise Wrong(violations[:_MAX_VIOLATIONS])
        return arguments

    return read


def _unknown(name: str, known: Mapping[str, Reader]) -> FieldViolation:
    near = difflib.get_close_matches(_snake_case(name), known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return FieldViolation(f".{name[:100]}", f"is not a field of this object{hint}")


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:100]).lower()


def _both_of_a_oneof(value: Mapping[str, Any], oneofs: Mapping[str, str]) -> list[FieldViolation]:
    first: dict[str, str] = {}
    violations = []
    for name in value:
        oneof = oneofs.get(name)
        if oneof is not None and first.setdefault(oneof, name) != name:
            violations.append(FieldViolation(f".{name}", f"cannot be given together with {first[oneof]}"))
    return violations


def _list_reader(one: Reader) -> Reader:
    def read(value: Any) -> Any:  # noqa: ANN401
        if type(value) is not list:
            raise Wrong.value(f"must be an array, not {kind_of(value)}")
        items: list[Any] = []
        violations: list[FieldViolation] = []
        for index, item in enumerate(value):
            try:
                items.append(one(item))
            except Wrong as wrong:
                violations.extend(wrong.under(f"[{index}]"))
                if len(violations) >= _MAX_VIOLATIONS:
                    break
        if violations:
            raise Wrong(violations)
        return items

    return read


def _map_reader(read_key: Reader, read_value: Reader) -> Reader:
    def read(value: Any) -> Any:  # noqa: ANN401
        if type(value) is not dict:
            raise Wrong.value(f"must be an object, not {kind_of(value)}")
        entries: dict[Any, Any] = {}
        violations: list[FieldViolation] = []
        for name, item in value.items():
            try:
                entries[read_key(name)] = read_value(item)
            except Wrong as wrong:
                violations.extend(wrong.under(f'["{name[:100]}"]'))
        if violations:
            raise Wrong(violations[:_MAX_VIOLATIONS])
        return entries

    return read


def _key_reader(key: FieldDescriptor, reader: Reader) -> Reader:
    """Return the reader of a map's key, which JSON always writes as a string."""
    if key.type == FieldDescriptor.TYPE_BOOL:
        return lambda name: _boolean({"true": True, "false": False}.get(name, name))
    return reader


def _integer_reader(low: int, high: int) -> Reader:
    out_of_range = f"must be between {low} and {high}"

    def read(value: Any) -> Any:  # noqa: ANN401
        if type(value) is str and _DIGITS.fullmatch(value):
            value = int(value)
        elif type(value) is float and value.is_integer():
            # What JSON writes as 1e2 or 100.0. Beyond 2^53 a double no longer says which whole number was meant.
            if abs(value) > _EXACT_IN_A_DOUBLE:
                raise Wrong.value(f"{out_of_range}, written without fraction or exponent")
            value = int(value)
        if type(value) is not int:
            kind = "one with a fraction" if type(value) is float else kind_of(value)
            raise Wrong.value(f"must be a whole number, not {kind}")
        if not low <= value <= high:
            raise Wrong.value(out_of_range)
        return value

    return read


def _enum_reader(enum: EnumDescriptor) -> Reader:
    numbers = enum_names.by_name(enum)
    choices = ", ".join(name for number, name in enum_names.by_number(enum).items() if number)

    def read(value: Any) -> Any:  # noqa: ANN401
        if type(value) is str:
            number = numbers.get(value)
            if number is not None:
                return number
            raise Wrong.value(f"must be one of {choices}")
        raise Wrong.value(f"must be one of {choices}, not {kind_of(value)}")

    return read


def _string(value: Any) -> Any:  # noqa: ANN401
    if type(value) is str:
        return value
    raise Wrong.value(f"must be a string, not {kind_of(value)}")


def _boolean(value: Any) -> Any:  # noqa: ANN401
    if type(value) is bool:
        return value
    raise Wrong.value(f"must be true or false, not {kind_of(value)}")


def _bytes(value: Any) -> Any:  # noqa: ANN401
    if type(value) is not str:
        raise Wrong.value(f"must be a string in base64, not {kind_of(value)}")
    # Both alphabets, padded or not, as protobuf's JSON mapping allows.
    text = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Wrong.value("must be a string in base64") from None


def _floating_reader(limit: float) -> Reader:
    def read(value: Any) -> Any:  # noqa: ANN401
        if type(value) is str:
            if value in _NOT_A_NUMBER:
                return float(value)
            if not _DECIMAL.fullmatch(value):
                raise Wrong.value("must be a number")
            value = float(value)
        if type(value) is not float and type(value) is not int:
            raise Wrong.value(f"must be a number, not {kind_of(value)}")
        if abs(value) > limit:
            raise Wrong.value(f"must be between -{limit} and {limit}")
        return float(value)

    return read


_SCALARS: Mapping[int, Reader] = {
    FieldDescriptor.TYPE_STRING: _string,
    FieldDescriptor.TYPE_BOOL: _boolean,
    FieldDescriptor.TYPE_BYTES: _bytes,
    FieldDescriptor.TYPE_FLOAT: _floating_reader(_FLOAT_MAX),
    FieldDescriptor.TYPE_DOUBLE: _floating_reader(_DOUBLE_MAX),
}
