"""Who may call which RPC, as the contract declares it (ordermesh.access.v1.access): without a rule, nobody."""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from ordermesh.access.v1 import access_pb2

from chassis.caller import LOCAL, Caller

EVERY_SCOPE = "*"
"""Granted to a certificate, it stands for every scope there is; in keys and tokens it stands for nothing."""


class NoRule(Exception):
    """Methods that are to be served have no rule in the contract; the message names them, and nothing starts."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call one RPC.

    Attributes:
        services: Parts of the mesh that call it on their own account.
        scope: What anybody else needs; empty when nobody else may.
        own: Whether customers may call it, for what is their own.
    """

    services: frozenset[str]
    scope: str
    own: bool

    def allows(self, who: Caller) -> bool:
        """Say whether they may call it. Whether what they name is their own is for the handler to see."""
        if who.customer_id:
            return self.own
        if not who.vouched and (who.service == LOCAL or who.service in self.services):
            return True
        if not self.scope:
            return False
        return self.scope in who.scopes or (EVERY_SCOPE in who.scopes and not who.vouched)


def rule_of(method: MethodDescriptor) -> Rule | None:
    """Return the rule of an RPC; None where the contract has none, or one that lets nobody in."""
    options = method.GetOptions()
    if not options.HasExtension(access_pb2.access):
        return None
    declared: access_pb2.AccessRule = options.Extensions[access_pb2.access]
    own = declared.customers == access_pb2.CUSTOMER_ACCESS_OWN
    if not (declared.services or declared.scope or own):
        return None
    return Rule(frozenset(declared.services), declared.scope, own)


def rule_at(path: str) -> Rule:
    """Return the rule of the RPC at a path: "/ordermesh.order.v1.OrderService/PlaceOrder".

    Raises:
        NoRule: It has none.
    """
    service_name, _, name = path.removeprefix("/").partition("/")
    try:
        service: ServiceDescriptor = descriptor_pool.Default().FindServiceByName(service_name)
    except KeyError:
        raise NoRule(f"{service_name} is in no contract, so nobody may call it") from None
    method = service.methods_by_name.get(name)
    rule = None if method is None else rule_of(method)
    if rule is None:
        lacking = sorted({each.name for each in service.methods if rule_of(each) is None} | {name})
        raise NoRule(f"{service_name} has methods that nobody may call, for lack of a rule: {', '.join(lacking)}")
    return rule


def scopes_of(services: Iterable[ServiceDescriptor]) -> frozenset[str]:
    """Return every scope that some RPC asks for."""
    rules = (rule_of(method) for service in services for method in service.methods)
    return frozenset(rule.scope for rule in rules if rule is not None and rule.scope)
