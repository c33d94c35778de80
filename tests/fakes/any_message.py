"""Any message of any type, for property tests: each field set or not, to any value that its type can hold."""

import math
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from gateway.scalars import INTEGER_RANGES


def _the_nan(number: float) -> float:
    """Return the one NaN that JSON knows for any of those that there are."""
    return math.nan if math.isnan(number) else number


def _sign(number: int) -> int:
    return -1 if number < 0 else 1


def messages_of(descriptor: Descriptor, depth: int = 2) -> st.SearchStrategy[Message]:
    """Return any message of the type: each field set or not, to any value."""
    make = message_factory.GetMessageClass(descriptor)
    if descriptor.full_name == "google.protobuf.Timestamp":
        return st.builds(make, seconds=st.integers(-62_135_596_800, 253_402_300_799), nanos=st.integers(0, 999_999_999))
    if descriptor.full_name == "google.protobuf.Duration":
        signed = st.integers(-(10**18), 10**18)
        return signed.map(lambda n: make(seconds=abs(n) // 10**9 * _sign(n), nanos=abs(n) % 10**9 * _sign(n)))
    if descriptor.full_name == "google.protobuf.FieldMask":
        return st.builds(make, paths=st.lists(st.sampled_from(["a", "b_c", "d.e"])))
    if descriptor.full_name == "google.protobuf.Struct":
        values = st.booleans() | st.text() | st.floats(allow_nan=False, allow_infinity=False)
        plain = st.dictionaries(st.text(), values, max_size=2)
        return plain.map(lambda value: json_format.ParseDict(value, make()))
    optional = {}
    for field in descriptor.fields:
        if field.name == "one":  # of the oneof the other is set
            continue
        strategy = _field_values(field, depth)
        if strategy is not None:
            optional[field.name] = strategy
    return st.fixed_dictionaries({}, optional=optional).map(lambda fields: make(**fields))


def _field_values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any] | None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
        keys, items = _one_value(key, depth), _one_value(value, depth)
        return None if keys is None or items is None else st.dictionaries(keys, items, max_size=3)
    one = _one_value(field, depth)
    if one is None:
        return None
    return st.lists(one, max_size=3) if field.is_repeated else one


def _one_value(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any] | None:
    if field.message_type is not None:
        return messages_of(field.message_type, depth - 1) if depth else None
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    if field.type in INTEGER_RANGES:
        return st.integers(*INTEGER_RANGES[field.type])
    return {
        FieldDescriptor.TYPE_STRING: st.text(),
        FieldDescriptor.TYPE_BYTES: st.binary(max_size=20),
        FieldDescriptor.TYPE_BOOL: st.booleans(),
        FieldDescriptor.TYPE_FLOAT: st.floats(width=32).map(_the_nan),
        FieldDescriptor.TYPE_DOUBLE: st.floats().map(_the_nan),
    }[field.type]
