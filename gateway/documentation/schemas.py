"""The contract's messages as JSON Schemas (2020-12), once as clients send them and once as they are answered.

What is sent is closed (unknown members are refused) and bound by the validation rules; what is answered is open, so
that a newer gateway may add members, and lists what is always there.
"""

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway import enum_names, wellknown
from gateway.contract import Contract, field_rules
from gateway.documentation import rules
from gateway.scalars import INTEGER_RANGES

_REF = "#/components/schemas/"
_EXACT_IN_A_DOUBLE = 2**53

_TIMESTAMP = {"type": "string", "format": "date-time"}
_WELL_KNOWN: dict[str, dict[str, Any]] = {
    "google.protobuf.Timestamp": _TIMESTAMP,
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.ListValue": {"type": "array"},
    "google.protobuf.Value": {},
    "google.protobuf.Any": {"type": "object"},
}


class Schemas:
    """Collects the schemas that the documented requests and answers need.

    Attributes:
        components: Every schema by its name, as OpenAPI's components hold them.
    """

    def __init__(self, contract: Contract, sent: set[str], answered: set[str]) -> None:
        self._contract = contract
        self._both_ways = sent & answered
        self.components: dict[str, Any] = {}
        self._keys: dict[str, object] = {}

    def add(self, name: str, schema: dict[str, Any]) -> None:
        """Add a schema that is no message of the contract."""
        self._component(name, name, lambda: schema)

    def request_body(self, message: Descriptor, without: frozenset[str]) -> dict[str, Any]:
        """Return the reference to a request's schema, without the fields that come from elsewhere."""
        key = (message.full_name, without)
        return self._component(message.name, key, lambda: self._object(message, without, sent=True))

    def is_required(self, reference: dict[str, Any]) -> bool:
        """Return whether a body of the referenced schema must not be left out: an empty object would not do."""
        return "required" in self.components.get(reference.get("$ref", "").removeprefix(_REF), {})

    def sent(self, field: FieldDescriptor) -> dict[str, Any]:
        """Return the schema of a field as clients send it."""
        return self._described(field, self._field(field, sent=True))

    def answered(self, message: Descriptor) -> dict[str, Any]:
        """Return the reference to a message's schema as it is answered."""
        return self._message(message, sent=False)

    def answered_field(self, field: FieldDescriptor) -> dict[str, Any]:
        """Return the schema of a field as it is answered."""
        return self._field(field, sent=False)

    def enum(self, enum: EnumDescriptor, *, with_zero: bool) -> dict[str, Any]:
        """Return the schema of an enum's values, each explained."""
        values = [value for value in enum.values if with_zero or value.number]
        names = enum_names.by_number(enum)
        lines = [f"- `{names[value.number]}`: {_one_line(self._contract.comment(value))}" for value in values]
        comment = self._contract.comment(enum)
        return {
            "type": "string",
            "enum": [names[value.number] for value in values],
            "description": "\n".join([comment, "", *lines]).strip(),
        }

    def _component(self, name: str, key: object, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the reference to a component, made on first use; what differs in `key` never shares a name."""
        taken, number = name, 1
        while self._keys.setdefault(taken, key) != key:
            number += 1
            taken = f"{name}{number}"
        if taken not in self.components:
            # The place is taken first: a message may hold itself.
            self.components[taken] = {}
            self.components[taken].update(make())
        return {"$ref": f"{_REF}{taken}"}

    def _message(self, message: Descriptor, *, sent: bool) -> dict[str, Any]:
        known = _WELL_KNOWN.get(message.full_name)
        if known is not None:
            return dict(known)
        if wellknown.is_leaf(message):
            return self._value(message.fields_by_name["value"], sent=sent)
        name = f"{message.name}Input" if sent and message.full_name in self._both_ways else message.name
        key = (message.full_name, sent)
        return self._component(name, key, lambda: self._object(message, frozenset(), sent=sent))

    def _object(self, message: Descriptor, without: frozenset[str], *, sent: bool) -> dict[str, Any]:
        fields = [field for field in message.fields if field.name not in without]
        schema: dict[str, Any] = {"type": "object"}
        if comment := self._contract.comment(message):
            schema["description"] = comment
        schema["properties"] = {field.name: self._described(field, self._field(field, sent=sent)) for field in fields}
        always = [f.name for f in fields if (rules.is_required(f) if sent else not f.has_presence)]
        if always:
            schema["required"] = always
        if sent:
            schema["additionalProperties"] = False
        return schema

    def _described(self, field: FieldDescriptor, schema: dict[str, Any]) -> dict[str, Any]:
        comment = self._contract.comment(field)
        return {**schema, "description": comment} if comment else schema

    def _field(self, field: FieldDescriptor, *, sent: bool) -> dict[str, Any]:
        message = field.message_type
        found = field_rules(field) if sent else None
        if message is not None and message.GetOptions().map_entry:
            value = {**self._value(message.fields_by_name["value"], sent=sent), **rules.of_map_values(found)}
            return {"type": "object", "additionalProperties": value, **rules.of_map(found)}
        if field.is_repeated:
            item = {**self._value(field, sent=sent), **rules.of_items(found)}
            return {"type": "array", "items": item, **rules.of_list(found)}
        schema = {**self._value(field, sent=sent), **rules.of_value(found)}
        if sent and not rules.is_required(field) and "format" in schema and field.type == FieldDescriptor.TYPE_STRING:
            # Empty stands for absent.
            return {"anyOf": [schema, {"const": ""}]}
        return schema

    def _value(self, field: FieldDescriptor, *, sent: bool) -> dict[str, Any]:
        if field.message_type is not None:
            return self._message(field.message_type, sent=sent)
        if field.enum_type is not None:
            enum = field.enum_type
            name = f"{enum.name}Input" if sent and enum.full_name in self._both_ways else enum.name
            return self._component(name, (enum.full_name, sent), lambda: self.enum(enum, with_zero=not sent))
        limits = INTEGER_RANGES.get(field.type)
        if limits is not None:
            return _integer(*limits, sent=sent)
        return dict(_SCALARS[field.type])


def _integer(low: int, high: int, *, sent: bool) -> dict[str, Any]:
    wide = high > _EXACT_IN_A_DOUBLE
    schema: dict[str, Any] = {"type": "integer", "format": "int64" if wide else "int32"}
    if sent:
        schema.update({"minimum": low, "maximum": high})
    return schema


_SCALARS: dict[int, dict[str, Any]] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
}


def _one_line(text: str) -> str:
    return " ".join(text.split())


def reachable(roots: list[Descriptor]) -> set[str]:
    """Return the full names of all messages and enums that the roots hold, themselves included."""
    names: set[str] = set()
    waiting = list(roots)
    while waiting:
        message = waiting.pop()
        if message.full_name in names:
            continue
        names.add(message.full_name)
        for field in message.fields:
            if field.message_type is not None:
                waiting.append(field.message_type)
            if field.enum_type is not None:
                names.add(field.enum_type.full_name)
    return names
