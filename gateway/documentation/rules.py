"""Validation rules (protovalidate) as the JSON Schema keywords that say the same."""

import re
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor

from gateway.contract import field_rules

_FORMATS = ("uuid", "email", "hostname", "uri")
_BOUNDS = {"gte": "minimum", "gt": "exclusiveMinimum", "lte": "maximum", "lt": "exclusiveMaximum"}
_NUMBERS = frozenset(
    {
        "int32",
        "int64",
        "uint32",
        "uint64",
        "sint32",
        "sint64",
        "fixed32",
        "fixed64",
        "sfixed32",
        "sfixed64",
        "float",
        "double",
    }
)


def of_value(rules: validate_pb2.FieldRules | None) -> dict[str, Any]:
    """Return the keywords for one value under these rules."""
    if rules is None:
        return {}
    kind = rules.WhichOneof("type")
    if kind == "string":
        return _of_string(rules.string)
    if kind in _NUMBERS:
        return _of_number(getattr(rules, kind))
    if kind == "bytes" and rules.bytes.max_len:
        # Base64 writes three bytes as four characters.
        return {"maxLength": (rules.bytes.max_len + 2) // 3 * 4}
    return {}


def of_list(rules: validate_pb2.FieldRules | None) -> dict[str, Any]:
    """Return the keywords for a list under these rules."""
    if rules is None or rules.WhichOneof("type") != "repeated":
        return {}
    list_rules = rules.repeated
    keywords: dict[str, Any] = {}
    if list_rules.min_items:
        keywords["minItems"] = list_rules.min_items
    if list_rules.HasField("max_items"):
        keywords["maxItems"] = list_rules.max_items
    if list_rules.unique:
        keywords["uniqueItems"] = True
    return keywords


def of_items(rules: validate_pb2.FieldRules | None) -> dict[str, Any]:
    """Return the keywords for each item of a list under these rules."""
    if rules is None or rules.WhichOneof("type") != "repeated" or not rules.repeated.HasField("items"):
        return {}
    return of_value(rules.repeated.items)


def of_map(rules: validate_pb2.FieldRules | None) -> dict[str, Any]:
    """Return the keywords for a map under these rules, but for its values."""
    if rules is None or rules.WhichOneof("type") != "map":
        return {}
    keywords: dict[str, Any] = {}
    if rules.map.min_pairs:
        keywords["minProperties"] = rules.map.min_pairs
    if rules.map.HasField("max_pairs"):
        keywords["maxProperties"] = rules.map.max_pairs
    # JSON writes every key as a string; rules for keys of other kinds say nothing that a schema could.
    if rules.map.keys.WhichOneof("type") == "string":
        keywords["propertyNames"] = _of_string(rules.map.keys.string)
    return keywords


def of_map_values(rules: validate_pb2.FieldRules | None) -> dict[str, Any]:
    """Return the keywords for each value of a map under these rules."""
    if rules is None or rules.WhichOneof("type") != "map" or not rules.map.HasField("values"):
        return {}
    return of_value(rules.map.values)


def is_required(field: FieldDescriptor) -> bool:
    """Return whether leaving the field out is refused: by a rule of its own, or because empty is not valid."""
    rules = field_rules(field)
    if rules is None or rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE:
        return False
    if rules.required:
        return True
    if field.has_presence:
        return False
    kind = rules.WhichOneof("type")
    if kind == "string":
        return _refuses_empty(rules.string)
    if kind in _NUMBERS:
        number = getattr(rules, kind)
        return bool((number.HasField("gte") and number.gte > 0) or (number.HasField("gt") and number.gt >= 0))
    if kind == "enum":
        return 0 in rules.enum.not_in
    least = {"repeated": rules.repeated.min_items, "map": rules.map.min_pairs, "bytes": rules.bytes.min_len}
    return bool(least.get(kind or ""))


def _of_string(rules: validate_pb2.StringRules) -> dict[str, Any]:
    keywords: dict[str, Any] = {}
    if rules.min_len:
        keywords["minLength"] = rules.min_len
    if rules.HasField("max_len"):
        keywords["maxLength"] = rules.max_len
    if rules.pattern:
        keywords["pattern"] = rules.pattern
    well_known = rules.WhichOneof("well_known")
    if well_known in _FORMATS:
        keywords["format"] = well_known
    return keywords


def _of_number(rules: Any) -> dict[str, Any]:  # noqa: ANN401  (one class per numeric type, all alike)
    return {keyword: getattr(rules, name) for name, keyword in _BOUNDS.items() if rules.HasField(name)}


def _refuses_empty(rules: validate_pb2.StringRules) -> bool:
    if rules.min_len or rules.WhichOneof("well_known") in _FORMATS:
        return True
    return bool(rules.pattern) and re.search(rules.pattern, "") is None
