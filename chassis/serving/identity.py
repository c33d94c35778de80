"""The layer that names the caller of a call."""

from typing import Any

from chassis import caller
from chassis.layers import Context, Gate, Method


class LoopbackIdentity(Gate):
    """Everyone is the machine's own user: for servers that listen on loopback or a Unix socket alone."""

    async def admit(self, method: Method, request: Any, context: Context) -> Any:  # noqa: ANN401  (see layers.Unary)
        """Name the caller and let the call through."""
        caller.set_current(caller.LOCAL)
        return request
