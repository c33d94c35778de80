"""Calls that arrive together are all met at once, however long the loop takes to come round."""

import asyncio
import time

import grpc

from chassis.accepting import Accepting, Door
from tests.fakes.scripted_service import FOUND, GET, Found, scripted, stub

CALLS = 64

# grpc.aio alone meets one call in some six rounds.
ROUNDS_OF_EACH = 2

# Long enough for the threads of the core to do what they have to do for the next round.
ROUND_SECONDS = 0.002


class Met:
    """A handler that holds all calls until the last was met, and notes how often the loop has come round by then."""

    def __init__(self) -> None:
        self.all = asyncio.Event()
        self.first = self.last = self.rounds = 0
        self._calls = 0

    async def get(self) -> Found:
        self._calls += 1
        if self._calls == 1:
            self.first = self.rounds
        if self._calls == CALLS:
            self.last = self.rounds
            self.all.set()
        await self.all.wait()
        return FOUND

    def come_round(self) -> None:
        """Count the loop's rounds, and make each as long as on a loop that has much to do."""
        self.rounds += 1
        time.sleep(ROUND_SECONDS)
        if not self.all.is_set():
            asyncio.get_running_loop().call_soon(self.come_round)


async def test_calls_that_arrive_together_are_met_within_a_few_rounds_of_the_loop() -> None:
    met = Met()
    async with scripted(met.get) as service, service.channel() as channel:
        calls = [stub(channel).GetOrder(GET) for _ in range(CALLS)]
        # They are all in the core, and wait: nothing has come round yet.
        met.come_round()
        answers = await asyncio.gather(*calls)

    assert answers == [FOUND] * CALLS
    assert met.last - met.first < ROUNDS_OF_EACH * CALLS


async def test_this_grpc_lets_us_take_several_calls_at_a_time() -> None:
    server = grpc.aio.server()
    server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        assert Accepting(server, Door(lambda: False)).start()
    finally:
        await server.stop(None)
