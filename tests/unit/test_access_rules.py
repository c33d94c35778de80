"""Who may call what: the rules of the contract, and what follows from them for each kind of caller."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from ordermesh.order.v1 import order_service_pb2

from chassis.access.rules import NoRule, Rule, rule_at, scopes_of
from chassis.access.settings import AccessSettings
from chassis.caller import MACHINES_USER, Caller
from chassis.config import Environment

ORDER = Caller("service:order", "order")
GATEWAY = Caller("service:gateway", "gateway")
SHOP = Caller("service:shop", "shop", frozenset({"orders.write"}))
OPERATOR = Caller("service:operator", "operator", frozenset({"*"}))
STARRED_KEY = Caller("key:star", "gateway", frozenset({"*"}), vouched=True)
KEY = Caller("key:shop", "gateway", frozenset({"orders.write"}), vouched=True)
CUSTOMER = Caller("user:4711", "gateway", customer_id="c-1", vouched=True)
GREEDY = Caller("user:4711", "gateway", frozenset({"orders.write"}), "c-1", vouched=True)
LOCAL_PRETENDER = Caller("user:1", "local", vouched=True)
NAMELESS = Caller("key:idle", "gateway", vouched=True)

MESH = Rule(frozenset({"order"}), "", own=False)
SCOPED = Rule(frozenset(), "orders.write", own=False)
OWN = Rule(frozenset(), "orders.write", own=True)


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        (MESH, {MACHINES_USER, ORDER}),
        (SCOPED, {MACHINES_USER, SHOP, OPERATOR, KEY}),
        (OWN, {MACHINES_USER, SHOP, OPERATOR, KEY, CUSTOMER, GREEDY}),
    ],
)
def test_a_rule_lets_in_whom_it_names_and_nobody_else(rule: Rule, allowed: set[Caller]) -> None:
    everybody = {MACHINES_USER, ORDER, GATEWAY, SHOP, KEY, CUSTOMER, GREEDY, LOCAL_PRETENDER, NAMELESS}
    everybody |= {OPERATOR, STARRED_KEY}

    assert {who for who in everybody if rule.allows(who)} == allowed


def test_a_method_that_no_contract_has_keeps_a_service_from_starting() -> None:
    with pytest.raises(NoRule, match=r"grpc\.testing\.Nothing is in no contract"):
        rule_at("/grpc.testing.Nothing/Call")


def test_a_method_without_a_rule_is_named() -> None:
    with pytest.raises(NoRule, match=r"OrderService has methods .* lack of a rule: Nothing"):
        rule_at("/ordermesh.order.v1.OrderService/Nothing")


def test_scopes_are_those_that_methods_ask_for() -> None:
    assert scopes_of([order_service_pb2.DESCRIPTOR.services_by_name["OrderService"]]) == {
        "orders.fulfil",
        "orders.read",
        "orders.refund",
        "orders.support",
        "orders.write",
    }


def test_what_was_begun_on_loopback_is_found_again_under_tls() -> None:
    assert ORDER.key_owner == MACHINES_USER.key_owner == "local"
    assert KEY.key_owner == "key:shop"
    assert SHOP.key_owner == "service:shop"


def test_the_operators_certificate_may_do_everything_unless_its_grants_say_otherwise(tmp_path: Path) -> None:
    def grants(**variables: str) -> Mapping[str, frozenset[str]]:
        return AccessSettings.read(Environment(variables), tmp_path).grants

    assert grants() == {"operator": frozenset({"*"})}
    assert grants(ORDERMESH_GRANTS="operator=orders.read, shop=orders.write") == {
        "operator": frozenset({"orders.read"}),
        "shop": frozenset({"orders.write"}),
    }
