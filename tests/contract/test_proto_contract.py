"""Rules that every RPC of the contract keeps, read from the descriptors that the stubs carry."""

import re
from collections.abc import Iterator

import pytest
from buf.validate import validate_pb2
from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from ordermesh.notify.v1 import notify_service_pb2
from ordermesh.order.v1 import order_service_pb2
from ordermesh.payment.v1 import payment_service_pb2
from ordermesh.tax.v1 import tax_service_pb2
from ordermesh.webhook.v1 import webhook_service_pb2

from chassis.access.rules import rule_of as rule_of_access

SERVICES: dict[str, ServiceDescriptor] = {
    "OrderService": order_service_pb2.DESCRIPTOR.services_by_name["OrderService"],
    "TaxService": tax_service_pb2.DESCRIPTOR.services_by_name["TaxService"],
    "PaymentService": payment_service_pb2.DESCRIPTOR.services_by_name["PaymentService"],
    "NotifyService": notify_service_pb2.DESCRIPTOR.services_by_name["NotifyService"],
    "WebhookService": webhook_service_pb2.DESCRIPTOR.services_by_name["WebhookService"],
}
METHODS: list[MethodDescriptor] = [method for service in SERVICES.values() for method in service.methods]

# Their idempotency key is the provider's own id of the event.
WEBHOOKS = {"IngestStripeEvent", "IngestSendgridEvents"}
# What is gone stays gone: to take it away again needs no key to be the same.
DELETIONS = {"DeleteWebhookEndpoint"}

PROMISED = {
    "OrderService": {
        "QuoteOrder",
        "PlaceOrder",
        "GetOrder",
        "ListOrders",
        "WatchOrder",
        "ExplainOrder",
        "ConfirmOrderPayment",
        "CancelOrder",
        "RefundOrder",
        "StartProcessing",
        "ShipOrder",
        "DeliverOrder",
        "RetryOrder",
        "AnnotateOrder",
        "MarkOrderReviewed",
        "GetOrdersOverview",
    },
    "TaxService": {
        "QuoteTax",
        "CommitTax",
        "RefundTax",
        "VoidTax",
        "ResolveAddress",
        "ListTaxDocuments",
        "ListProviderDocuments",
        "GetTaxProvider",
    },
    "PaymentService": {
        "ChargePayment",
        "ConfirmPayment",
        "CapturePayment",
        "CancelPayment",
        "RefundPayment",
        "GetPayment",
        "ListPayments",
        "IngestStripeEvent",
        "ListPaymentNews",
        "AcknowledgePaymentNews",
        "ListProviderPayments",
        "ListProviderRefunds",
        "ReleaseProviderPayment",
        "GetPaymentProvider",
    },
    "NotifyService": {
        "SendNotification",
        "GetNotification",
        "ListNotifications",
        "IngestSendgridEvents",
        "PreviewNotification",
        "ListNotificationNews",
        "AcknowledgeNotificationNews",
        "ListProviderMails",
        "GetNotificationMail",
        "ResendNotification",
        "GetMailProvider",
    },
    "WebhookService": {
        "CreateWebhookEndpoint",
        "ListWebhookEndpoints",
        "UpdateWebhookEndpoint",
        "RotateWebhookSecret",
        "DeleteWebhookEndpoint",
        "ListWebhookDeliveries",
        "ReplayWebhookDelivery",
    },
}

VARIABLE = re.compile(r"\{([a-z_.]+)\}")
SCOPE = re.compile(r"[a-z]+\.[a-z]+")
PATH = re.compile(r"/api/v1(/[a-z][A-Za-z]*|/\{[a-z_]+\})+(:[a-z][A-Za-z]*)?")

each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)


def level(method: MethodDescriptor) -> "MethodOptions.IdempotencyLevel.ValueType":
    return method.GetOptions().idempotency_level


def rule_of(method: MethodDescriptor) -> http_pb2.HttpRule | None:
    """Return the method's REST rule, if REST shows it."""
    options = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return None
    rule: http_pb2.HttpRule = options.Extensions[annotations_pb2.http]
    return rule


def verb_and_path(rule: http_pb2.HttpRule) -> tuple[str, str]:
    verb: str = rule.WhichOneof("pattern")
    return verb, getattr(rule, verb)


def has_field(message: Descriptor, path: str) -> bool:
    """Say whether a dotted path leads to a field."""
    head, _, rest = path.partition(".")
    field = message.fields_by_name.get(head)
    return field is not None and (not rest or (field.message_type is not None and has_field(field.message_type, rest)))


REST = [(method, rule) for method in METHODS if (rule := rule_of(method)) is not None]
each_rule = pytest.mark.parametrize(("method", "rule"), REST, ids=[method.name for method, _ in REST])


@pytest.mark.parametrize("service", SERVICES)
def test_every_promised_rpc_exists_and_no_other(service: str) -> None:
    assert {method.name for method in SERVICES[service].methods} == PROMISED[service]


@each_method
def test_every_rpc_says_whether_it_may_be_repeated(method: MethodDescriptor) -> None:
    assert level(method) != MethodOptions.IDEMPOTENCY_UNKNOWN


@each_method
def test_every_rpc_that_changes_something_takes_an_idempotency_key(method: MethodDescriptor) -> None:
    key = method.input_type.fields_by_name.get("request_id")
    if level(method) == MethodOptions.NO_SIDE_EFFECTS or method.name in WEBHOOKS | DELETIONS:
        assert key is None
        return

    assert key is not None
    rules = key.GetOptions().Extensions[validate_pb2.field].string
    assert (rules.min_len, rules.max_len) == (1, 128)


