"""Threads for calls that block, asked from an event loop.

A concurrent.futures executor makes two futures for each call, with a lock and a condition, and goes through both when
it ends: 50 µs of CPU where these threads take 10, and an order goes through them a dozen times.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

_Asked = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class Threads:
    """So many threads, which do what is asked for in the order in which it was asked.

    They start with the first call, and do not keep the process alive: whoever needs what they do closes them and waits.

    Args:
        count: How many.
        name: Of the threads, for whoever looks at the process.
    """

    def __init__(self, count: int, name: str) -> None:
        self._queue: SimpleQueue[_Asked | None] = SimpleQueue()
        self._threads = [Thread(target=self._serve, name=f"{name}-{number}", daemon=True) for number in range(count)]
        self._started = False
        self._closed = False

    def run(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Return the future of what the work returns or raises. Cancelled before the work began, it never begins.

        Raises:
            RuntimeError: The threads are closed.
        """
        if self._closed:
            raise RuntimeError("these threads are closed")
        if not self._started:
            self._started = True
            for thread in self._threads:
                thread.start()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._queue.put((loop, done, work))
        return done

    def close(self) -> None:
        """Take nothing more; what was asked for is still done. Does not wait."""
        if not self._closed:
            self._closed = True
            for _ in self._threads:
                self._queue.put(None)

    def join(self) -> None:
        """Wait until everything is done, after `close`. Blocks."""
        for thread in self._threads if self._started else ():
            thread.join()

    def _serve(self) -> None:
        while (asked := self._queue.get()) is not None:
            loop, done, work = asked
            if done.cancelled():
                continue
            answer: tuple[Callable[..., None], object]
            try:
                answer = _return, work()
            except BaseException as error:  # noqa: BLE001  (whatever it is, it belongs to who asked)
                answer = _raise, error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(answer[0], done, answer[1])
            # Nothing of it may stay alive until the next call.
            del asked, loop, done, work, answer


def _return(done: "asyncio.Future[Any]", result: object) -> None:
    if not done.done():
        done.set_result(result)


def _raise(done: "asyncio.Future[Any]", error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
