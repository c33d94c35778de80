"""Our JSON codec reads and writes what google.protobuf.json_format does, but for what we decided differently."""

import base64
import contextlib
import functools
import json
import re
from typing import Any, cast

import orjson
import pytest
from google.protobuf import json_format, message_factory, timestamp_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.type.v1 import money_pb2

from gateway import enum_names
from gateway.read_json import MessageReaders
from gateway.scalars import INTEGER_RANGES
from gateway.write_json import MessageWriters
from gateway.wrong import Wrong, refusal
from tests.fakes.any_message import messages_of
from tests.fakes.contracts import compile_contract

EVERYTHING = """
enum Colour {
  option allow_alias = true;
  COLOUR_UNSPECIFIED = 0;
  COLOUR_RED = 1;
  COLOUR_DARK_BLUE = 2;
  COLOUR_NAVY = 2;
}
message Everything {
  string text = 1;
  bytes raw = 2;
  bool flag = 3;
  int32 i32 = 4;
  int64 i64 = 5;
  uint32 u32 = 6;
  uint64 u64 = 7;
  sint64 s64 = 8;
  fixed32 f32 = 9;
  sfixed64 sf64 = 10;
  float single = 11;
  double wide = 12;
  Colour colour = 13;
  Leaf leaf = 14;
  repeated string texts = 15;
  repeated Leaf leaves = 16;
  repeated Colour colours = 17;
  map<string, string> by_text = 18;
  map<int64, Leaf> by_number = 19;
  map<bool, Colour> by_flag = 20;
  optional string maybe = 21;
  oneof either { string one = 22; Leaf other = 23; }
  google.protobuf.Timestamp time = 24;
  google.protobuf.Duration span = 25;
  google.protobuf.StringValue wrapped = 26;
  google.protobuf.Int64Value wrapped_number = 27;
  google.protobuf.Struct anything = 28;
  Everything again = 29;
  repeated google.protobuf.Timestamp times = 30;
  google.protobuf.FieldMask mask = 31;
}
message Leaf { string name = 1; int64 minor_units = 2; }
"""


NAMES = [*re.findall(r"(\w+) = \d+;", EVERYTHING), "unknown"]


@functools.cache
def everything() -> Descriptor:
    return compile_contract(EVERYTHING).pool.FindMessageTypeByName("test.shop.v1.Everything")


READERS, WRITERS = MessageReaders(), MessageWriters()


def read(value: object) -> Any:  # noqa: ANN401  (its class is made at run time)
    return READERS.read(everything(), value)


def new(**fields: object) -> Message:
    return message_factory.GetMessageClass(everything())(**fields)


def as_we_write(descriptor: Descriptor, value: Any) -> Any:  # noqa: ANN401  (any JSON value)
    """Return json_format's form of a message with our two changes: 64-bit numbers, enum values without prefix."""
    if descriptor.full_name == "google.protobuf.Int64Value":
        return int(value)
    if descriptor.full_name == "google.protobuf.FieldMask":
        return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", value)  # we keep the contract's names here too
    if descriptor.full_name.startswith("google.protobuf."):
        return value
    return {name: field_as_we_write(descriptor.fields_by_name[name], item) for name, item in value.items()}


def field_as_we_write(field: FieldDescriptor, value: Any) -> Any:  # noqa: ANN401  (any JSON value)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        inner = field.message_type.fields_by_name["value"]
        return {key: one_as_we_write(inner, item) for key, item in value.items()}
    if field.is_repeated:
        return [one_as_we_write(field, item) for item in value]
    return one_as_we_write(field, value)


def one_as_we_write(field: FieldDescriptor, value: Any) -> Any:  # noqa: ANN401  (any JSON value)
    if field.message_type is not None:
        return as_we_write(field.message_type, value)
    if field.enum_type is not None:
        return enum_names.by_number(field.enum_type)[field.enum_type.values_by_name[value].number]
    return int(value) if field.type in INTEGER_RANGES else value


