"""Work that outlives its call: kept alive, told of when it fails, waited for and then cancelled at the end."""

import asyncio
import contextvars
import logging

import pytest

from chassis.service import Tasks

CALLER: contextvars.ContextVar[str] = contextvars.ContextVar("caller", default="nobody")


async def test_work_goes_on_when_its_starter_is_cancelled() -> None:
    tasks, go_on, done = Tasks(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        done.set()

    async def start_and_wait() -> None:
        await asyncio.shield(tasks.start(work(), "work"))

    starter = asyncio.create_task(start_and_wait())
    await asyncio.sleep(0)
    starter.cancel()
    await asyncio.wait({starter})
    go_on.set()

    await done.wait()
    await tasks.close(1)


async def test_work_keeps_what_its_starter_had_in_context() -> None:
    tasks, seen = Tasks(), []

    async def work() -> None:
        seen.append(CALLER.get())
        CALLER.set("changed")

    CALLER.set("ada")
    await tasks.start(work(), "work")

    assert seen == ["ada"]
    assert CALLER.get() == "ada"


async def test_work_that_fails_is_logged_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()

    async def fail() -> None:
        raise ZeroDivisionError

    task = tasks.start(fail(), "drive 17")
    await asyncio.wait({task})
    await tasks.close(1)

    (record,) = caplog.records
    assert (record.message, record.levelno, vars(record)["task"]) == ("task.defect", logging.ERROR, "drive 17")
    assert record.exc_info is not None


async def test_closing_waits_for_work_that_ends_in_time() -> None:
    tasks, ended = Tasks(), []

    async def work() -> None:
        await asyncio.sleep(0)
        ended.append(1)

    tasks.start(work(), "work")
    await tasks.close(10)

    assert ended == [1]


async def test_closing_cancels_what_does_not_end_and_calls_it_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()
    task = tasks.start(asyncio.Event().wait(), "for ever")

    await tasks.close(0.01)

    assert task.cancelled()
    assert caplog.records == []


async def test_closing_with_nothing_under_way_is_over_at_once() -> None:
    await Tasks().close(10)
