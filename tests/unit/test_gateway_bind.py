"""An HTTP request becomes a gRPC request: body, path, query and key find their fields; contradictions are refused."""

import functools
from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from gateway import routes
from gateway.bind import Binder, Incoming
from gateway.read_json import MessageReaders
from gateway.routes import RouteTable
from kernel.errors import Refusal
from tests.fakes.contracts import compile_contract

SHOP = """
enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; }
message Part { string id = 1; int64 count = 2; bool spare = 3; google.protobuf.Timestamp time = 4; Part inside = 5; }
message Ask {
  string request_id = 1; string name = 2; Part part = 3; repeated string tags = 4; Colour colour = 5;
  repeated int32 sizes = 6; map<string, string> labels = 7; repeated Part parts = 8; double weight = 9;
  google.protobuf.StringValue note = 10; google.protobuf.Timestamp since = 11; bytes raw = 12;
  string etag = 13; int64 after_version = 14; optional bool maybe = 15; repeated Colour colours = 16;
}
message Plain { string request_id = 1; string name = 2; }
message Reply {}
service Shop {
  rpc List(Ask) returns (Reply) {
    option idempotency_level = NO_SIDE_EFFECTS; option (google.api.http) = { get: "/v1/things" };
  }
  rpc Get(Ask) returns (Reply) {
    option idempotency_level = NO_SIDE_EFFECTS; option (google.api.http) = { get: "/v1/things/{part.count}/{name=**}" };
  }
  rpc Close(Ask) returns (Reply) { option (google.api.http) = { post: "/v1/things/{name}:close" body: "*" }; }
  rpc Fit(Ask) returns (Reply) { option (google.api.http) = { post: "/v1/things/{name}:fit" body: "part" }; }
  rpc Shut(Plain) returns (Reply) { option (google.api.http) = { post: "/v1/plain/{name}:shut" body: "*" }; }
  rpc Change(Ask) returns (Reply) { option (google.api.http) = { patch: "/v1/things/{name}" body: "*" }; }
  rpc Drop(Ask) returns (Reply) { option (google.api.http) = { delete: "/v1/things/{name}" }; }
  rpc Follow(Ask) returns (stream Reply) {
    option idempotency_level = NO_SIDE_EFFECTS; option (google.api.http) = { get: "/v1/things/{name}:follow" };
  }
  rpc Tag(Ask) returns (Reply) { option (google.api.http) = { post: "/v1/things/{name}:tag" body: "tags" }; }
}
"""


@functools.cache
def table() -> RouteTable:
    return RouteTable(routes.routes(compile_contract(SHOP)))


@functools.cache
def binder(name: str) -> Binder:
    return Binder(next(route for route in table().routes if route.method.name == name), MessageReaders())


def bind(name: str, path: str, body: bytes = b"", keys: tuple[str, ...] = (), **headers: Sequence[str]) -> Any:  # noqa: ANN401  (any JSON value)
    """Return the gRPC request, as JSON."""
    path, _, query = path.partition("?")
    incoming = Incoming(segments=table().match(path).segments, query=query, keys=keys, body=body, **headers)
    return json_format.MessageToDict(binder(name).bind(incoming), preserving_proto_field_name=True)


def wrong(
    name: str, path: str, body: bytes = b"", keys: tuple[str, ...] = ("k",), **headers: Sequence[str]
) -> list[str]:
    """Return the fields that are named as wrong."""
    with pytest.raises(Refusal) as caught:
        bind(name, path, body, keys, **headers)
    return [field.field for field in caught.value.fields]


@pytest.mark.parametrize(
    ("query", "request_"),
    [
        ("", {}),
        ("name=a", {"name": "a"}),
        ("name=", {}),
        ("name=a+b%20c%26", {"name": "a b c&"}),
        ("name=%C3%A4", {"name": "ä"}),
        ("tags=x&tags=y", {"tags": ["x", "y"]}),
        ("sizes=1&sizes=-2", {"sizes": [1, -2]}),
        ("colour=RED", {"colour": "COLOUR_RED"}),
        ("colour=COLOUR_RED", {"colour": "COLOUR_RED"}),
        ("part.id=p&part.count=9&part.spare=true", {"part": {"id": "p", "count": "9", "spare": True}}),
        ("part.inside.inside.id=deep", {"part": {"inside": {"inside": {"id": "deep"}}}}),
        ("part.time=2026-01-31T12:00:00Z", {"part": {"time": "2026-01-31T12:00:00Z"}}),
        ("since=2026-01-31T12:00:00.25%2B01:00", {"since": "2026-01-31T11:00:00.250Z"}),
        ("weight=1.5e3", {"weight": 1500.0}),
        ("note=hello", {"note": "hello"}),
        ("raw=aGk", {"raw": "aGk="}),
        ("maybe=false", {"maybe": False}),
        ("colours=RED&colours=COLOUR_RED", {"colours": ["COLOUR_RED", "COLOUR_RED"]}),
        ("&name=a&", {"name": "a"}),
    ],
)
def test_query_parameters_fill_fields(query: str, request_: dict[str, object]) -> None:
    assert bind("List", f"/v1/things?{query}") == request_


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("nothing=1", ["nothing"]),
        ("part=1", ["part"]),
        ("part.nothing=1", ["part.nothing"]),
        ("part.id.more=1", ["part.id.more"]),
        ("part..id=1", ["part..id"]),
        ("labels=1", ["labels"]),
        ("labels.a=1", ["labels.a"]),
        ("parts.id=1", ["parts.id"]),
        ("note.value=1", ["note.value"]),
        ("name=a&name=b", ["name"]),
        ("sizes=1&sizes=x", ["sizes[1]"]),
        ("sizes=", ["sizes[0]"]),
        ("part.count=1.5", ["part.count"]),
        ("part.spare=yes", ["part.spare"]),
        ("colour=", ["colour"]),
        ("colour=BLUE", ["colour"]),
        ("since=2026-01-31T12:00:00+01:00", ["since"]),  # a plus is a blank in a query
        ("name=%zz", ["name"]),
        ("name=%", ["name"]),
        ("name=%ff", ["name"]),
        ("%ff=1", ["query"]),
        ("nothing=1&name=%&sizes=x", ["nothing", "name"]),
    ],
)
def test_a_wrong_query_parameter_is_named(query: str, fields: list[str]) -> None:
    assert set(fields) <= set(wrong("List", f"/v1/things?{query}"))