def reference(message: Message) -> Any:  # noqa: ANN401  (any JSON value)
    return as_we_write(
        cast("Descriptor", message.DESCRIPTOR),
        json_format.MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True),
    )


@given(st.deferred(lambda: messages_of(everything())))
def test_what_we_write_is_what_json_format_writes(message: Message) -> None:
    ours = orjson.loads(orjson.dumps(WRITERS.write(message)))

    assert ours == json.loads(json.dumps(reference(message)))


@given(st.deferred(lambda: messages_of(everything())))
def test_what_we_write_we_read_back(message: Message) -> None:
    again = read(orjson.loads(orjson.dumps(WRITERS.write(message))))

    # Bytes and not ==, for which a NaN differs from itself.
    assert again.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True)


@given(messages_of(order_pb2.Order.DESCRIPTOR, depth=3))
def test_orders_are_written_as_json_format_writes_them(order: Message) -> None:
    assert WRITERS.write(order) == reference(order)


@given(messages_of(order_service_pb2.PlaceOrderRequest.DESCRIPTOR, depth=3))
def test_what_json_format_writes_of_a_request_we_read(request_: Message) -> None:
    text = json_format.MessageToDict(request_, preserving_proto_field_name=True)

    assert READERS.read(order_service_pb2.PlaceOrderRequest.DESCRIPTOR, text) == request_


def test_members_stand_in_the_order_of_the_contract() -> None:
    names = list(WRITERS.write(order_pb2.Order(order_id="1", total=money_pb2.Money(), tax=order_pb2.OrderTax())))

    written = [field.name for field in order_pb2.Order.DESCRIPTOR.fields if field.name in names]
    assert names == written
    assert names[:5] == ["order_id", "state", "items", "tax", "total"]


def test_what_has_presence_is_left_out_until_it_is_set() -> None:
    assert "maybe" not in WRITERS.write(new())
    assert WRITERS.write(new(maybe=""))["maybe"] == ""
    assert "leaf" not in WRITERS.write(new())
    assert WRITERS.write(new(leaf={}))["leaf"] == {"name": "", "minor_units": 0}


@pytest.mark.parametrize("nanos", [0, 1, 100, 1_000, 1_500, 100_000, 1_000_000, 120_000_000, 123_400_000, 999_999_999])
@pytest.mark.parametrize("seconds", [-62_135_596_800, -1, 0, 1_800_000_000, 253_402_300_799])
def test_times_have_as_many_digits_as_they_need_in_threes(seconds: int, nanos: int) -> None:
    time = timestamp_pb2.Timestamp(seconds=seconds, nanos=nanos)

    assert WRITERS.write(time) == time.ToJsonString()


def test_an_empty_object_is_present() -> None:
    assert read({"leaf": {}}).HasField("leaf")


def test_an_enum_value_that_is_newer_than_the_contract_is_written_as_its_number() -> None:
    assert WRITERS.write(new(colour=77))["colour"] == 77


@pytest.mark.parametrize("text", ["RED", "COLOUR_RED"])
def test_enum_values_are_read_with_and_without_their_prefix(text: str) -> None:
    assert read({"colour": text}).colour == 1


