"""The outside world in the order service's own nouns. Adapters implement these; tests do so with fakes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from kernel.errors import Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from kernel.request import Request
from order_svc.domain.order import Draft, Event, Order, Payment, State, Task, Tax
from order_svc.domain.retry import Standing
from order_svc.domain.saga import Refunded
from order_svc.domain.transition import Transition


class Taxes(Protocol):
    """tax_svc."""

    async def quote(self, draft: Draft) -> Done[Tax] | NotDone[Refusal] | Unknown:
        """Work out the tax; refusals name the fields of the draft."""
        ...

    async def commit(self, order: Order) -> Done[str] | NotDone[Refusal] | Unknown:
        """Record the sale and return the code of its document."""
        ...


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge to be made.

    Attributes:
        request_id: The same for every repetition of this charge.
        order_id: The order.
        amount: Its total.
        payment_method: Stripe's id.
        not_after: When our claim to the order ends; the charge must not begin later.
    """

    request_id: str
    order_id: str
    amount: Money
    payment_method: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class News:
    """A payment that changed unasked.

    Attributes:
        order_id: Whose it is.
        payment: The payment as it is now.
    """

    order_id: str
    payment: Payment


class Payments(Protocol):
    """payment_svc."""

    async def charge(self, charge: Charge) -> Done[Payment] | NotDone[Refusal] | Unknown:
        """Charge the order, or learn what became of the charge."""
        ...

    async def read(self, payment_id: str, request_id: str) -> Done[Payment] | NotDone[Refusal] | Unknown:
        """Read the payment as the provider has it now."""
        ...

    async def cancel(self, payment_id: str, request_id: str) -> Done[Payment] | NotDone[Refusal] | Unknown:
        """Give the payment up if its money has not moved."""
        ...

    async def refund(self, payment_id: str, request_id: str) -> Done[Refunded] | NotDone[Refusal] | Unknown:
        """Give back all that is left of it, once per request id."""
        ...

    async def news(self) -> Done[Sequence[News]] | NotDone[Refusal] | Unknown:
        """List payments that changed without their order's asking, the longest unheard first: a page of them."""
        ...

    async def acknowledge(self, payment: Payment) -> Done[None] | NotDone[Refusal] | Unknown:
        """Say that the news of a payment was taken in, up to its version."""
        ...


class Mails(Protocol):
    """notify_svc."""

    async def confirm(self, order: Order) -> Done[str] | NotDone[Refusal] | Unknown:
        """Have the confirmation sent and return the notification's id."""
        ...


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders to list; what is empty or None does not restrict.

    Attributes:
        customer_id: Of this customer.
        state: In this state.
        needs_review: True for only those that a person has to look at.
    """

    customer_id: str = ""
    state: State | None = None
    needs_review: bool = False


class Command(StrEnum):
    """What keeps an idempotency key, by the name of its RPC."""

    PLACE = "PlaceOrder"
    RETRY = "RetryOrder"


@dataclass(frozen=True, slots=True)
class Due:
    """Whether there is anything to take up.

    Attributes:
        orders: The time of at least one order has come.
        tasks: The time of at least one task has come.
    """

    orders: bool
    tasks: bool


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is not finished.

    Attributes:
        tasks: How many tasks wait.
        oldest_task_seconds: The age of the oldest of them; 0 when none waits.
        in_review: How many orders a person has to look at.
        oldest_order_seconds: The age of the oldest order that is neither paid nor given up; 0 when there is none.
    """

    tasks: int
    oldest_task_seconds: float
    in_review: int
    oldest_order_seconds: float


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is known of one order.

    Attributes:
        order: As it stands.
        events: Its journal, oldest first.
        tasks: Work outside the order.
        wake_at: When the order is looked at next; None when nothing is planned.
    """

    order: Order
    events: Sequence[Event]
    tasks: Sequence[Task]
    wake_at: datetime | None


class Moved(Exception):
    """Somebody else moved the order first. Nothing was written; read it again."""


class Orders(Protocol):
    """Where orders are kept. Every write is durable when it returns.

    All methods raise Refusal(UNAVAILABLE) when the database is away, and writes raise InDoubt when their commit may or
    may not have happened.
    """

    async def create(self, order: Order, request: Request, event: Event, lease_seconds: float) -> bool:
        """Store a new order, leased to this replica; False when the request's key was used before."""
        ...

    async def find(self, request: Request, command: Command = Command.PLACE) -> tuple[str, Order] | None:
        """Return the fingerprint and the order of an earlier use of the key for the command."""
        ...

    async def move(self, transition: Transition, event: Event | None, lease_seconds: float) -> None:
        """Commit a transition of an order that is leased to this replica, with its journal entry if there is one.

        Raises:
            Moved: The order is not at the fence before.
        """
        ...

    async def take_up(self, transition: Transition, event: Event, tasks: Sequence[Task], request: Request) -> bool:
        """Commit a retry: the order moved, its tasks as they are then, and the key of the retry.

        Returns:
            False when the request's key was used before; nothing was written.

        Raises:
            Moved: The order is not at the fence before, or a task not at the version before.
        """
        ...

    async def get(self, order_id: str) -> Order | None:
        """Return the order."""
        ...

    async def standings(self, order_ids: Collection[str]) -> Mapping[str, Standing]:
        """Return the orders of these ids that there are, each with who is at it."""
        ...

    async def page(self, wanted: OrderFilter, after: str, limit: int) -> Sequence[Order]:
        """Return orders, newest first, beginning below the order id `after` (empty: from the newest)."""
        ...

    async def journal(self, order_id: str) -> Story | None:
        """Return the order with all that is known of it, as it stood at one moment."""
        ...

    async def due(self) -> Due:
        """Say what there is to take up: the one cheap read of an idle service."""
        ...

    async def claim_orders(self, limit: int, lease_seconds: float) -> Sequence[Order]:
        """Lease orders whose time has come to this replica, and return them."""
        ...

    async def claim_tasks(self, limit: int, lease_seconds: float) -> Sequence[tuple[Task, Order]]:
        """Lease tasks whose time has come to this replica, and return them with their orders."""
        ...

    async def finish_task(self, task: Task, event: Event | None) -> None:
        """Store what became of a task; nothing happens when another replica has taken it over."""
        ...

    async def refuse_task(self, task: Task, event: Event) -> None:
        """Store that a task was refused for good, and mark its order for a person to look at, in one commit.

        Nothing happens when another replica has taken the task over. The event is stored with the version that the
        order then has.
        """
        ...

    async def release_own(self) -> None:
        """Give up the leases that an earlier life of this replica still holds, so that they are claimed at once."""
        ...

    async def backlog(self) -> Backlog:
        """Return what is not finished."""
        ...


class InDoubt(Exception):
    """A commit may or may not have happened; reading tells."""
