"""How calls come out of grpc's core: several of a method at a time, where grpc.aio takes one.

grpc.aio asks its core for the next call of a method, and asks again when the loop has come round some six times. A
loop that is busy comes round a few hundred times a second; whatever more arrives waits in the core, where nobody sees
it and nothing can refuse it. Measured on grpcio 1.85.1 with rounds of 2 ms: 87 calls a second came out, the last of 200
after 2 s. With 16 asked for at a time it is 2,477, and the last comes after 140 ms; on an idle loop it is 2,635 instead
of 1,313, for each costs fewer rounds.

There is no public way to ask for more. What is used of grpc's inside is named in one place below; where a grpcio has it
no longer, calls come out one at a time as before, and `tests/integration/test_chassis_accepting.py` says so.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # it has no stubs

from chassis.layers import Unary

_logger = logging.getLogger(__name__)

# As many as a loop that is busy has to get rid of each time that it comes round; an outstanding one has about 1 KB.
AT_ONCE = 16

# The inside of grpc has no types.
_INSIDE: Any = cygrpc
_NAMES = (
    *("_MethodResolver", "_RequestCallError", "_handle_rpc", "_schedule_rpc_coro"),
    *("_handle_exceptions", "_handle_cancellation_from_core"),
)
_ACCEPT = "_request_registered_call"

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Door(grpc.GenericRpcHandler, grpc.aio.ServerInterceptor):
    """Says who answers a call that has come out of the core: its handler, or a refusal before anything of it is read.

    Reading a request takes another way to the core and back, which is what takes time on a processor that others want.

    Args:
        full: Says whether there is no room for one more.
    """

    def __init__(self, full: Callable[[], bool]) -> None:
        self._full = full
        self._handlers: dict[str, _Handler] = {}
        self._refusing: dict[str, _Handler] = {}

    @property
    def full(self) -> Callable[[], bool]:
        """Return what says whether there is no room for one more."""
        return self._full

    @property
    def paths(self) -> list[str]:
        """Return the paths of all methods."""
        return list(self._handlers)

    def add(self, path: str, handler: _Handler, refuse: Unary) -> None:
        """Have calls of a method answered by its handler, and while there is no room by the other one."""
        self._handlers[path] = handler
        # Whatever kind the method has: this one reads no request unless it is asked to.
        self._refusing[path] = grpc.stream_stream_rpc_method_handler(cast("Any", refuse))

    def service(self, call: grpc.HandlerCallDetails) -> _Handler:
        """Return who answers a call that we have taken."""
        return (self._refusing if self._full() else self._handlers)[call.method]

    async def intercept_service(self, continuation: Any, call: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401  (grpc's own)
        """Return who answers a call that grpc's loop has taken: of our methods the same, of others whoever it says."""
        return self.service(call) if call.method in self._handlers else await continuation(call)


class Accepting:
    """Takes calls of registered methods out of a server's core, beside grpc's own loop, until the server stops.

    Args:
        server: It has started, and the door's methods were registered with it.
        door: Says who answers.
    """

    def __init__(self, server: grpc.aio.Server, door: Door) -> None:
        self._core: Any = server._server  # type: ignore[attr-defined]  # noqa: SLF001  (see above)
        self._door = door
        # The loop itself keeps no task alive.
        self._tasks: set[asyncio.Task[object]] = set()

    def start(self, at_once: int = AT_ONCE) -> bool:
        """Begin, and return whether this grpcio lets us."""
        missing = [name for name in _NAMES if not hasattr(_INSIDE, name)]
        if missing or not hasattr(self._core, _ACCEPT):
            _logger.warning("grpc.accepts_one_at_a_time", extra={"missing": [*missing, _ACCEPT]})
            return False
        resolver = _INSIDE._MethodResolver([self._door], {})  # noqa: SLF001  (see above)
        for path in self._door.paths:
            for _ in range(at_once):
                self._keep(self._accept(path, resolver))
        return True

    async def _accept(self, path: str, resolver: object) -> None:
        """Take one call after the other, and have each handled as grpc's own loop does."""
        accept, method, loop = getattr(self._core, _ACCEPT), path.encode(), asyncio.get_running_loop()
        handle, schedule, stopped = _INSIDE._handle_rpc, _INSIDE._schedule_rpc_coro, _INSIDE._RequestCallError  # noqa: SLF001  (see above)
        full = self._door.full
        while True:
            try:
                call = await accept(method)
            except stopped:
                return
            refused = full()
            handled = handle(path, resolver, (), call, loop, False)  # noqa: FBT003  (nobody but us counts what is in flight)
            if refused:
                await self._refuse(handled, call, path)
            else:
                self._keep(schedule(handled, call, loop, path))
            # The next one may be long in coming: until then nothing of this one stays.
            del call, handled

    async def _refuse(self, handled: object, call: object, path: str) -> None:
        """Have a call refused in this very round of the loop; grpc would begin two rounds later, which may be long."""
        loop = asyncio.get_running_loop()
        # grpc's core wants to be asked whether the caller is still there; nothing is to be stopped when it is not.
        nothing: asyncio.Future[None] = loop.create_future()
        nothing.set_result(None)
        self._keep(_INSIDE._handle_cancellation_from_core(nothing, call, loop))  # noqa: SLF001  (see above)
        await _INSIDE._handle_exceptions(call, handled, loop, path)  # noqa: SLF001  (see above)

    def _keep(self, work: Any) -> None:  # noqa: ANN401  (see _INSIDE)
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
