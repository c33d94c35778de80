"""Routes follow google.api.http: templates, verbs, variables, precedence, and what a contract may not ask for."""

import functools
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import contract, routes, templates
from gateway.contract import Contract, ContractError
from gateway.routes import Match, Route, RouteTable
from gateway.templates import TemplateError
from tests.fakes.contracts import compile_contract

SHOP = """
message Thing { string name = 1; string group = 2; Part part = 3; }
message Part { string id = 1; int32 count = 2; }
message Ask {
  string request_id = 1; string name = 2; Part part = 3; string rest = 4; Thing thing = 5; repeated string tags = 6;
}
message Reply { Thing thing = 1; repeated Thing things = 2; }
message Receipt { string name = 1; }
service Shop {
  rpc Get(Ask) returns (Reply) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {
      get: "/v1/things/{name}" response_body: "thing"
      additional_bindings { get: "/v1/parts/{part.id}/thing" }
    };
  }
  rpc Special(Ask) returns (Reply) {
    option idempotency_level = NO_SIDE_EFFECTS; option (google.api.http) = { get: "/v1/things/special" };
  }
  rpc Files(Ask) returns (Reply) {
    option idempotency_level = NO_SIDE_EFFECTS; option (google.api.http) = { get: "/v1/files/{rest=**}" };
  }
  rpc Named(Ask) returns (Reply) {
    option idempotency_level = NO_SIDE_EFFECTS; option (google.api.http) = { get: "/v1/{name=shelves/*/books/*}" };
  }
  rpc Make(Ask) returns (Reply) {
    option (google.api.http) = { post: "/v1/things" body: "*" response_body: "thing" };
  }
  rpc Import(Ask) returns (Reply) { option (google.api.http) = { post: "/v1/things:import" body: "*" }; }
  rpc Put(Ask) returns (Reply) { option (google.api.http) = { put: "/v1/things/{name}" body: "thing" }; }
  rpc Close(Ask) returns (Reply) { option (google.api.http) = { post: "/v1/things/{name}:close" body: "*" }; }
  rpc Look(Ask) returns (Reply) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {
      post: "/v1/looks" body: "*" response_body: "thing"
      additional_bindings { get: "/v1/looks/{name}" response_body: "thing" }
    };
  }
  rpc Deposit(Ask) returns (Receipt) { option (google.api.http) = { post: "/v1/deposits" body: "*" }; }
  rpc GetDeposit(Ask) returns (Reply) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = { get: "/v1/deposits/{name}" response_body: "thing" };
  }
  rpc Drop(Thing) returns (Receipt) { option (google.api.http) = { delete: "/v1/deposits/{name}" }; }
  rpc Withdraw(Ask) returns (Receipt) { option (google.api.http) = { delete: "/v1/parts/{name}" }; }
  rpc Search(Ask) returns (Reply) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = { custom { kind: "SEARCH" path: "/v1/things" } body: "*" };
  }
}
"""


@functools.cache
def shop() -> Contract:
    return compile_contract(SHOP)


@functools.cache
def table() -> RouteTable:
    return RouteTable(routes.routes(shop()))


