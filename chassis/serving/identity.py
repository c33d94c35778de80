"""The layer that names the caller of a call: the service at the other end of the connection, or whom it speaks for."""

from collections.abc import Mapping
from typing import Any

from chassis import caller
from chassis.access.contexts import METADATA_KEY, Contexts
from chassis.caller import Caller
from chassis.layers import Context, Gate, Method
from chassis.trust.peer import ServiceOf


class CallerIdentity(Gate):
    """Names the caller, or refuses a connection or a context that does not count.

    Args:
        service_of: Says who is at the other end of a connection.
        contexts: Reads for whom the gateway calls.
        grants: The scopes of services that are no part of the mesh.
    """

    def __init__(self, service_of: ServiceOf, contexts: Contexts, grants: Mapping[str, frozenset[str]]) -> None:
        self._service_of = service_of
        self._contexts = contexts
        self._grants = grants
        self._services: dict[str, Caller] = {}

    async def admit(self, method: Method, request: Any, context: Context) -> Any:  # noqa: ANN401  (see layers.Unary)
        """Name the caller and let the call through."""
        caller.set_current(self.caller_of(context))
        return request

    def caller_of(self, context: Context) -> Caller:
        """Return the caller.

        Raises:
            Refusal: UNAUTHENTICATED; nobody whom we know.
        """
        service = self._service_of(context)
        for key, value in context.invocation_metadata() or ():
            if key == METADATA_KEY:
                return self._contexts.caller_of(str(value), service)
        known = self._services.get(service)
        if known is None:
            known = caller.itself(service, self._grants.get(service, frozenset()))
            # Names come from certificates that our own authority signed: there are as many as services.
            self._services[service] = known
        return known
