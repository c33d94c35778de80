"""Who makes the call being served. Idempotency keys, limits and rights hang on it."""

from contextvars import ContextVar
from dataclasses import dataclass

# Whoever reaches a port that is on loopback without TLS is the machine's own user, who may do everything.
LOCAL = "local"

# The one part of the mesh that speaks for others: it tells whom by a signed context (chassis/access/contexts.py).
GATEWAY = "gateway"

# The parts that order things of other parts on their own account.
_OF_THE_MESH = frozenset({LOCAL, "order"})

# The parts that call others at all. What they ask for comes of what was let in where it entered the mesh: a quote and a
# charge for each order of whomever, and the providers' webhooks.
_CALL_ON = _OF_THE_MESH | {GATEWAY}


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls.

    Attributes:
        principal: Names them for limits, idempotency keys and people: "local", "service:order", "key:shop", "user:42".
        service: The service at the other end of the connection, by its certificate; "local" on loopback without TLS.
        scopes: What they may do; empty for parts of the mesh, whose rights stand in the contract by name.
        customer_id: The customer who they are and who is all that they may see; empty for everybody else.
        vouched: Whether the gateway says who they are; otherwise they are the service itself.
    """

    principal: str
    service: str
    scopes: frozenset[str] = frozenset()
    customer_id: str = ""
    vouched: bool = False

    @property
    def key_owner(self) -> str:
        """Return whose their idempotency keys are.

        A mesh that is moved from loopback to TLS must find the keys of what was under way, or it would give money back
        a second time: so the mesh's own parts share the keys of the machine's own user.
        """
        return LOCAL if not self.vouched and self.service in _OF_THE_MESH else self.principal

    @property
    def rate_owner(self) -> str:
        """Return whose calls per second their calls count towards: nobody's, "", where a part of the mesh calls."""
        return "" if not self.vouched and self.service in _CALL_ON else self.principal


MACHINES_USER = Caller(principal=LOCAL, service=LOCAL)
"""The caller on loopback without TLS, who nobody vouches for."""


def itself(service: str, scopes: frozenset[str] = frozenset()) -> Caller:
    """Return a service that calls on its own account; `scopes` are those that its certificate was granted."""
    return MACHINES_USER if service == LOCAL else Caller(f"service:{service}", service, scopes)


_caller: ContextVar[Caller] = ContextVar("caller", default=MACHINES_USER)


def current() -> Caller:
    """Return the caller."""
    return _caller.get()


def set_current(who: Caller) -> None:
    """Tell who makes the call being served; the identity layer does this."""
    _caller.set(who)
