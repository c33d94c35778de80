"""What pages show of the code as Mermaid diagrams: the mesh, the states of an order, the stages of its saga.

A page says where a drawing belongs by a mark before a block of Mermaid: `<!-- drawn: states -->`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from chassis.access.rules import rule_of
from cli import mesh
from gateway import contract
from gateway.contract import http_rule
from gateway.webhooks import WEBHOOKS
from order_svc.domain.order import MOVES, Stage, State
from order_svc.domain.saga import LEADS_TO, STEPS

_BLOCK = re.compile(r"(?<=<!-- drawn: )(?P<name>\w+) -->\n\n```mermaid\n.*?^```$", re.MULTILINE | re.DOTALL)

# How providers are called in words.
_PROVIDERS = {"avatax": "Avalara AvaTax", "sendgrid": "SendGrid", "stripe": "Stripe"}


def drawn_into(page: str) -> str:
    """Return the page with each drawing as the code has it."""
    return _BLOCK.sub(lambda found: f"{found['name']} -->\n\n```mermaid\n{DRAWINGS[found['name']]()}\n```", page)


def the_mesh() -> str:
    """Return who calls whom: services by the contract's access rules, providers by the parts' settings."""
    known = contract.load()
    lines = {f"  callers([web front ends, curl]) -->|REST| {_GATEWAY}", f"  teams([other teams]) -->|gRPC| {_ORDER}"}
    for service in known.services:
        part = service.full_name.split(".")[1].replace("webhook", "order")
        for method in service.methods:
            rule = rule_of(method)
            lines |= {f"  {caller} --> {part}" for caller in (() if rule is None else rule.services)}
            if http_rule(method) is not None:
                lines.add(f"  {_GATEWAY} --> {part}")
    for loaded in (mesh.load(name, {}) for name in mesh.NAMES):
        if provider := urlsplit(loaded.provider_url).path.strip("/").split("/")[0]:
            lines.add(f"  {loaded.name} --> {_named(provider)}")
    lines |= {f"  {_named(webhook.path.rpartition('/')[2])} -.->|webhooks| {_GATEWAY}" for webhook in WEBHOOKS}
    return "\n".join(["flowchart LR", "  accTitle: Who calls whom", *sorted(lines)])


def states() -> str:
    """Return the states of an order and where each may lead."""
    return "\n".join(
        ["stateDiagram-v2", "  accTitle: The states of an order", f"  [*] --> {State.PENDING}", *_arrows(MOVES)]
    )


def stages() -> str:
    """Return the stages of the saga, each with the step that is taken in it, and where its outcome may lead."""
    named = [f"  {stage} : {stage}<br>{STEPS[stage] or 'nothing left to do'}" for stage in Stage]
    head = ["stateDiagram-v2", "  accTitle: The stages of the saga", *named, f"  [*] --> {Stage.QUOTING}"]
    return "\n".join([*head, *_arrows(LEADS_TO)])


DRAWINGS: Mapping[str, Callable[[], str]] = {"mesh": the_mesh, "states": states, "stages": stages}
"""By the name in a page's mark."""

_GATEWAY, _ORDER = "gateway", "order"


def _named(provider: str) -> str:
    return f"{provider}[{_PROVIDERS[provider]}]"


def _arrows(table: Mapping[State, frozenset[State]] | Mapping[Stage, frozenset[Stage]]) -> Iterator[str]:
    for before, led in table.items():
        yield from (f"  {before} --> {after}" for after in sorted(led, key=list(table).index))
        if not led:
            yield f"  {before} --> [*]"