def found(http_method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """Return the RPC behind a request and its variables as they stand in the path."""
    match = table().match(path)
    route = match.routes.get(http_method)
    if route is None:
        return None
    return route.method.name, variables(route, match)


def variables(route: Route, match: Match) -> dict[str, str]:
    return {each.field: "/".join(match.segments[each.start : each.stop]) for each in route.template.variables}


@pytest.mark.parametrize(
    ("http_method", "path", "expected"),
    [
        ("GET", "/v1/things/7", ("Get", {"name": "7"})),
        ("GET", "/v1/things/special", ("Special", {})),
        ("PUT", "/v1/things/special", ("Put", {"name": "special"})),
        ("GET", "/v1/parts/3/thing", ("Get", {"part.id": "3"})),
        ("GET", "/v1/files/a/b/c", ("Files", {"rest": "a/b/c"})),
        ("GET", "/v1/files", ("Files", {"rest": ""})),
        ("GET", "/v1/shelves/1/books/2", ("Named", {"name": "shelves/1/books/2"})),
        ("POST", "/v1/things", ("Make", {})),
        ("POST", "/v1/things:import", ("Import", {})),
        ("SEARCH", "/v1/things", ("Search", {})),
        ("POST", "/v1/things/7:close", ("Close", {"name": "7"})),
        ("POST", "/v1/things/a:b:close", ("Close", {"name": "a:b"})),
        ("GET", "/v1/things/a:b", ("Get", {"name": "a:b"})),
        ("GET", "/v1/things/a%3Aclose", ("Get", {"name": "a%3Aclose"})),
        ("GET", "/v1/things/a%2Fb", ("Get", {"name": "a%2Fb"})),
        ("GET", "/v1/things/*", ("Get", {"name": "*"})),
        ("GET", "/v1/things/7:close", None),
        ("GET", "/v1/things/", None),
        ("GET", "/v1/things/7/", None),
        ("GET", "/v1//7", None),
        ("GET", "/v1/shelves/1/books", None),
        ("GET", "/", None),
        ("GET", "", None),
        ("DELETE", "/v1/things", None),
    ],
)
def test_a_path_leads_to_its_rpc(http_method: str, path: str, expected: tuple[str, dict[str, str]] | None) -> None:
    assert found(http_method, path) == expected


def test_a_path_says_which_methods_it_answers_to() -> None:
    assert table().match("/v1/things/7").allowed() == ["GET", "HEAD", "OPTIONS", "PUT"]
    assert table().match("/v1/things/7:close").allowed() == ["OPTIONS", "POST"]


@given(st.text(min_size=1))
def test_any_value_survives_the_way_into_a_path_and_out_again(value: str) -> None:
    template = templates.parse("/v1/things/{name}")
    path = template.fill({"name": value})

    result = found("GET", path)

    expected = "Special" if value == "special" else "Get"
    assert result is not None
    assert result[0] == expected
    if expected == "Get":
        assert unquote(result[1]["name"]) == value


SEGMENTS = st.text("abc*{}=:%", min_size=1, max_size=4) | st.sampled_from(["things", "v1", "**", "special", "files"])


@given(st.lists(SEGMENTS, max_size=6))
def test_no_path_breaks_the_search(segments: list[str]) -> None:
    match = table().match("/" + "/".join(segments))

    for route in match.routes.values():
        assert len(match.segments) >= len([s for s in route.template.segments if s != "**"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1",
        "/",
        "/v1/",
        "/v1//things",
        "/v1/{name",
        "/v1/{}",
        "/v1/{a b}",
        "/v1/**/more",
        "/v1/x{name}",
        "/v1/{a={b}}",
    ],
)
def test_a_malformed_template_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        templates.parse(text)


def test_a_create_knows_where_its_object_can_be_read() -> None:
    locations = {route.method.name: route.location for route in table().routes}

    assert locations["Make"] is not None
    assert locations["Make"].text == "/v1/things/{name}"
    assert {name for name, location in locations.items() if location is not None} == {"Make"}


def test_our_own_contract_creates_orders_and_nothing_else() -> None:
    created = [route for route in routes.routes(contract.load()) if route.location is not None]

    assert [route.name for route in created] == ["POST /api/v1/orders"]
    assert created[0].location is not None
    assert created[0].location.fill({"order_id": "a/b"}) == "/api/v1/orders/a%2Fb"


def test_a_key_is_needed_where_something_changes() -> None:
    needed = {route.method.name for route in table().routes if route.needs_key}

    assert needed == {"Make", "Import", "Put", "Close", "Deposit", "Withdraw"}


def test_taking_away_needs_no_key_unless_its_request_has_one() -> None:
    assert found("DELETE", "/v1/deposits/7") == ("Drop", {"name": "7"})
    assert not next(route for route in table().routes if route.method.name == "Drop").needs_key


@pytest.mark.parametrize(
    ("signature", "rule", "complaint"),
    [
        ("(Ask) returns (Reply)", 'get: "/v1/{nothing}"', "nothing in its path"),
        ("(Ask) returns (Reply)", 'get: "/v1/{part}"', "part in its path"),
        ("(Ask) returns (Reply)", 'get: "/v1/{tags}"', "tags in its path"),
        ("(Ask) returns (Reply)", 'get: "/v1/x" response_body: "y"', "response_body y"),
        ("(Ask) returns (Reply)", 'post: "/v1/x" body: "y"', "its body y"),
        ("(Ask) returns (Reply)", 'get: "v1"', "begin with a slash"),
        ("(Ask) returns (Reply)", 'body: "*"', "names no path"),
        ("(stream Ask) returns (Reply)", 'get: "/v1/x"', "cannot stream"),
        ("(Thing) returns (Reply)", 'post: "/v1/x" body: "*"', "has no request_id"),
        ("(Ask) returns (Reply)", 'get: "/v1/{name}" additional_bindings { get: "/v1/{rest}" }', "bound to both"),
    ],
)
def test_an_annotation_that_cannot_be_served_is_refused_at_start(signature: str, rule: str, complaint: str) -> None:
    rpc = f"rpc A{signature} {{ option (google.api.http) = {{ {rule} }}; }}"
    text = SHOP.partition("service")[0] + f"service Bad {{ {rpc} }}"

    with pytest.raises(ContractError, match=complaint):
        RouteTable(routes.routes(compile_contract(text)))
