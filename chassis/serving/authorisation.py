"""The layer that lets a call through only when the contract says that its caller may make it."""

from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.message import Message

from chassis import caller
from chassis.access.rules import Rule, rule_at
from chassis.caller import Caller
from chassis.layers import Context, Method, Stream, Unary
from kernel.errors import Reason, Refusal


class AuthorisationLayer:
    """Looks at each call before its request is parsed. A method without a rule cannot even be registered."""

    def around_unary(self, method: Method, handler: Unary) -> Unary:
        """Return a handler for whoever may call it.

        Raises:
            NoRule: The contract does not say who that is.
        """
        rule, current = rule_at(method.path), caller.current

        async def call(request: Any, context: Context) -> Message:  # noqa: ANN401  (see layers.Unary)
            if not rule.allows(current()):
                raise refusal(method, rule, current())
            return await handler(request, context)

        return call

    def around_stream(self, method: Method, handler: Stream) -> Stream:
        """Return a streaming handler for whoever may call it.

        Raises:
            NoRule: The contract does not say who that is.
        """
        rule, current = rule_at(method.path), caller.current

        async def call(request: Any, context: Context) -> AsyncIterator[Message]:  # noqa: ANN401  (see layers.Unary)
            if not rule.allows(current()):
                raise refusal(method, rule, current())
            async for answer in handler(request, context):
                yield answer

        return call


def refusal(method: Method, rule: Rule, who: Caller) -> Refusal:
    """Return the answer to a caller who may not call the method."""
    name = method.name.rpartition("/")[2]
    if who.customer_id:
        return Refusal(Reason.PERMISSION_DENIED, f"{name} is not for customers.")
    if rule.scope:
        return Refusal(
            Reason.PERMISSION_DENIED, f"{name} needs the scope {rule.scope}.", metadata={"scope": rule.scope}
        )
    return Refusal(Reason.PERMISSION_DENIED, f"{name} is for parts of the mesh alone.")
