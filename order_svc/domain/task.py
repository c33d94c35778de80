"""Work outside the order that follows from what became of it: mails, tax documents."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class TaskKind(StrEnum):
    """What is to be done."""

    SEND_CONFIRMATION = "send_confirmation"
    COMMIT_TAX = "commit_tax"
    REFUND_TAX = "refund_tax"
    SEND_ACTION_REQUIRED = "send_action_required"
    SEND_PAYMENT_FAILED = "send_payment_failed"
    SEND_SHIPPED = "send_shipped"
    SEND_DELIVERED = "send_delivered"
    SEND_CANCELLED = "send_cancelled"
    SEND_REFUNDED = "send_refunded"


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task that a move of the order leaves behind.

    Attributes:
        kind: What is to be done.
        number: Which refund or shipment it is about; 0 when it is about the whole order.
        delay: How long it waits before its first try.
    """

    kind: TaskKind
    number: int = 0
    delay: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of such work; see ordermesh.order.v1.OrderTask.

    Attributes:
        order_id: The order.
        kind: What is to be done.
        version: 1 at first, +1 with each claim and each try; who holds an older one has lost the task.
        attempts: How often it was begun.
        due_at: When it is tried next; None when done or given up.
        done: Whether it is done.
        result: The id of what came of it.
        last_error: What went wrong the last time.
        number: Which refund or shipment it is about; 0 when it is about the whole order.
    """

    order_id: str
    kind: TaskKind
    version: int = 1
    attempts: int = 0
    due_at: datetime | None = None
    done: bool = False
    result: str = ""
    last_error: str = ""
    number: int = 0

    @property
    def name(self) -> str:
        """Return what tells it from the order's other tasks: "commit_tax", "refund_tax:1"."""
        return task_name(self.kind, self.number)


def task_name(kind: TaskKind, number: int) -> str:
    """Return what tells a task from the other tasks of its order."""
    return f"{kind.value}:{number}" if number else kind.value
