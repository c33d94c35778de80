"""docs/access.md: who may call what, written from the contract."""

from google.protobuf.descriptor import MethodDescriptor

from chassis.access.rules import Rule, rule_of
from gateway.contract import Contract, http_rule

_HEADING = """\
# Who may call what

<!-- Written by `ordermesh keys scopes --markdown > docs/access.md` from ordermesh.access.v1.access in the protos. -->

Any one of what stands beside a method is enough; nobody else is let in. A *scope* is what an API key, a token of staff,
or the certificate of another team's service has; *customers* call it for what is their own; a *part* of the mesh calls
it on its own account.
[security.md](security.md) says how to get each.
"""


def page(contract: Contract) -> str:
    """Return the page."""
    parts = [_HEADING, "## By scope\n", "| Scope | Opens |", "| --- | --- |"]
    methods = list(contract.methods())
    for scope in sorted({rule.scope for rule in map(_rule, methods) if rule.scope}):
        opened = ", ".join(method.name for method in methods if _rule(method).scope == scope)
        parts.append(f"| `{scope}` | {opened} |")
    for service in contract.services:
        parts += [
            f"\n## {service.name}\n",
            "| Method | REST | Scope | Customers | Parts |",
            "| --- | --- | --- | --- | --- |",
        ]
        parts += [_row(method) for method in service.methods]
    return "\n".join([*parts, ""])


def _row(method: MethodDescriptor) -> str:
    rule = _rule(method)
    scope = f"`{rule.scope}`" if rule.scope else ""
    own = "their own" if rule.own else ""
    return f"| {method.name} | {_rest(method)} | {scope} | {own} | {', '.join(sorted(rule.services))} |"


def _rest(method: MethodDescriptor) -> str:
    declared = http_rule(method)
    kind = None if declared is None else declared.WhichOneof("pattern")
    return "" if kind is None else f"`{kind.upper()} {getattr(declared, kind)}`"


def _rule(method: MethodDescriptor) -> Rule:
    rule = rule_of(method)
    assert rule is not None, "tests/contract/test_proto_contract.py sees to it"
    return rule