def test_variables_fill_nested_fields_and_several_segments() -> None:
    assert bind("Get", "/v1/things/7/a/b%20c") == {"part": {"count": "7"}, "name": "a/b c"}
    assert bind("Get", "/v1/things/7/a%2Fb") == {"part": {"count": "7"}, "name": "a%2Fb"}
    assert bind("Get", "/v1/things/7/a?part.id=x") == {"part": {"count": "7", "id": "x"}, "name": "a"}


@pytest.mark.parametrize(
    ("path", "field"),
    [("/v1/things/x/a", "part.count"), ("/v1/things/1/%ff", "name"), ("/v1/things/1/%4", "name")],
)
def test_a_wrong_variable_is_named(path: str, field: str) -> None:
    assert wrong("Get", path) == [field]


def test_a_variable_cannot_be_given_in_the_query_too() -> None:
    assert wrong("Get", "/v1/things/7/a?part.count=8") == ["part.count"]
    assert wrong("Get", "/v1/things/7/a?part.count=7") == ["part.count"]


def test_the_key_becomes_the_request_id() -> None:
    assert bind("Close", "/v1/things/a:close", b"{}", ("k1",)) == {"name": "a", "request_id": "k1"}
    assert bind("Close", "/v1/things/a:close", b"", ("k1",)) == {"name": "a", "request_id": "k1"}


@pytest.mark.parametrize("keys", [(), ("",), ("a", "b"), ("a" * 129,), ("with blank",), ("ü",), ("\x7f",)])
def test_a_missing_or_unusable_key_is_refused_by_the_name_of_its_header(keys: tuple[str, ...]) -> None:
    assert wrong("Close", "/v1/things/a:close", b"{}", keys) == ["Idempotency-Key"]


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128))
def test_any_visible_ascii_is_a_key(key: str) -> None:
    assert bind("Close", "/v1/things/a:close", b"{}", (key,))["request_id"] == key


def test_no_key_is_needed_where_nothing_changes() -> None:
    assert bind("List", "/v1/things", keys=("ignored",)) == {}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b'{"request_id": "other"}', ["request_id"]),
        (b'{"request_id": 3}', ["request_id", "request_id"]),
        (b'{"name": "b"}', ["name"]),
        (b'{"part": {"count": "x"}, "nme": 1}', ["part.count", "nme"]),
        (b"[]", ["body"]),
        (b"null", ["body"]),
        (b"{", ["body"]),
    ],
)
def test_a_body_that_contradicts_or_does_not_fit_is_refused(body: bytes, fields: list[str]) -> None:
    assert wrong("Close", "/v1/things/a:close", body) == fields


def test_a_body_may_repeat_what_path_and_key_say() -> None:
    body = b'{"request_id": "k", "name": "a"}'

    assert bind("Close", "/v1/things/a:close", body, ("k",)) == {"request_id": "k", "name": "a"}


def test_with_the_whole_request_as_body_there_are_no_query_parameters() -> None:
    assert wrong("Close", "/v1/things/a:close?colour=RED", b"{}") == ["colour"]


def test_a_field_can_be_the_body() -> None:
    fitted = bind("Fit", "/v1/things/a:fit?colour=RED", b'{"id": "p"}', ("k",))

    assert fitted == {"name": "a", "request_id": "k", "colour": "COLOUR_RED", "part": {"id": "p"}}
    assert bind("Tag", "/v1/things/a:tag", b'["x"]', ("k",)) == {"name": "a", "request_id": "k", "tags": ["x"]}


