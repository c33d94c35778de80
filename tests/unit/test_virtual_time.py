"""Time that jumps reaches every moment that somebody waits for."""

import asyncio
from contextlib import suppress

from tests.fakes.virtual_time import in_virtual_time

MOST = 2_000


def test_whoever_waits_for_less_than_a_nanosecond_beside_others_gets_there() -> None:
    async def tries() -> int:
        loop = asyncio.get_running_loop()

        def busy() -> None:
            loop.call_soon(busy)

        await asyncio.sleep(1.0)
        busy()
        until, made = loop.time() + 1e-10, 0
        while loop.time() < until and made < MOST:
            made += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(until - loop.time()):
                    await asyncio.Event().wait()
        return made

    assert in_virtual_time(tries()) < MOST
