"""The OpenAPI document is valid, complete, and says of every request what the services will hold against it."""

import functools
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway import contract, openapi, routes
from gateway.webhooks import WEBHOOKS
from kernel.errors import Reason
from tests.fakes.contracts import compile_contract


@functools.cache
def document() -> dict[str, Any]:
    loaded = contract.load()
    return openapi.document(loaded, routes.routes(loaded))


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["schemas"][name]
    return found


def operation(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["paths"][path][method]
    return found


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_every_route_is_in_it() -> None:
    documented = {
        f"{method.upper()} {path}"
        for path, item in document()["paths"].items()
        for method in item
        if path.startswith("/api")
    }

    assert documented == {route.name for route in routes.routes(contract.load())}
    assert {webhook.path for webhook in WEBHOOKS} <= set(document()["paths"])


def test_operations_have_names_of_their_own_and_are_described() -> None:
    operations = [each for item in document()["paths"].values() for each in item.values()]
    names = [each["operationId"] for each in operations]

    assert len(set(names)) == len(names)
    assert all(each["summary"] for each in operations)
    assert "also after a restart" in operation("post", "/api/v1/orders")["description"]


def test_what_is_sent_is_closed_and_bound_by_the_rules() -> None:
    item = schema("OrderItemInput")

    assert item["additionalProperties"] is False
    assert item["required"] == ["sku", "quantity", "unit_price"]
    assert item["properties"]["quantity"] == {
        "type": "integer",
        "format": "int32",
        "minimum": 1,
        "maximum": 100_000,
        "description": "How many.",
    }
    assert item["properties"]["sku"]["maxLength"] == 50
    assert schema("PlaceOrderRequest")["properties"]["items"]["maxItems"] == 200
    assert schema("CustomerInput")["properties"]["email"]["format"] == "email"


def test_what_is_answered_is_open_and_lists_what_is_always_there() -> None:
    order = schema("Order")

    assert "additionalProperties" not in order
    assert order["required"] == [
        "order_id",
        "state",
        "items",
        "needs_review",
        "reference",
        "version",
        "prices_include_tax",
        "capture_mode",
        "shipments",
        "refunds",
        "alerts",
        "metadata",
        "note",
        "etag",
        "keep_after_decline",
    ]
    assert order["properties"]["create_time"]["format"] == "date-time"
    assert schema("OrderEvent")["properties"]["facts"]["additionalProperties"] == {"type": "string"}


def test_enum_values_go_without_prefix_and_are_explained() -> None:
    assert schema("OrderState")["enum"][:4] == ["UNSPECIFIED", "PENDING", "PAYMENT_ACTION_REQUIRED", "PAID"]
    assert "- `PAID`: Charged." in schema("OrderState")["description"]


def test_the_key_is_a_header_and_not_in_the_body() -> None:
    place = operation("post", "/api/v1/orders")

    assert [(each["name"], each["in"], each["required"]) for each in place["parameters"]] == [
        ("Idempotency-Key", "header", True)
    ]
    assert "request_id" not in schema("PlaceOrderRequest")["properties"]
    assert "parameters" not in operation("post", "/api/v1/orders:quote")


def header(method: str, path: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in operation(method, path)["parameters"] if each["name"] == name]
    assert (found["in"], found["required"]) == ("header", False)
    return dict(found)


def test_the_version_that_a_command_is_meant_for_is_a_header_and_not_in_the_body() -> None:
    cancel = operation("post", "/api/v1/orders/{order_id}:cancel")

    schema_of_tag = header("post", "/api/v1/orders/{order_id}:cancel", "If-Match")["schema"]
    assert schema_of_tag["maxLength"] == 42
    assert re.fullmatch(schema_of_tag["pattern"], '"v3"')
    assert re.fullmatch(schema_of_tag["pattern"], "*")
    assert not re.fullmatch(schema_of_tag["pattern"], 'W/"v3"')
    assert "etag" not in schema("CancelOrderRequest")["properties"]
    assert set(cancel["responses"]["200"]["headers"]) == {"X-Request-Id", "ETag"}
    assert "`VERSION_MISMATCH`" in document()["components"]["responses"]["412"]["description"]
    assert "412" in cancel["responses"]
    assert "412" not in operation("post", "/api/v1/orders/{order_id}:retry")["responses"]


def test_reading_what_has_a_version_may_be_answered_by_304() -> None:
    get = operation("get", "/api/v1/orders/{order_id}")

    assert header("get", "/api/v1/orders/{order_id}", "If-None-Match")
    assert set(get["responses"]["304"]["headers"]) == {"ETag"}
    assert "ETag" in operation("post", "/api/v1/orders")["responses"]["201"]["headers"]
    assert "304" not in operation("get", "/api/v1/payments/{payment_id}")["responses"]
    assert "ETag" not in operation("get", "/api/v1/orders")["responses"]["200"]["headers"]


def test_a_stream_that_can_be_taken_up_again_says_how() -> None:
    assert header("get", "/api/v1/orders/{order_id}:watch", "Last-Event-ID")
    assert "Last-Event-ID" in operation("get", "/api/v1/orders/{order_id}:watch")["responses"]["200"]["description"]


def test_what_the_path_says_is_not_in_the_body_either() -> None:
    cancel = operation("post", "/api/v1/orders/{order_id}:cancel")

    assert cancel["parameters"][0]["schema"] == {"type": "string", "format": "uuid", "minLength": 1}
    assert "order_id" not in schema("CancelOrderRequest")["properties"]
    assert cancel["requestBody"]["required"] is False
    assert operation("post", "/api/v1/orders")["requestBody"]["required"] is True


def test_query_parameters_are_listed() -> None:
    parameters = {each["name"]: each["schema"] for each in operation("get", "/api/v1/orders")["parameters"]}

    assert list(parameters) == [
        "customer_id",
        "state",
        "needs_review",
        "page_size",
        "page_token",
        "create_time_from",
        "create_time_before",
        "reference_prefix",
        "tax_differs",
        "alerted",
    ]
    assert parameters["create_time_from"] == {"type": "string", "format": "date-time"}


def test_creating_answers_201_with_its_place_and_names_how_it_fails() -> None:
    responses = operation("post", "/api/v1/orders")["responses"]

    assert set(responses) == {"201", "400", "401", "402", "403", "409", "413", "415", "default"}
    assert responses["201"]["headers"]["Location"]["required"]


def test_an_answer_that_brings_objects_links_to_what_may_be_asked_of_them() -> None:
    created = operation("post", "/api/v1/orders")["responses"]["201"]["links"]
    listed = operation("get", "/api/v1/notifications")["responses"]["200"]["links"]

    assert created["CancelOrder"] == {
        "operationId": "CancelOrder",
        "parameters": {"order_id": "$response.body#/order_id"},
    }
    assert listed["GetNotification"]["parameters"] == {
        "notification_id": "$response.body#/notifications/0/notification_id"
    }
    # Whoever asks about one order by its id has what the links would bring; an order that a mail names is none of it.
    assert "links" not in operation("get", "/api/v1/orders/{order_id}")["responses"]["200"]
    assert "GetOrder" not in listed


def test_every_operation_about_one_object_is_linked_to() -> None:
    everything = [each for item in document()["paths"].values() for each in item.values()]
    linked = {
        name for each in everything for response in each["responses"].values() for name in response.get("links", ())
    }
    about_one = {
        each["operationId"] for path, item in document()["paths"].items() if "{" in path for each in item.values()
    }

    assert linked == about_one


def test_a_stream_is_documented_as_events() -> None:
    content = operation("get", "/api/v1/orders/{order_id}:watch")["responses"]["200"]["content"]

    kinds = {
        kind["properties"]["event"]["const"]: kind["properties"]["data"]["contentSchema"]
        for kind in content["text/event-stream"]["schema"]["oneOf"]
    }
    assert kinds["message"] == {"$ref": "#/components/schemas/Order"}
    assert kinds["error"] == {"$ref": "#/components/schemas/Problem"}


def test_every_reason_is_explained() -> None:
    assert set(schema("ErrorReason")["enum"]) == {reason.value for reason in Reason}
    assert set(document()["components"]["responses"]["402"]["description"].split("`")) >= {"PAYMENT_DECLINED"}


RULES = """
message Leaf { string name = 1; }
message Ask {
  string request_id = 1;
  string uuid = 2 [(buf.validate.field).string.uuid = true];
  string maybe_uuid = 3 [(buf.validate.field).ignore = IGNORE_IF_ZERO_VALUE, (buf.validate.field).string.uuid = true];
  string exact = 4 [(buf.validate.field).string = {min_len: 2, max_len: 4}];
  string pattern = 5 [(buf.validate.field).string.pattern = "^x+$"];
  string loose = 6 [(buf.validate.field).string.pattern = "^x*$"];
  int64 above = 7 [(buf.validate.field).int64.gt = 0];
  int64 below = 8 [(buf.validate.field).int64.lt = 10];
  repeated string many = 9 [(buf.validate.field).repeated = {min_items: 1, items: {string: {max_len: 3}}}];
  bytes raw = 10 [(buf.validate.field).bytes.max_len = 4];
  Kind kind = 11 [(buf.validate.field).enum = {not_in: [0]}];
  Leaf leaf = 12 [(buf.validate.field).required = true];
  optional string maybe = 13 [(buf.validate.field).string.min_len = 1];
  map<string, Leaf> leaves = 14;
  Ask again = 15;
  google.protobuf.StringValue wrapped = 16;
  double number = 17 [(buf.validate.field).double.gte = 0.5];
  map<string, string> facts = 18 [(buf.validate.field).map = {
    min_pairs: 1, max_pairs: 3, keys: {string: {max_len: 4}}, values: {string: {pattern: "^x*$"}}
  }];
  map<int32, string> by_number = 19 [(buf.validate.field).map = {max_pairs: 2, keys: {int32: {gte: 3}}}];
  repeated string different = 20 [(buf.validate.field).repeated = {unique: true, max_items: 2}];
  repeated string gone = 21 [(buf.validate.field).repeated.max_items = 0];
}
enum Kind { KIND_UNSPECIFIED = 0; KIND_A = 1; }
message Reply { Ask ask = 1; }
service Shop {
  // Does it. May fail with ADDRESS_INVALID or NOT_A_REASON.
  rpc Do(Ask) returns (Reply) {
    option (google.api.http) = { post: "/v1/do" body: "*" additional_bindings { put: "/v1/do/{exact}" body: "leaf" } };
  }
}
"""


@functools.cache
def rules() -> dict[str, Any]:
    compiled = compile_contract(RULES)
    return openapi.document(compiled, routes.routes(compiled), webhooks=())


def test_any_contract_makes_a_valid_document() -> None:
    OpenAPIV31SpecValidator(rules()).validate()


@pytest.mark.parametrize(
    ("field", "expected", "required"),
    [
        ("uuid", {"type": "string", "format": "uuid"}, True),
        ("maybe_uuid", {"anyOf": [{"type": "string", "format": "uuid"}, {"const": ""}]}, False),
        ("exact", {"type": "string", "minLength": 2, "maxLength": 4}, True),
        ("pattern", {"type": "string", "pattern": "^x+$"}, True),
        ("loose", {"type": "string", "pattern": "^x*$"}, False),
        (
            "above",
            {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1, "exclusiveMinimum": 0},
            True,
        ),
        (
            "below",
            {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1, "exclusiveMaximum": 10},
            False,
        ),
        ("many", {"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 1}, True),
        ("raw", {"type": "string", "contentEncoding": "base64", "maxLength": 8}, False),
        ("kind", {"$ref": "#/components/schemas/KindInput"}, True),
        ("leaf", {"$ref": "#/components/schemas/LeafInput"}, True),
        ("maybe", {"type": "string", "minLength": 1}, False),
        (
            "leaves",
            {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/LeafInput"}},
            False,
        ),
        ("again", {"$ref": "#/components/schemas/AskInput"}, False),
        ("wrapped", {"type": "string"}, False),
        ("number", {"type": "number", "format": "double", "minimum": 0.5}, True),
        (
            "facts",
            {
                "type": "object",
                "additionalProperties": {"type": "string", "pattern": "^x*$"},
                "minProperties": 1,
                "maxProperties": 3,
                "propertyNames": {"maxLength": 4},
            },
            True,
        ),
        ("by_number", {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 2}, False),
        ("different", {"type": "array", "items": {"type": "string"}, "maxItems": 2, "uniqueItems": True}, False),
        ("gone", {"type": "array", "items": {"type": "string"}, "maxItems": 0}, False),
    ],
)
def test_rules_become_keywords(field: str, expected: dict[str, Any], required: bool) -> None:  # noqa: FBT001
    ask = rules()["components"]["schemas"]["AskInput"]

    assert ask["properties"][field] == expected
    assert (field in ask["required"]) is required


def test_a_comment_that_names_a_reason_documents_its_status() -> None:
    responses = rules()["paths"]["/v1/do"]["post"]["responses"]

    assert set(responses) == {"200", "400", "401", "403", "409", "413", "415", "default"}


def test_further_bindings_of_one_rpc_are_documented_under_further_names() -> None:
    assert rules()["paths"]["/v1/do"]["post"]["operationId"] == "Do"
    assert rules()["paths"]["/v1/do/{exact}"]["put"]["operationId"] == "Do2"


def test_an_operation_says_who_may_call_it() -> None:
    assert operation("post", "/api/v1/orders/{order_id}:refund")["security"] == [
        {"apiKey": ["orders.refund"]},
        {"staffToken": ["orders.refund"]},
    ]
    assert {"customerToken": []} in operation("get", "/api/v1/orders/{order_id}")["security"]
    assert set(document()["components"]["securitySchemes"]) == {"apiKey", "staffToken", "customerToken"}
