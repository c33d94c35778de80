"""Threads for calls that block: order, answers, errors, and their end."""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from chassis.storage.threads import Threads


@pytest.fixture
def one() -> Iterator[Threads]:
    threads = Threads(1, "test")
    yield threads
    threads.close()
    threads.join()


async def test_work_is_done_elsewhere_in_the_order_in_which_it_was_asked_for(one: Threads) -> None:
    done: list[int] = []

    def work(number: int) -> int:
        done.append(number)
        return threading.get_ident()

    answers = await asyncio.gather(*(one.run(partial(work, number)) for number in range(20)))

    assert done == list(range(20))
    assert set(answers).isdisjoint({threading.get_ident()})
    assert len(set(answers)) == 1


async def test_an_error_is_the_caller_s_and_the_thread_goes_on(one: Threads) -> None:
    with pytest.raises(ZeroDivisionError):
        await one.run(lambda: 1 / 0)

    assert await one.run(lambda: 7) == 7


async def test_what_is_cancelled_before_it_begins_never_begins(one: Threads) -> None:
    begun, gate, done = threading.Event(), threading.Event(), list[str]()

    def first() -> None:
        begun.set()
        gate.wait(5)
        done.append("first")

    running = one.run(first)
    waiting = one.run(lambda: done.append("second"))
    await asyncio.to_thread(begun.wait, 5)
    running.cancel()  # too late for this one
    waiting.cancel()
    gate.set()
    await one.run(lambda: None)

    assert done == ["first"]


async def test_closed_threads_finish_what_was_asked_for_and_take_nothing_more() -> None:
    threads, done = Threads(2, "test"), list[int]()
    answers = [threads.run(lambda: done.append(1)) for _ in range(10)]

    threads.close()
    threads.close()
    threads.join()

    assert len(done) == 10
    await asyncio.gather(*answers)
    with pytest.raises(RuntimeError, match="closed"):
        threads.run(int)


def test_threads_that_were_never_asked_can_be_closed() -> None:
    threads = Threads(3, "test")

    threads.close()
    threads.join()


def test_an_answer_that_comes_when_the_loop_is_gone_harms_nobody(one: Threads) -> None:
    gate = threading.Event()

    async def leave() -> None:
        one.run(lambda: gate.wait(5)).add_done_callback(lambda _: None)

    asyncio.run(leave())
    gate.set()

    async def ask() -> int:
        return await one.run(lambda: 3)

    assert asyncio.run(ask()) == 3
