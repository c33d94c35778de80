"""Following an order goes on over a restart of the service that tells of it, and tells nothing twice."""

from contextlib import AsyncExitStack

import pytest
from ordermesh.order.v1 import order_service_pb2

from cli.calls_grpc import OrderCalls, order_calls
from cli.dial_grpc import dialled
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from tests.fakes.backend import ORDER_ID, Backend, an_order, running_backend
from tests.fakes.scripted_service import SERVICE


class HastyClock(SystemClock):
    """A clock by which an hour passes with every wait."""

    hours = 0

    def monotonic(self) -> float:
        return super().monotonic() + 3600 * self.hours

    async def sleep(self, seconds: float) -> None:
        self.hours += 1


def tell(backend: Backend, *versions: int) -> None:
    for version in versions:
        backend.stream.put_nowait(order_service_pb2.WatchOrderResponse(order=an_order(version=version)))


async def test_a_watch_goes_on_after_the_version_seen_last_when_the_service_is_restarted() -> None:
    async with AsyncExitStack() as command:
        async with running_backend() as before:
            tell(before, 1, 2)
            calls = await command.enter_async_context(order_calls(before.address))
            moves = calls.watch(ORDER_ID, until_final=True)
            seen = [(await anext(moves))["version"], (await anext(moves))["version"]]
        async with running_backend(before.address) as after:
            # The service tells again what it is asked for: from the version that was seen last.
            tell(after, 2, 3)
            after.stream.put_nowait(None)
            seen += [order["version"] async for order in moves]

    assert seen == [1, 2, 3]
    assert before.last.request.until_final
    assert (after.last.request.after_version, after.last.request.until_final) == (1, True)


async def test_who_never_answered_is_not_waited_for() -> None:
    async with running_backend() as backend:
        address = backend.address
    async with order_calls(address) as calls:
        with pytest.raises(Refusal) as caught:
            await anext(calls.watch(ORDER_ID))

    assert caught.value.reason is Reason.UNAVAILABLE


async def test_a_service_that_stays_away_is_not_waited_for_without_end() -> None:
    async with running_backend() as backend, dialled(backend.address, "ORDER_ADDR", SERVICE) as line:
        clock = HastyClock()
        tell(backend, 1)
        backend.stream.put_nowait(Refusal(Reason.UNAVAILABLE, "Stopping."))
        moves = OrderCalls(line, clock).watch(ORDER_ID)
        assert (await anext(moves))["version"] == 1
        for _ in range(3):
            backend.stream.put_nowait(Refusal(Reason.UNAVAILABLE, "Stopping."))

        with pytest.raises(Refusal) as caught:
            await anext(moves)

    assert caught.value.reason is Reason.UNAVAILABLE
    assert clock.hours == 1


async def test_a_refusal_ends_the_watch_at_once() -> None:
    async with running_backend() as backend, order_calls(backend.address) as calls:
        tell(backend, 1)
        backend.stream.put_nowait(Refusal(Reason.PERMISSION_DENIED, "No."))
        moves = calls.watch(ORDER_ID)
        await anext(moves)

        with pytest.raises(Refusal) as caught:
            await anext(moves)

    assert caught.value.reason is Reason.PERMISSION_DENIED
