"""What a server answers outside the chain: reflection and channelz to whoever may look inside, and unknown methods.

Health is not here: it is answered to everybody, for whoever balances load has to ask before anything else works.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, cast

import grpc

from chassis.access.rules import Rule
from chassis.caller import Caller
from chassis.errors import to_grpc_status
from chassis.layers import Context
from chassis.serving.ending import ended
from kernel.errors import Reason, Refusal

_NOTHING: tuple[bytes, ...] = ()

CallerOf = Callable[[Context], Caller]
"""Returns the caller of a call; raises a Refusal when it is nobody whom we know."""

LOOK_INSIDE = Rule(services=frozenset(), scope="mesh.inspect", own=False)
"""Who may ask for the contract and the connections of a server: on loopback everybody, otherwise by grant."""


class Watched:
    """Stands in for the server while generated code registers a servicer that only some may call."""

    def __init__(self, server: grpc.aio.Server, caller_of: CallerOf, rule: Rule = LOOK_INSIDE) -> None:
        self._server = server
        self._caller_of = caller_of
        self._rule = rule

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Ignore the untyped registration; the registered one below carries the same handlers by name."""

    def add_registered_method_handlers(
        self, service: str, handlers: "dict[str, grpc.RpcMethodHandler[Any, Any]]"
    ) -> None:
        """Register every method behind the rule."""
        watched = {name: self._watched(handler) for name, handler in handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, watched),))

    def _watched(self, handler: "grpc.RpcMethodHandler[Any, Any]") -> "grpc.RpcMethodHandler[Any, Any]":
        # The types of a handler are those of the threaded server, which shares the class.
        inner: Any = handler.stream_stream or handler.unary_unary
        admits = self._admits

        async def answer(request: Any, context: Context) -> Any:  # noqa: ANN401  (see layers.Unary)
            return await inner(request, context) if await admits(context) else None

        async def stream(requests: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401  (see layers.Unary)
            if not await admits(context):
                return
            async for each in inner(requests, context):
                yield each

        make, watching = (
            (grpc.stream_stream_rpc_method_handler, stream)
            if handler.stream_stream
            else (grpc.unary_unary_rpc_method_handler, answer)
        )
        return make(cast("Any", watching), handler.request_deserializer, handler.response_serializer)

    async def _admits(self, context: Context) -> bool:
        """Say whether the caller may look inside; the call has ended when not."""
        try:
            _require([self._rule], self._caller_of(context), f"This needs the scope {self._rule.scope}.")
        except Refusal as refusal:
            await ended(context.abort_with_status(to_grpc_status(refusal)))
            return False
        return True


class UnknownMethods(grpc.GenericRpcHandler):
    """Answers calls of methods that do not exist: who has no rights here does not even learn that.

    Args:
        caller_of: Names the caller.
        rules: The rules of the methods that do exist.
    """

    def __init__(self, caller_of: CallerOf, rules: Iterable[Rule]) -> None:
        self._caller_of = caller_of
        self._rules = frozenset(rules)

    def service(self, _: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        """Return the handler; it never reads what was sent."""
        return grpc.stream_stream_rpc_method_handler(cast("Any", self._refuse))

    async def _refuse(self, _: object, context: Context) -> AsyncIterator[bytes]:
        try:
            _require(self._rules, self._caller_of(context), "There is nothing here that you may call.")
        except Refusal as refusal:
            await ended(context.abort_with_status(to_grpc_status(refusal)))
        else:
            await ended(context.abort(grpc.StatusCode.UNIMPLEMENTED, "There is no such method here."))
        for each in _NOTHING:
            yield each


def _require(rules: Iterable[Rule], who: Caller, otherwise: str) -> None:
    if not any(rule.allows(who) for rule in rules):
        raise Refusal(Reason.PERMISSION_DENIED, otherwise)
