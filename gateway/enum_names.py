"""How REST writes enum values: without the prefix that protobuf's scoping forces on them (ORDER_STATE_PAID: PAID)."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from google.protobuf.descriptor import EnumDescriptor

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def by_number(enum: EnumDescriptor) -> Mapping[int, str]:
    """Return the REST name of each value; of aliases, the first."""
    prefix = _prefix(enum)
    names: dict[int, str] = {}
    for value in enum.values:
        names.setdefault(value.number, value.name.removeprefix(prefix))
    return MappingProxyType(names)


def by_name(enum: EnumDescriptor) -> Mapping[str, int]:
    """Return the number of each value by every name that is understood: with and without prefix."""
    prefix = _prefix(enum)
    numbers = {value.name: value.number for value in enum.values}
    numbers.update({value.name.removeprefix(prefix): value.number for value in enum.values})
    return MappingProxyType(numbers)


def _prefix(enum: EnumDescriptor) -> str:
    """Return what all values begin with ("ORDER_STATE_"), or nothing when one of them would be left without a name."""
    prefix = _WORD_START.sub("_", enum.name).upper() + "_"
    shortened = [value.name.removeprefix(prefix) for value in enum.values]
    everywhere = all(value.name.startswith(prefix) for value in enum.values)
    return prefix if everywhere and all(name and not name[0].isdigit() for name in shortened) else ""
