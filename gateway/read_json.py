"""JSON values to messages: one reader per message type, compiled from its descriptor once.

A reader turns plain JSON values into what the message's constructor takes, and names all fields that are wrong at once.
google.protobuf.json_format does the same for any message at five times the cost, and names only the first.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway import scalars, wellknown
from gateway.json_text import kind_of
from gateway.scalars import Reader
from gateway.wrong import Wrong
from kernel.errors import FieldViolation

# An answer that lists more is of no use to a person, and lets a small request ask for a large answer.
_MAX_VIOLATIONS = 100


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
        """Return the reader of a message type: it answers the arguments of the constructor."""
        name = descriptor.full_name
        reader = self._compiled.get(name)
        if reader is None:
            reader = wellknown.reader(descriptor)
            if reader is None:
                fields: dict[str, Reader] = {}
                reader = _message_reader(fields, _oneofs(descriptor))
                # Before the fields are compiled: one of them may be of this very type.
                self._compiled[name] = reader
                fields.update({field.name: self._of_field(field) for field in descriptor.fields})
            self._compiled[name] = reader
        return reader

    def _of_field(self, field: FieldDescriptor) -> Reader:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return self._of_map(field.message_type)
        one = self.of_message(field.message_type) if field.message_type is not None else scalars.reader(field)
        return _list_reader(one) if field.is_repeated else one

    def _of_map(self, entry: Descriptor) -> Reader:
        key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
        message = value.message_type
        if message is None:
            return _map_reader(_key_reader(key, scalars.reader(key)), scalars.reader(value))
        # A map's messages cannot be given to the constructor as their arguments; they are made here.
        return _map_reader(_key_reader(key, scalars.reader(key)), lambda item: self.read(message, item))


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
    return lambda name: reader(scalars.value_of_text(key, name))
