"""JSON text is read strictly: what two readers could take in two ways is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.json_text import MAX_DEPTH, parse, parse_object
from kernel.errors import Reason, Refusal

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_every_json_value_is_read_as_the_standard_library_reads_it(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": 01}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\\ud800"}',
        b'{"a": "tab\tinside"}',
        b'{"a": 1,}',
        b'{"a": 1} {"b": 2}',
        b"\xef\xbb\xbf{}",
        b"[" * 5000 + b"]" * 5000,
        b"1" * 10_000,
    ],
)
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse(text)

    assert caught.value.reason is Reason.VALIDATION_FAILED
    assert caught.value.fields[0].field == "body"


@pytest.mark.parametrize("text", [b"null", b"3", b"3.5", b'"text"', b"[]", b"[{}]", b"true"])
def test_a_body_that_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(Refusal, match="must be a JSON object"):
        parse_object(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "c": 2, "b": 3}}',
        b'{"a": [{"b": 1}, {"b": 1, "b": 2}]}',
        b'{"a" : 1, "a" : 2}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"a": "x:y", "b": 1, "b": 2}',
    ],
)
def test_a_member_that_stands_twice_in_one_object_is_refused(text: bytes) -> None:
    with pytest.raises(Refusal, match="twice in one object"):
        parse(text)


def test_the_same_name_in_different_objects_is_fine() -> None:
    assert parse(b'{"a": {"a": 1}, "b": [{"a": "1:2"}]}') == {"a": {"a": 1}, "b": [{"a": "1:2"}]}


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c:d", 'e"f']), st.text('x:,{}"\\', max_size=4)), max_size=4))
def test_duplicates_are_found_whatever_stands_in_the_strings(pairs: list[tuple[str, str]]) -> None:
    text = "{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs) + "}"
    names = [name for name, _ in pairs]

    if len(set(names)) == len(names):
        assert parse(text.encode()) == dict(pairs)
    else:
        with pytest.raises(Refusal, match="twice in one object"):
            parse(text.encode())


def test_depth_is_limited() -> None:
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)

    with pytest.raises(Refusal, match="nested deeper"):
        parse(b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2))