@pytest.mark.parametrize(
    ("name", "body", "fields"),
    [
        ("Fit", b"3", ["part"]),
        ("Fit", b'{"count": []}', ["part.count"]),
        ("Fit", b'{"id": "p"}, "name": "b"', ["body"]),
        ("Tag", b'{"a": 1}', ["tags"]),
        ("Tag", b"[1]", ["tags[0]"]),
    ],
)
def test_a_field_that_is_the_body_is_checked_as_that_field(name: str, body: bytes, fields: list[str]) -> None:
    assert wrong(name, f"/v1/things/a:{name.lower()}", body) == fields


def test_the_bodys_field_is_no_query_parameter() -> None:
    assert wrong("Fit", "/v1/things/a:fit?part.id=x", b"{}") == ["part.id"]


CLOSE = ("Close", "/v1/things/a:close", b"{}", ("k",))


@pytest.mark.parametrize(
    ("value", "etag"),
    [('"v3"', "v3"), (' "v3" ', "v3"), ('"a,b"', "a,b"), ('"*"', "*"), ("*", None)],
)
def test_if_match_becomes_the_etag(value: str, etag: str | None) -> None:
    assert bind(*CLOSE, if_match=[value]).get("etag") == etag


@pytest.mark.parametrize(
    "values",
    [["v3"], [""], ['""'], ['W/"v3"'], ['"a", "b"'], ['"a"', '"b"'], ['"a'], ['"ü"'], ['"a b"'], ["*, *"]],
)
def test_if_match_that_is_no_single_strong_tag_is_refused(values: list[str]) -> None:
    assert wrong(*CLOSE, if_match=values) == ["If-Match"]


def test_a_body_may_repeat_if_match_and_must_not_contradict_it() -> None:
    name, path, _, keys = CLOSE

    assert bind(name, path, b'{"etag": "v3"}', keys, if_match=['"v3"'])["etag"] == "v3"
    assert bind(name, path, b'{"etag": "v3"}', keys, if_match=["*"])["etag"] == "v3"
    assert wrong(name, path, b'{"etag": "v2"}', keys, if_match=['"v3"']) == ["etag"]


def test_if_match_is_not_passed_over_where_a_change_takes_no_version() -> None:
    assert wrong("Shut", "/v1/plain/a:shut", b"{}", if_match=['"v3"']) == ["If-Match"]


def test_if_match_means_nothing_where_nothing_changes() -> None:
    assert bind("List", "/v1/things", if_match=["anything"]) == {}


def test_the_last_event_goes_before_the_query_where_browsers_keep_the_url() -> None:
    path = "/v1/things/a:follow"

    assert bind("Follow", path, last_event_ids=["7"]) == {"name": "a", "after_version": "7"}
    assert bind("Follow", f"{path}?after_version=3", last_event_ids=["7"])["after_version"] == "7"
    assert bind("Follow", f"{path}?after_version=3", last_event_ids=[""])["after_version"] == "3"
    assert bind("Follow", path, last_event_ids=["0"]).get("after_version") is None
    assert bind("Follow", f"{path}?after_version=-1", last_event_ids=["7"])["after_version"] == "-1", "is refused later"
    with pytest.raises(Refusal, match="after_version"):
        bind("Follow", f"{path}?after_version=24465146387941727284494336", last_event_ids=["7"])
    assert bind("List", "/v1/things", last_event_ids=["7"]) == {}


@pytest.mark.parametrize("values", [["x"], ["-1"], ["1.0"], ["07"], ["9" * 19], ["9" * 20], ["\u0661"], ["1", "2"]])
def test_a_last_event_that_is_none_of_ours_is_refused(values: list[str]) -> None:
    assert wrong("Follow", "/v1/things/a:follow", last_event_ids=values) == ["Last-Event-ID"]


def test_a_change_tells_what_was_left_out_from_what_is_false() -> None:
    assert bind("Change", "/v1/things/a", b'{"maybe": false}', ("k",))["maybe"] is False
    assert "maybe" not in bind("Change", "/v1/things/a", b'{"labels": {"x": "y"}}', ("k",))
    assert bind("Change", "/v1/things/a", b'{"labels": {"x": "y"}}', ("k",))["labels"] == {"x": "y"}


def test_taking_away_takes_its_fields_from_path_and_query() -> None:
    assert bind("Drop", "/v1/things/a?colour=RED", keys=("k",))["colour"] == "COLOUR_RED"
    assert bind("Drop", "/v1/things/a", keys=("k",), if_match=['"v3"'])["etag"] == "v3"


@given(st.text("abc=&%.+ü", max_size=12), st.binary(max_size=12))
def test_anything_is_read_or_refused(query: str, body: bytes) -> None:
    for name, path in (("List", "/v1/things"), ("Close", "/v1/things/a:close"), ("Fit", "/v1/things/a:fit")):
        try:
            bind(name, f"{path}?{query}", body, ("k",))
        except Refusal as refusal:
            assert refusal.fields  # noqa: PT017  (either outcome is fine, a refusal without fields is not)