@pytest.mark.parametrize("text", ["aGk-_w==", "aGk+/w==", "aGk-_w", "aGk+/w"])
def test_base64_is_read_in_both_alphabets_padded_or_not(text: str) -> None:
    assert read({"raw": text}).raw == base64.b64decode("aGk+/w==")


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"text": 1}, "text"),
        ({"text": None}, "text"),
        ({"text": ["a"]}, "text"),
        ({"raw": "???"}, "raw"),
        ({"raw": "a"}, "raw"),
        ({"raw": 1}, "raw"),
        ({"raw": "aGk="}, None),
        ({"flag": "true"}, "flag"),
        ({"flag": 1}, "flag"),
        ({"i32": "1"}, "i32"),
        ({"i32": True}, "i32"),
        ({"i32": 1.5}, "i32"),
        ({"i32": 2.0}, None),
        ({"i32": 2**31}, "i32"),
        ({"i32": -(2**31) - 1}, "i32"),
        ({"u32": -1}, "u32"),
        ({"i64": "9007199254740993"}, None),
        ({"i64": 2**63}, "i64"),
        ({"i64": "9223372036854775808"}, "i64"),
        ({"i64": " 1"}, "i64"),
        ({"i64": "1e3"}, "i64"),
        ({"i64": "\u0661"}, "i64"),
        ({"i64": 1e300}, "i64"),
        ({"i64": 9007199254740992.0}, None),
        ({"i64": 9007199254740994.0}, "i64"),
        ({"u64": -1}, "u64"),
        ({"u64": 2**64 - 1}, None),
        ({"single": 1e39}, "single"),
        ({"single": "1.5"}, "single"),
        ({"single": "NaN"}, None),
        ({"wide": "nan"}, "wide"),
        ({"wide": {}}, "wide"),
        ({"colour": "GREEN"}, "colour"),
        ({"colour": 1}, "colour"),
        ({"colour": "red"}, "colour"),
        ({"leaf": []}, "leaf"),
        ({"leaf": "x"}, "leaf"),
        ({"leaf": {"nme": "x"}}, "leaf.nme"),
        ({"texts": "a"}, "texts"),
        ({"texts": ["a", 1]}, "texts[1]"),
        ({"leaves": [{}, {"name": 1}]}, "leaves[1].name"),
        ({"leaves": [None]}, "leaves[0]"),
        ({"by_text": []}, "by_text"),
        ({"by_text": {"k": 1}}, 'by_text["k"]'),
        ({"by_number": {"x": {}}}, 'by_number["x"]'),
        ({"by_number": {"1": {"name": 1}}}, 'by_number["1"].name'),
        ({"by_flag": {"yes": "RED"}}, 'by_flag["yes"]'),
        ({"one": "a", "other": {}}, "other"),
        ({"time": "2026-01-31"}, "time"),
        ({"time": "2026-02-30T00:00:00Z"}, "time"),
        ({"time": "2026-01-31T25:00:00Z"}, "time"),
        ({"time": "0000-01-01T00:00:00Z"}, "time"),
        ({"time": 5}, "time"),
        ({"time": "2026-01-31T12:00:00+01:00"}, None),
        ({"time": "2026-01-31t12:00:00.5z"}, None),
        ({"span": "5"}, "span"),
        ({"span": "999999999999s"}, "span"),
        ({"wrapped": 1}, "wrapped"),
        ({"anything": 3}, "anything"),
        ({"again": {"again": {"i32": "x"}}}, "again.again.i32"),
        ({"mask": 3}, "mask"),
        ({"i_32": 1}, "i_32"),
        ({"byText": {}}, "byText"),
    ],
)
def test_a_value_that_does_not_fit_is_named_by_its_path(value: object, field: str | None) -> None:
    if field is None:
        read(value)
        return
    with pytest.raises(Wrong) as caught:
        read(value)

    assert [violation.field for violation in refusal(caught.value.violations).fields] == [field]


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(Wrong) as caught:
        read({"text": 1, "leaf": {"name": 2, "x": 3}, "texts": [1, "a", 2]})

    fields = [violation.field for violation in refusal(caught.value.violations).fields]
    assert fields == ["text", "leaf.name", "leaf.x", "texts[0]", "texts[2]"]


def test_a_misspelt_field_is_told_its_name() -> None:
    with pytest.raises(Wrong) as caught:
        read({"byText": {}})

    assert "did you mean by_text?" in caught.value.violations[0].description


def test_an_answer_never_lists_more_than_a_hundred_fields() -> None:
    with pytest.raises(Wrong) as caught:
        read({"texts": [1] * 5000, "by_text": {str(number): 1 for number in range(5000)}})

    assert len(caught.value.violations) == 100


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
        max_leaves=12,
    )
)
def test_any_json_value_is_read_or_refused_and_nothing_else_happens(value: object) -> None:
    with contextlib.suppress(Wrong):
        read(value).SerializeToString()
