"""What each service can be told about who may call it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from chassis.access.rules import EVERY_SCOPE
from chassis.config import Environment

# Beside the data, so that parts on one machine find the keys without being told.
# The name in the certificate of people who look after the mesh: the command line's.
OPERATOR = "operator"

PRIVATE_KEY, PUBLIC_KEYS = "caller/signing-key.pem", "caller/trusted-keys.pem"


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """Who is believed, and what certificates of other teams may do."""

    caller_keys: Path | None = None
    """ORDERMESH_CALLER_KEYS: the file with the public keys of the gateways, whose word on callers counts."""

    grants: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """ORDERMESH_GRANTS: the scopes of services that are no part of the mesh, by the name in their certificate:
    "shop=orders.write orders.read, warehouse=orders.fulfil"; "*" is every scope; operator has it if not named."""

    reflection: bool = True
    """ORDERMESH_REFLECTION: off switches gRPC reflection and channelz off, which show the contract and connections."""

    @classmethod
    def read(cls, environment: Environment, data_dir: Path) -> Self:
        """Read the settings; complaints stay with the environment."""
        reflection = environment.text("ORDERMESH_REFLECTION", "on")
        if reflection not in {"on", "off"}:
            environment.complain("ORDERMESH_REFLECTION", f"{reflection!r} is neither on nor off")
        return cls(
            caller_keys=environment.path("ORDERMESH_CALLER_KEYS", str(data_dir / PUBLIC_KEYS)),
            grants=_grants(environment),
            reflection=reflection == "on",
        )


def _grants(environment: Environment) -> dict[str, frozenset[str]]:
    grants: dict[str, frozenset[str]] = {}
    for entry in filter(None, (part.strip() for part in environment.text("ORDERMESH_GRANTS", "").split(","))):
        name, equals, scopes = entry.partition("=")
        name = name.strip()
        if not equals or not name or not scopes.split() or name in grants:
            environment.complain(
                "ORDERMESH_GRANTS", f"{entry!r} is not like shop=orders.write orders.read, each name once"
            )
        grants[name] = frozenset(scopes.split())
    return {OPERATOR: frozenset({EVERY_SCOPE}), **grants}
