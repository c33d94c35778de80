"""The sandbox's own schema checks agree with a full JSON Schema implementation."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.schema import SchemaBook

SCHEMAS = Path(__file__).parents[2] / "sandbox" / "schemas"
DOCUMENTS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")}
BOOKS = {name: SchemaBook(name) for name in DOCUMENTS}
OPERATIONS = [(name, operation) for name, document in DOCUMENTS.items() for operation in document["operations"]]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, width=16) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


def close_to(schema: dict[str, Any], definitions: dict[str, Any], depth: int = 7) -> st.SearchStrategy[Any]:
    """Return values that often fit the schema and often just miss it."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if depth == 0:
        return ANYTHING
    if "anyOf" in schema:
        fitting = st.one_of([close_to(part, definitions, depth - 1) for part in schema["anyOf"]])
    elif "enum" in schema:
        fitting = st.sampled_from(schema["enum"])
    else:
        fitting = _of_type(schema, definitions, depth)
    return st.one_of(*[fitting] * 15, ANYTHING)  # an object has many parts, each of which may miss


def _of_type(schema: dict[str, Any], definitions: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            required = sorted(schema.get("required", ()))
            others = [*sorted(set(properties) - set(required)), "surprise"]
            made = {name: close_to(properties.get(name, {}), definitions, depth - 1) for name in [*required, *others]}
            # A handful of the optional properties is enough at a time; Stripe's objects have dozens.
            return st.sets(st.sampled_from(others), max_size=3).flatmap(
                lambda chosen: st.fixed_dictionaries({name: made[name] for name in [*required, *sorted(chosen)]})
            )
        case "array":
            return st.lists(close_to(schema["items"], definitions, depth - 1), max_size=3)
        case "string":
            return st.text(max_size=3) | st.text(min_size=24, max_size=60)
        case "integer" | "number":
            return st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        case "boolean":
            return st.booleans()
        case _:
            return ANYTHING


@cache
def parts(name: str, operation: str) -> tuple[st.SearchStrategy[Any], jsonschema.Draft202012Validator]:
    """Return values for an operation, and the judge of them; made once, since both take long to make."""
    document = DOCUMENTS[name]
    definitions, schema = document.get("$defs", {}), document["operations"][operation]
    return close_to(schema, definitions), jsonschema.Draft202012Validator({**schema, "$defs": definitions})


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_verdicts_agree(name: str, operation: str, data: st.DataObject) -> None:
    values, judge = parts(name, operation)
    value = data.draw(values)

    # Formats are annotations to the other implementation, so they do not count here.
    mine = [violation for violation in BOOKS[name].violations(operation, value) if violation.keyword != "format"]

    assert (not mine) == judge.is_valid(value), mine


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_every_schema_is_a_schema(name: str, operation: str) -> None:
    document = DOCUMENTS[name]
    jsonschema.Draft202012Validator.check_schema(
        {**document["operations"][operation], "$defs": document.get("$defs", {})}
    )
