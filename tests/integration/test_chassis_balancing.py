"""Several replicas behind one channel: balance, health, ejection, drain, and coming back."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import grpc
import pytest

from kernel.errors import Reason, Refusal
from tests.fakes.scripted_service import FOUND, GET, Found, chassis_channel, scripted, stub

LONG = 30.0


def both(*addresses: str) -> str:
    """Return a target with several addresses."""
    return f"ipv4:{','.join(addresses)}"


async def until(shown: Callable[[], Awaitable[bool]]) -> None:
    """Repeat a call until it has shown what is waited for."""
    async with asyncio.timeout(LONG):
        while not await shown():
            pass


async def test_calls_are_spread_over_all_replicas() -> None:
    async with scripted() as one, scripted() as two, chassis_channel(both(one.address, two.address)) as (channel, _):

        async def both_asked() -> bool:
            await stub(channel).GetOrder(GET)
            return min(one.servicer.calls, two.servicer.calls) > 5

        await until(both_asked)


async def test_a_replica_that_is_not_serving_is_not_called() -> None:
    async with (
        scripted() as one,
        scripted(ready=False) as two,
        chassis_channel(both(one.address, two.address)) as (channel, _),
    ):
        for _ in range(20):
            await stub(channel).GetOrder(GET)

    assert (one.servicer.calls, two.servicer.calls) == (20, 0)


async def test_a_replica_that_always_fails_is_left_alone() -> None:
    async def fail() -> Found:
        raise Refusal(Reason.INTERNAL, "No.")

    async with (
        scripted() as good,
        scripted(fail) as bad,
        chassis_channel(both(good.address, bad.address)) as (channel, _),
    ):
        in_a_row = itertools.count()

        async def no_failure_for_long() -> bool:
            nonlocal in_a_row
            try:
                await stub(channel).GetOrder(GET)
            except grpc.aio.AioRpcError:
                in_a_row = itertools.count()
            return next(in_a_row) > 50

        await until(no_failure_for_long)


async def test_no_call_fails_while_one_of_two_replicas_stops_under_load() -> None:
    warm, done = asyncio.Event(), asyncio.Event()

    async with scripted() as one, scripted() as two, chassis_channel(both(one.address, two.address)) as (channel, _):

        async def keep_calling() -> int:
            made = 0
            while not done.is_set():
                assert await stub(channel).GetOrder(GET) == FOUND
                made += 1
                if one.servicer.calls > 20:
                    warm.set()
            return made

        callers = [asyncio.create_task(keep_calling()) for _ in range(8)]
        await warm.wait()
        await one.stop()
        await stub(channel).GetOrder(GET)
        done.set()
        made = await asyncio.gather(*callers)

    assert sum(made) + 1 == one.servicer.calls + two.servicer.calls


async def test_a_peer_that_comes_back_is_called_again() -> None:
    async with scripted() as running:
        address = running.address
    async with chassis_channel(address) as (channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub(channel).GetOrder(GET)
        assert failed.value.code() is grpc.StatusCode.UNAVAILABLE

        async def answers() -> bool:
            try:
                await stub(channel).GetOrder(GET)
            except grpc.aio.AioRpcError:
                return False
            return True

        async with scripted(address=address):
            await until(answers)
