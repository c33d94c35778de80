"""The layer that starts a call's time budget from the deadline that its caller set."""

from typing import Any

from chassis import deadline
from chassis.layers import Context, Gate, Method


class DeadlineLayer(Gate):
    """Refuses hopeless calls and hands the budget down."""

    async def admit(self, method: Method, request: Any, context: Context) -> Any:  # noqa: ANN401  (see layers.Unary)
        """Return the request, with the budget set for all that is called from here."""
        deadline.begin(context.time_remaining())
        return request
