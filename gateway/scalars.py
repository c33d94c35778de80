"""Single JSON values to the values of scalar fields, strictly: nothing is rounded, cut or converted on the quiet."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from gateway import enum_names
from gateway.json_text import kind_of
from gateway.wrong import Wrong

Reader = Callable[[Any], Any]

# Whole numbers that a double still tells apart from their neighbours.
_EXACT_IN_A_DOUBLE = 2**53
# The largest double that still rounds to a 32-bit float, not to infinity.
_FLOAT_MAX = 3.4028235677973362e38
_DOUBLE_MAX = 1.7976931348623157e308
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_DIGITS = re.compile(r"-?(?:0|[1-9][0-9]{0,19})", re.ASCII)
_NOT_A_NUMBER = frozenset({"NaN", "Infinity", "-Infinity"})

_SIGNED_32 = (-(2**31), 2**31 - 1)
_SIGNED_64 = (-(2**63), 2**63 - 1)
_UNSIGNED_32 = (0, 2**32 - 1)
_UNSIGNED_64 = (0, 2**64 - 1)
INTEGER_RANGES: Mapping[int, tuple[int, int]] = {
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


def reader(field: FieldDescriptor) -> Reader:
    """Return the reader of one value of a field that is no message."""
    limits = INTEGER_RANGES.get(field.type)
    if limits is not None:
        return _integer_reader(*limits)
    if field.enum_type is not None:
        return _enum_reader(field.enum_type)
    return _SCALARS[field.type]


def value_of_text(field: FieldDescriptor, text: str) -> Any:  # noqa: ANN401  (any JSON value)
    """Return the JSON value that a text stands for where there is nothing but text: in URLs and in names of members.

    A text that does not fit stays one, for the field's reader to refuse.
    """
    if field.type == FieldDescriptor.TYPE_BOOL:
        return {"true": True, "false": False}.get(text, text)
    if field.type in INTEGER_RANGES and _DIGITS.fullmatch(text):
        return int(text)
    if field.type in {FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE} and _DECIMAL.fullmatch(text):
        return float(text)
    return text


def _integer_reader(low: int, high: int) -> Reader:
    out_of_range = f"must be between {low} and {high}"
    # Only where JavaScript's numbers end before the type does.
    may_be_text = high > _EXACT_IN_A_DOUBLE

    def read(value: Any) -> Any:  # noqa: ANN401
        if may_be_text and type(value) is str and _DIGITS.fullmatch(value):
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
            if value not in _NOT_A_NUMBER:
                raise Wrong.value("must be a number, not a string")
            return float(value)
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
