"""The layer that names the caller of a call."""

from typing import Any

from chassis import caller
from chassis.layers import Context, Gate, Method
from chassis.trust.peer import ServiceOf


class ConnectionIdentity(Gate):
    """The caller is the service at the other end of the connection."""

    def __init__(self, service_of: ServiceOf) -> None:
        self._service_of = service_of

    async def admit(self, method: Method, request: Any, context: Context) -> Any:  # noqa: ANN401  (see layers.Unary)
        """Name the caller and let the call through."""
        caller.set_current(caller.itself(self._service_of(context)))
        return request