@each_method
def test_requests_and_answers_belong_to_one_rpc_each(method: MethodDescriptor) -> None:
    assert method.input_type.name == f"{method.name}Request"
    assert method.output_type.name == f"{method.name}Response"


@each_method
def test_an_rpc_without_side_effects_reads(method: MethodDescriptor) -> None:
    reads = method.name.startswith(("Get", "List", "Watch", "Explain", "Quote", "Resolve", "Preview"))

    assert (level(method) == MethodOptions.NO_SIDE_EFFECTS) is reads


def test_rest_shows_what_a_shop_needs_and_not_what_the_services_ask_of_each_other() -> None:
    shown = {method.name for method, _ in REST}

    assert shown == PROMISED["OrderService"] | PROMISED["WebhookService"] | {
        "GetPayment",
        "ListPayments",
        "GetNotification",
        "ListNotifications",
        "PreviewNotification",
        "ResolveAddress",
        "ListTaxDocuments",
        "GetNotificationMail",
        "ResendNotification",
        "GetMailProvider",
        "GetPaymentProvider",
        "GetTaxProvider",
    }


@each_rule
def test_a_path_is_well_formed_and_its_variables_are_fields(method: MethodDescriptor, rule: http_pb2.HttpRule) -> None:
    _, path = verb_and_path(rule)

    assert PATH.fullmatch(path), path
    variables = VARIABLE.findall(path)
    assert len(variables) == len(set(variables))
    assert all(has_field(method.input_type, variable) for variable in variables)


@each_rule
def test_a_verb_fits_what_the_rpc_does(method: MethodDescriptor, rule: http_pb2.HttpRule) -> None:
    verb, _ = verb_and_path(rule)

    if verb == "get":
        assert level(method) == MethodOptions.NO_SIDE_EFFECTS
    assert (verb == "patch") is method.name.startswith("Update")
    assert (verb == "delete") is method.name.startswith("Delete")
    assert rule.body == ("*" if verb in {"post", "patch"} else "")


@each_rule
def test_an_answers_body_is_a_field_of_it(method: MethodDescriptor, rule: http_pb2.HttpRule) -> None:
    assert not rule.response_body or has_field(method.output_type, rule.response_body)
    assert not rule.additional_bindings


def test_no_two_rpcs_share_a_route() -> None:
    routes = [(verb, VARIABLE.sub("{}", path)) for verb, path in (verb_and_path(rule) for _, rule in REST)]

    assert len(routes) == len(set(routes))


@each_method
def test_only_watching_streams(method: MethodDescriptor) -> None:
    assert not method.client_streaming
    assert method.server_streaming is (method.name == "WatchOrder")


def messages_of(message: Descriptor, seen: set[str]) -> set[str]:
    """Return the names of all fields that hold an amount or a time as a bare number or text, in a message's tree."""
    if message.full_name in seen:
        return set()
    seen.add(message.full_name)
    found = set()
    for field in message.fields:
        if field.message_type is not None:
            found |= messages_of(field.message_type, seen)
        elif field.type != FieldDescriptor.TYPE_BOOL and re.search(
            r"(amount|price|total|tax|cents|_at|time)$", field.name
        ):
            found.add(field.full_name)
    return found


@each_method
def test_money_and_time_are_never_bare_numbers(method: MethodDescriptor) -> None:
    assert messages_of(method.input_type, set()) | messages_of(method.output_type, set()) == set()


# Opaque to whoever reads the contract, and checked where they are taken apart.
OPAQUE = {"page_token", "signature", "timestamp"}


def texts_of(message: Descriptor, seen: set[str]) -> Iterator[tuple[FieldDescriptor, validate_pb2.StringRules]]:
    """Yield every text of a message's tree, with the rules for it."""
    if message.full_name in seen:
        return
    seen.add(message.full_name)
    for field in message.fields:
        rules = field.GetOptions().Extensions[validate_pb2.field]
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            yield field, rules.map.keys.string
            yield field, rules.map.values.string
        elif field.message_type is not None:
            yield from texts_of(field.message_type, seen)
        elif field.type == FieldDescriptor.TYPE_STRING and field.name not in OPAQUE and not must_be_empty(rules):
            yield field, rules.repeated.items.string if field.is_repeated else rules.string


def must_be_empty(rules: validate_pb2.FieldRules) -> bool:
    return rules.repeated.HasField("max_items") and not rules.repeated.max_items


@each_method
def test_no_text_may_hold_control_characters(method: MethodDescriptor) -> None:
    """PostgreSQL cannot store NUL; the others could steer a terminal or break a mail's header."""
    for field, rules in texts_of(method.input_type, set()):
        guarded = rules.uuid or rules.email or (rules.pattern and not re.search(rules.pattern, "a\x00\nb"))
        assert guarded, field.full_name


@each_method
def test_every_rpc_says_who_may_call_it(method: MethodDescriptor) -> None:
    rule = rule_of_access(method)

    assert rule is not None
    assert rule.services <= {"order", "gateway"}
    assert not rule.scope or SCOPE.fullmatch(rule.scope)


@pytest.mark.parametrize("method", [method for method, _ in REST], ids=lambda method: method.name)
def test_what_rest_shows_is_there_for_somebody_with_a_scope(method: MethodDescriptor) -> None:
    access = rule_of_access(method)

    assert access is not None
    assert access.scope
    assert not access.services


def test_customers_reach_their_orders_and_nothing_else() -> None:
    found = {method.name for method in METHODS if (rule := rule_of_access(method)) is not None and rule.own}

    assert found == {
        "QuoteOrder",
        "PlaceOrder",
        "GetOrder",
        "ListOrders",
        "WatchOrder",
        "ConfirmOrderPayment",
        "CancelOrder",
    }
