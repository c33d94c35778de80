"""Several processes of one service: all of them serve, what dies is started again, all end in good order."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from chassis.supervisor import FAILED, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, STEADY_SECONDS, Supervisor
from tests.fakes.manual_clock import ManualClock


class FakeProcess:
    """A process that does what the test says."""

    def __init__(self) -> None:
        self._ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.asked_to_stop = False
        self.killed = False

    def serve(self) -> None:
        self._ready.set_result(True)

    def end(self, code: int) -> None:
        if not self._ready.done():
            self._ready.set_result(False)
        if not self._ended.done():
            self._ended.set_result(code)

    async def ready(self) -> bool:
        return await self._ready

    async def ended(self) -> int:
        return await asyncio.shield(self._ended)

    def stop(self) -> None:
        self.asked_to_stop = True

    def kill(self) -> None:
        self.killed = True
        self.end(-9)


class Machine:
    """Where the processes run.

    Attributes:
        started: Each process that was started, with its number, in order.
        full: Whether it has no room for another process.
        ready: How often somebody was told that all serve.
    """

    def __init__(self, count: int) -> None:
        self.started: list[tuple[int, FakeProcess]] = []
        self.full = False
        self.ready = 0
        self.clock = ManualClock()
        self.stop, self.at_once = asyncio.Event(), asyncio.Event()
        supervisor = Supervisor(self._start, count, self.clock, self._tell)
        self.run = asyncio.create_task(supervisor.run(self.stop, self.at_once))

    async def _start(self, number: int) -> FakeProcess:
        if self.full:
            raise OSError("no room")
        process = FakeProcess()
        self.started.append((number, process))
        return process

    def _tell(self) -> None:
        self.ready += 1

    def last(self, number: int) -> FakeProcess:
        return [process for its, process in self.started if its == number][-1]

    @property
    def numbers(self) -> list[int]:
        return [number for number, _ in self.started]


async def settle() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def serving(count: int) -> Machine:
    machine = Machine(count)
    await settle()
    for number in range(1, count + 1):
        machine.last(number).serve()
        await settle()
    assert machine.ready == 1
    return machine


async def stopped(machine: Machine) -> int:
    machine.stop.set()
    await settle()
    for number in set(machine.numbers):
        machine.last(number).end(0)
    return await machine.run


async def test_the_others_are_started_when_the_first_serves_and_all_are_told_of_once_they_all_do() -> None:
    machine = Machine(3)
    await settle()
    assert machine.numbers == [1]
    machine.last(1).serve()
    await settle()
    assert machine.numbers == [1, 2, 3]
    machine.last(3).serve()
    await settle()
    assert machine.ready == 0
    machine.last(2).serve()
    await settle()
    assert machine.ready == 1
    assert await stopped(machine) == 0


async def test_settings_that_make_no_sense_are_said_by_the_first_process_alone() -> None:
    machine = Machine(3)
    await settle()
    machine.last(1).end(2)
    assert await machine.run == 2
    assert machine.numbers == [1]


async def test_when_one_cannot_start_at_all_the_others_end_too() -> None:
    machine = Machine(2)
    await settle()
    machine.last(1).serve()
    await settle()
    machine.last(2).end(1)
    await settle()
    assert machine.last(1).asked_to_stop
    machine.last(1).end(0)
    assert await machine.run == 1
    assert machine.ready == 0


async def test_a_process_that_dies_is_started_again_under_its_number_after_a_pause_that_doubles() -> None:
    machine = await serving(2)
    for pause in (0.5, 1.0, 2.0):
        before = len(machine.started)
        machine.last(2).end(-9)
        await machine.clock.until_asleep(pause)
        await settle()
        assert len(machine.started) == before
        machine.clock.advance(pause)
        await settle()
        assert machine.numbers[before:] == [2]
        machine.last(2).serve()
        await settle()
    assert await stopped(machine) == 0
    assert machine.ready == 1


async def test_the_pause_has_an_end_and_starts_anew_once_a_process_was_steady() -> None:
    machine = await serving(2)
    pause = FIRST_PAUSE_SECONDS
    while pause < 2 * LONGEST_PAUSE_SECONDS:
        machine.last(2).end(1)
        await machine.clock.until_asleep(min(pause, LONGEST_PAUSE_SECONDS))
        machine.clock.advance(min(pause, LONGEST_PAUSE_SECONDS))
        await settle()
        pause *= 2
    machine.last(2).serve()
    await settle()
    machine.clock.advance(STEADY_SECONDS)
    machine.last(2).end(1)
    await machine.clock.until_asleep(FIRST_PAUSE_SECONDS)
    assert await stopped(machine) == 0


async def test_while_another_serves_a_machine_without_room_is_asked_again() -> None:
    machine = await serving(2)
    machine.full = True
    machine.last(2).end(-9)
    await machine.clock.until_asleep(0.5)
    machine.clock.advance(0.5)
    await machine.clock.until_asleep(1.0)
    machine.full = False
    machine.clock.advance(1.0)
    await settle()
    assert machine.numbers == [1, 2, 2]
    assert await stopped(machine) == 0


async def test_it_gives_up_when_nobody_serves_and_nobody_can_be_started() -> None:
    machine = await serving(2)
    machine.last(1).end(-9)
    machine.last(2).end(-9)
    await machine.clock.until_asleep(0.5)
    machine.full = True
    machine.clock.advance(0.5)
    assert await machine.run == FAILED


@pytest.mark.parametrize("number", [1, 2])
async def test_all_are_asked_to_end_beside_each_other_and_all_are_waited_for(number: int) -> None:
    machine = await serving(2)
    machine.stop.set()
    await settle()
    assert [process.asked_to_stop for _, process in machine.started] == [True, True]
    machine.last(number).end(0)
    await settle()
    assert not machine.run.done()
    machine.last(3 - number).end(0)
    assert await machine.run == 0
    assert machine.numbers == [1, 2]


async def test_a_second_signal_ends_them_at_once() -> None:
    machine = await serving(2)
    machine.stop.set()
    await settle()
    machine.at_once.set()
    assert await machine.run == 128 + 9
    assert all(process.killed for _, process in machine.started)


async def _while_the_first_starts(machine: Machine) -> None:
    await settle()
    machine.stop.set()
    await settle()
    assert machine.last(1).asked_to_stop
    machine.last(1).end(0)


async def _while_one_waits_to_be_started_again(machine: Machine) -> None:
    await settle()
    machine.last(1).serve()
    await settle()
    machine.last(2).serve()
    await settle()
    machine.last(2).end(1)
    await machine.clock.until_asleep(0.5)
    machine.stop.set()
    await settle()
    machine.last(1).end(0)


@pytest.mark.parametrize("moment", [_while_the_first_starts, _while_one_waits_to_be_started_again])
async def test_it_can_be_stopped_at_any_time(moment: Callable[[Machine], Awaitable[None]]) -> None:
    machine = Machine(2)
    await moment(machine)
    assert await machine.run == 0
    assert len(machine.started) <= 2
