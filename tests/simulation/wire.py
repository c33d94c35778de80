"""Calls from one service to another: the product's adapters and servicers on both ends, and a bad network between.

Requests and answers are real messages; what a call can end in is what grpc makes of it: a status of ours, UNAVAILABLE
from a peer that died, DEADLINE_EXCEEDED.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import grpc

from chassis import deadline
from chassis.errors import to_grpc_status
from kernel.errors import Reason, Refusal
from tests.simulation.chaos import SERVICE
from tests.simulation.process import Crash, Process, current
from tests.simulation.world import World

# What a caller that sets no timeout waits.
_PATIENCE_SECONDS = 30.0

Pick = Callable[[str], Process | None]


def failed(code: grpc.StatusCode, details: str = "", trailers: Any = ()) -> grpc.aio.AioRpcError:  # noqa: ANN401  (grpc's own pairs)
    """Return the error that grpc raises."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailers), details=details)


class Stub:
    """The generated stub of one service, as far as our adapters use it.

    Args:
        world: Where it is.
        service: Who is called.
        pick: Returns the replica that answers; None while there is none.
    """

    def __init__(self, world: World, service: str, pick: Pick) -> None:
        self._world = world
        self._service = service
        self._pick = pick

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        return partial(self._call, method)

    async def _call(self, method: str, request: Any, timeout: float = _PATIENCE_SECONDS) -> Any:  # noqa: ANN401, ASYNC109  (any message; grpc's own signature)
        caller = current()
        place = f"{self._service}.{method}"
        if caller is not None:
            await self._world.point(caller, f"{place}:before")
        budget = deadline.remaining(timeout)
        message = type(request).FromString(request.SerializeToString())
        fault = self._world.chaos.draw(SERVICE, place)
        if fault:
            self._world.note(f"{place}: {fault}")
        match fault:
            case "not_sent":
                await asyncio.sleep(0.001)
                raise failed(grpc.StatusCode.UNAVAILABLE, "failed to connect")
            case "lost_request":
                await asyncio.sleep(budget)
                raise failed(grpc.StatusCode.DEADLINE_EXCEEDED)
            case "late":
                seconds = budget + self._world.chaos.pick(0.1, 30.0, 600.0)
                self._world.later(seconds, self._late, method, message)
                await asyncio.sleep(budget)
                raise failed(grpc.StatusCode.DEADLINE_EXCEEDED)
            case "slow":
                await asyncio.sleep(self._world.chaos.pick(0.5, 4.0, 9.0))
            case _:
                pass
        answer = await self._answer(method, message, budget)
        if fault == "lost_answer":
            raise failed(grpc.StatusCode.UNAVAILABLE, "Stream removed")
        if caller is not None:
            await self._world.point(caller, f"{place}:after")
        return answer

    async def _answer(self, method: str, message: Any, budget: float) -> Any:  # noqa: ANN401  (any message)
        await asyncio.sleep(0.001)
        callee = self._pick(self._service)
        if callee is None:
            raise failed(grpc.StatusCode.UNAVAILABLE, "failed to connect")
        serving = callee.spawn(self._serve(callee, method, message, budget), f"{callee.name} {method}")
        try:
            done, _ = await asyncio.wait({serving}, timeout=budget)
        except asyncio.CancelledError:
            serving.cancel()  # the stream is reset, and the handler is told so
            raise
        if not done:
            serving.cancel()
            raise failed(grpc.StatusCode.DEADLINE_EXCEEDED)
        if serving.cancelled() or isinstance(serving.exception(), Crash):
            raise failed(grpc.StatusCode.UNAVAILABLE, "Stream removed")
        return serving.result()

    async def _serve(self, callee: Process, method: str, message: Any, budget: float) -> Any:  # noqa: ANN401  (any message)
        await callee.gate()
        try:
            deadline.begin(budget)
            answer = await getattr(callee.servicer, method)(message, None)
        except Refusal as refusal:
            status = to_grpc_status(refusal)
            raise failed(status.code, status.details, status.trailing_metadata or ()) from None
        except Exception as error:  # noqa: BLE001  (the outermost layer of the product's server does the same)
            self._world.violated(f"a defect in {callee.name} {method}: {error!r:.300}")
            status = to_grpc_status(Refusal(Reason.INTERNAL, "Something went wrong."))
            raise failed(status.code, status.details, status.trailing_metadata or ()) from None
        await callee.gate()
        return type(answer).FromString(answer.SerializeToString())

    def _late(self, method: str, message: Any) -> None:  # noqa: ANN401  (any message)
        callee = self._pick(self._service)
        if callee is not None:
            self._world.note(f"{self._service}.{method} arrives late")
            callee.spawn(self._serve(callee, method, message, _PATIENCE_SECONDS))
