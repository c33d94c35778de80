"""What follows from what became of an order: mails, and the documents of its tax.

The tasks were stored in the commit that made them due, so none is ever lost; they are tried at once, and again by the
sweeper for as long as it takes. None of them ever undoes or delays the order.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import InDoubt, Mails, Orders, Taxes
from order_svc.app.telling import Telling
from order_svc.domain.order import Event, Order, State
from order_svc.domain.refund import Refund
from order_svc.domain.step import passes
from order_svc.domain.task import Task, TaskKind
from order_svc.domain.tax import Recorded
from order_svc.domain.transition import retry_seconds

_logger = logging.getLogger(__name__)

# Everything else is a mail.
_TAX_DONE = {TaskKind.COMMIT_TAX: "tax.committed", TaskKind.REFUND_TAX: "tax.refunded"}

# What a mail that came to be needless leaves as its result.
_NOT_NEEDED = "not needed"


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
        with self._telling.task(task, order) as told:
            outcome = await self._call(task, order)
            told.outcome(outcome)
        try:
            await self._store(replace(task, version=task.version + 1, attempts=task.attempts + 1), order, outcome)
        except (InDoubt, Refusal):
            # The database is away. The task is done again when its lease is over; both receivers know it by its
            # request id.
            _logger.warning("task.left", extra={"order_id": order.order_id, "task": task.kind.value})

    async def _store(
        self, task: Task, order: Order, outcome: Done[str] | Done[Recorded] | NotDone[Refusal] | Unknown
    ) -> None:
        """Store what became of a task.

        Args:
            task: With this attempt counted.
            order: Whose it is.
            outcome: Of this attempt.
        """
        match outcome:
            case Done(result):
                await self._done(task, order, result)
            case NotDone(refusal) if not passes(refusal):
                # It stays visible, and nothing is tried again by itself: a person has to say.
                refused = replace(task, due_at=None, last_error=refusal.reason.value)
                kind = "tax.refused" if task.kind in _TAX_DONE else "mail.refused"
                event = self._event(kind, task, order, {"reason": refusal.reason.value})
                await self._orders.refuse_task(refused, event)
            case NotDone(refusal):
                await self._later(task, f"refused: {refusal.reason.value}", refusal.retry_after)
            case Unknown(cause, retry_after):
                await self._later(task, cause, retry_after)

    async def _done(self, task: Task, order: Order, result: str | Recorded) -> None:
        if isinstance(result, Recorded):
            facts = {"result": result.code}
            if result.difference.minor_units:
                facts["difference"] = str(result.difference)
            done = replace(task, done=True, due_at=None, result=result.code, last_error="")
            await self._orders.finish_task(done, self._event(_TAX_DONE[task.kind], task, order, facts), result)
            return
        done = replace(task, done=True, due_at=None, result=result, last_error="")
        needed = result != _NOT_NEEDED
        event = self._event("mail.accepted", task, order, {"result": result}) if needed else None
        await self._orders.finish_task(done, event)

    async def _later(self, task: Task, cause: str, retry_after: float | None) -> None:
        wait = max(retry_seconds(task.attempts - 1, self._random()), retry_after or 0.0)
        due_at = self._clock.now() + timedelta(seconds=wait)
        await self._orders.finish_task(replace(task, due_at=due_at, last_error=cause), None)

    async def _call(self, task: Task, order: Order) -> Done[str] | Done[Recorded] | NotDone[Refusal] | Unknown:
        match task.kind:
            case TaskKind.COMMIT_TAX:
                return await self._taxes.commit(order)
            case TaskKind.REFUND_TAX:
                return await self._taxes.refund(order, order.refunds[task.number - 1])
            case TaskKind.SEND_REFUNDED if (not_yet := _untrue(order.refunds[task.number - 1])) is not None:
                return not_yet
            case _:
                return await self._mails.send(order, task) if _needed(task, order) else Done(_NOT_NEEDED)

    def _event(self, kind: str, task: Task, order: Order, facts: dict[str, str]) -> Event:
        return Event(order.version, self._clock.now(), _told_of(kind, task), "outbox", order.state, facts)


def _told_of(kind: str, task: Task) -> str:
    """Return the journal's word: an order has one sale and one confirmation, and any number of the others."""
    if task.kind in {TaskKind.SEND_CONFIRMATION, TaskKind.COMMIT_TAX}:
        return kind
    return f"{kind}:{task.number}" if task.kind is TaskKind.REFUND_TAX else f"{kind}:{task.name}"


def _untrue(refund: Refund) -> NotDone[Refusal] | Unknown | None:
    """Say why the mail about a refund must not go out: it has failed since, or is being sent once more."""
    if not refund.counts:
        return NotDone(Refusal(Reason.ILLEGAL_STATE, "The refund has failed; the mail goes out once it is sent again."))
    return None if refund.provider_refund_id else Unknown("the refund is being sent again")


def _needed(task: Task, order: Order) -> bool:
    """Say whether a mail that was to wait for a while still tells what is so: the customer may have acted since."""
    if task.kind is TaskKind.SEND_ACTION_REQUIRED or (task.kind is TaskKind.SEND_PAYMENT_FAILED and task.number):
        return order.state is State.PAYMENT_ACTION_REQUIRED and order.attempt == task.number
    return True
