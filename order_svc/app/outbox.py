"""What follows from an order's being paid: the confirmation mail and the committed tax document.

The tasks were stored in the commit that made the order PAID, so none is ever lost; they are tried at once, and again by
the sweeper for as long as it takes. None of them ever undoes or delays the order.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import InDoubt, Mails, Orders, Taxes
from order_svc.app.telling import Telling
from order_svc.domain.order import Event, Order, Task, TaskKind
from order_svc.domain.saga import passes
from order_svc.domain.transition import retry_seconds

_logger = logging.getLogger(__name__)

_KINDS_WHEN_DONE = {TaskKind.SEND_CONFIRMATION: "mail.accepted", TaskKind.COMMIT_TAX: "tax.committed"}
_KINDS_WHEN_REFUSED = {TaskKind.SEND_CONFIRMATION: "mail.refused", TaskKind.COMMIT_TAX: "tax.refused"}


class Outbox:
    """Does the tasks.

    Args:
        orders: Where they are kept.
        taxes: tax_svc.
        mails: notify_svc.
        clock: The time.
        telling: Traces and measures.
        random: Returns numbers from 0 to 1, to spread retries.
    """

    def __init__(
        self,
        orders: Orders,
        taxes: Taxes,
        mails: Mails,
        clock: Clock,
        telling: Telling,
        random: Callable[[], float],
    ) -> None:
        self._orders = orders
        self._taxes = taxes
        self._mails = mails
        self._clock = clock
        self._telling = telling
        self._random = random

    async def do(self, task: Task, order: Order) -> None:
        """Do one task that this replica holds, and store what became of it."""
        with self._telling.task(task.kind, order) as told:
            outcome = await self._call(task.kind, order)
            told.outcome(outcome)
        try:
            await self._store(replace(task, version=task.version + 1, attempts=task.attempts + 1), order, outcome)
        except (InDoubt, Refusal):
            # The database is away. The task is done again when its lease is over; both receivers know it by its
            # request id.
            _logger.warning("task.left", extra={"order_id": order.order_id, "task": task.kind.value})

    async def _store(self, task: Task, order: Order, outcome: Done[str] | NotDone[Refusal] | Unknown) -> None:
        """Store what became of a task.

        Args:
            task: With this attempt counted.
            order: Whose it is.
            outcome: Of this attempt.
        """
        match outcome:
            case Done(result):
                done = replace(task, done=True, due_at=None, result=result, last_error="")
                event = self._event(_KINDS_WHEN_DONE[task.kind], order, {"result": result})
                await self._orders.finish_task(done, event)
            case NotDone(refusal) if not passes(refusal):
                # It stays visible, and nothing is tried again by itself: a person has to say.
                refused = replace(task, due_at=None, last_error=refusal.reason.value)
                event = self._event(_KINDS_WHEN_REFUSED[task.kind], order, {"reason": refusal.reason.value})
                await self._orders.refuse_task(refused, event)
            case NotDone(refusal):
                await self._later(task, f"refused: {refusal.reason.value}", refusal.retry_after)
            case Unknown(cause, retry_after):
                await self._later(task, cause, retry_after)

    async def _later(self, task: Task, cause: str, retry_after: float | None) -> None:
        wait = max(retry_seconds(task.attempts - 1, self._random()), retry_after or 0.0)
        due_at = self._clock.now() + timedelta(seconds=wait)
        await self._orders.finish_task(replace(task, due_at=due_at, last_error=cause), None)

    async def _call(self, kind: TaskKind, order: Order) -> Done[str] | NotDone[Refusal] | Unknown:
        match kind:
            case TaskKind.SEND_CONFIRMATION:
                return await self._mails.confirm(order)
            case TaskKind.COMMIT_TAX:
                return await self._taxes.commit(order)
            case _:
                assert_never(kind)

    def _event(self, kind: str, order: Order, facts: dict[str, str]) -> Event:
        return Event(order.version, self._clock.now(), kind, "outbox", order.state, facts)
