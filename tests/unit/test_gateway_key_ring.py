"""Which API keys count, while they are read, after a quiet time, and while they cannot be."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import pytest

from chassis.caller import Caller
from gateway.access.api_keys import ApiKey, new_key
from gateway.access.key_ring import KeyRing
from kernel.errors import Reason, Refusal
from tests.fakes.manual_clock import ManualClock


class Table:
    """Where keys are kept; reading them takes until it is let go on.

    Attributes:
        rows: The keys.
        open: Whether it is answered at all.
        away: Whether it fails.
        read: How often it was read.
    """

    def __init__(self, clock: ManualClock) -> None:
        self.shown, key = new_key("shop", frozenset({"orders.read"}), clock.now(), None, os.urandom)
        self.rows = [key]
        self.open = asyncio.Event()
        self.open.set()
        self.away = False
        self.read = 0
        self.noted: list[str] = []

    async def every(self) -> list[ApiKey]:
        self.read += 1
        await asyncio.sleep(0)
        await self.open.wait()
        if self.away:
            raise OSError
        return list(self.rows)

    async def used(self, key_ids: Iterable[str], _: datetime) -> None:
        await self.open.wait()
        self.noted += key_ids

    def revoke(self, now: datetime) -> None:
        self.rows = [replace(self.rows[0], revoked_at=now)]


class Desk:
    """A gateway's keys and their table, on one clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.table = Table(self.clock)
        self.ring = KeyRing(self.table, self.clock)

    async def burst(self, presented: str = "") -> list[str]:
        """Have three requests show a key in the same moment, and return who they are taken for."""
        key = presented or self.table.shown
        answers = await asyncio.gather(*(self.ring.caller_of(key) for _ in range(3)), return_exceptions=True)
        return [self._word(answer) for answer in answers]

    @staticmethod
    def _word(answer: Caller | BaseException | None) -> str:
        if isinstance(answer, Refusal):
            return answer.reason.name
        return answer.principal if isinstance(answer, Caller) else "nobody"


async def test_all_who_come_during_the_first_reading_wait_for_it() -> None:
    desk = Desk()

    assert await desk.burst() == ["key:shop"] * 3
    desk.clock.advance(301)
    assert await desk.burst() == ["key:shop"] * 3
    assert desk.table.read == 2


async def test_nobody_waits_for_what_was_read_before_the_first_request() -> None:
    desk = Desk()
    await desk.ring.prepare()
    desk.table.open.clear()

    assert await desk.burst() == ["key:shop"] * 3
    assert desk.table.read == 1


async def test_a_revoked_key_is_refused_however_quiet_it_was() -> None:
    desk = Desk()
    await desk.burst()
    for quiet in (9, 200, 100_000):
        desk.table.rows = [replace(desk.table.rows[0], revoked_at=None)]
        desk.clock.advance(quiet)
        assert await desk.burst() == ["key:shop"] * 3
        desk.table.revoke(desk.clock.now())
        desk.clock.advance(quiet)
        assert await desk.burst() == ["nobody"] * 3


async def test_between_five_and_nine_seconds_keys_are_read_and_nobody_waits() -> None:
    desk = Desk()
    await desk.burst()
    desk.table.revoke(desk.clock.now())
    desk.table.open.clear()
    desk.clock.advance(6)
    assert await desk.burst() == ["key:shop"] * 3
    await asyncio.sleep(0)
    desk.table.open.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert await desk.burst() == ["nobody"] * 3
    assert desk.table.read == 2


async def test_while_the_table_fails_known_keys_go_on_and_only_the_first_wait_for_it() -> None:
    desk = Desk()
    await desk.burst()
    desk.table.away = True
    desk.clock.advance(20)
    assert await desk.burst() == ["key:shop"] * 3
    assert await desk.burst() == ["key:shop"] * 3
    assert desk.table.read == 2

    # The next try is nobody's to wait for, also where it hangs.
    desk.table.open.clear()
    desk.clock.advance(1)
    async with asyncio.timeout(1):
        assert await desk.burst() == ["key:shop"] * 3
        assert await desk.burst() == ["key:shop"] * 3
    await asyncio.sleep(0)
    assert desk.table.read == 3
    desk.table.open.set()

    desk.clock.advance(300)
    assert await desk.burst() == ["UNAVAILABLE"] * 3
    assert await desk.burst() == ["UNAVAILABLE"] * 3


async def test_a_key_that_was_just_made_waits_for_the_reading_that_finds_it_also_after_a_failure() -> None:
    desk = Desk()
    await desk.burst()
    desk.table.away = True
    desk.clock.advance(9)
    await desk.burst()
    desk.table.away = False
    made, key = new_key("made", frozenset(), desk.clock.now(), None, os.urandom)
    desk.table.rows.append(key)
    desk.clock.advance(1)

    assert await desk.burst(made) == ["key:made"] * 3
    assert desk.table.read == 3


async def test_a_failure_of_long_ago_says_nothing() -> None:
    desk = Desk()
    await desk.burst()
    desk.table.away = True
    desk.clock.advance(20)
    await desk.burst()
    desk.table.away = False
    desk.table.revoke(desk.clock.now())
    desk.clock.advance(9)
    assert await desk.burst() == ["nobody"] * 3


async def test_guesses_have_the_keys_read_once_a_second() -> None:
    desk = Desk()
    guess, _ = new_key("guess", frozenset(), desk.clock.now(), None, os.urandom)
    for _ in range(5):
        assert await desk.burst(guess) == ["nobody"] * 3
        desk.clock.advance(0.5)
    assert desk.table.read == 3


async def test_what_was_used_is_noted_and_no_request_waits_for_that() -> None:
    desk = Desk()
    await desk.burst()
    desk.clock.advance(61)
    await desk.burst()
    await desk.ring.close()
    assert desk.table.noted == [desk.table.rows[0].key_id]


async def test_closing_gives_up_a_reading_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.table.open.clear()
    waiting = asyncio.create_task(desk.ring.caller_of(desk.table.shown))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    await desk.ring.close()

    with pytest.raises(Refusal) as refused:
        await waiting
    assert refused.value.reason is Reason.UNAVAILABLE
    assert not caplog.records
