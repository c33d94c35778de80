"""The processes that share the simulated worlds, and leave the machine to whoever else needs it."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, connection, get_context, parent_process
from typing import Any, Generic, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

# The rounds on real processes run beside the worlds, and a system that nobody lets run recovers late: it goes first.
_NICENESS = 10


@dataclass(frozen=True, slots=True)
class Measured(Generic[T]):
    """What came of a piece of work, and how many seconds of a core it took."""

    result: T
    core_seconds: float


def measured(act: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> Measured[T]:
    """Do a piece of work and measure it."""
    began = time.process_time()
    return Measured(act(*arguments, **named), time.process_time() - began)


class Here(Executor):
    """Does everything at once, in this process."""

    def submit(self, act: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:  # noqa: ANN401  (anything)
        future: Future[Any] = Future()
        future.set_result(act(*arguments, **named))
        return future


@contextmanager
def workers(jobs: int) -> Iterator[Executor]:
    """Have so many processes work while the context is open; 0: this one does.

    When the work is broken off they end at once. They do not outlive this process, however it ends.
    """
    if not jobs:
        yield Here()
        return
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begun)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in active_children():
            worker.terminate()
        raise
    finally:
        pool.shutdown()


def _begun() -> None:
    os.nice(_NICENESS)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "a worker has one"
    connection.wait([parent.sentinel])
    os._exit(1)
