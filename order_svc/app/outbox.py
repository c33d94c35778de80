"""What follows from an order's being paid: the confirmation mail and the committed tax document.

The tasks were stored in the commit that made the order PAID, so none is ever lost; they are tried at once, and again by
the sweeper for as long as it takes. None of them ever undoes or delays the order.
"""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import InDoubt, Mails, Orders, Taxes
from order_svc.app.telling import Telling
from order_svc.domain.order import Event, Order, Task, TaskKind
from order_svc.domain.saga import retry_seconds

_logger = logging.getLogger(__name__)

_KINDS_WHEN_DONE = {TaskKind.SEND_CONFIRMATION: "mail.accepted", TaskKind.COMMIT_TAX: "tax.committed"}


class Outbox:
    """Does the tasks.

    Args:
        orders: Where they are kept.
        taxes: tax_svc.
        mails: notify_svc.
        clock: The time.
        telling: Traces and measures.
    """

    def __init__(self, orders: Orders, taxes: Taxes, mails: Mails, clock: Clock, telling: Telling) -> None:
        self._orders = orders
        self._taxes = taxes
        self._mails = mails
        self._clock = clock
        self._telling = telling

    async def do(self, task: Task, order: Order) -> None:
        """Do one task that this replica holds, and store what became of it."""
        with self._telling.task(task.kind, order) as told:
            outcome = await self._call(task.kind, order)
            told.outcome(outcome)
        tried = replace(task, version=task.version + 1, attempts=task.attempts + 1)
        try:
            match outcome:
                case Done(result):
                    done = replace(tried, done=True, due_at=None, result=result, last_error="")
                    await self._orders.finish_task(done, self._event(task.kind, order, result))
                case NotDone(refusal):
                    # Refused for good: it stays visible in the order's story, and nothing is tried again by itself.
                    refused = replace(tried, due_at=None, last_error=refusal.reason.value)
                    await self._orders.finish_task(refused, None)
                case Unknown(cause, retry_after):
                    wait = max(retry_seconds(task.attempts), retry_after or 0.0)
                    later = replace(tried, due_at=self._clock.now() + timedelta(seconds=wait), last_error=cause)
                    await self._orders.finish_task(later, None)
        except (InDoubt, Refusal):
            # The database is away. The task is done again when its lease is over; both receivers know it by its
            # request id.
            _logger.warning("task.left", extra={"order_id": order.order_id, "task": task.kind.value})

    async def _call(self, kind: TaskKind, order: Order) -> Done[str] | NotDone[Refusal] | Unknown:
        match kind:
            case TaskKind.SEND_CONFIRMATION:
                return await self._mails.confirm(order)
            case TaskKind.COMMIT_TAX:
                return await self._taxes.commit(order)
            case _:
                assert_never(kind)

    def _event(self, kind: TaskKind, order: Order, result: str) -> Event:
        return Event(
            version=order.version,
            at=self._clock.now(),
            kind=_KINDS_WHEN_DONE[kind],
            cause="outbox",
            state=order.state,
            facts={"result": result},
        )
