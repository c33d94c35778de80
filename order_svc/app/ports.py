"""The outside world in the order service's own nouns. Adapters implement these; tests do so with fakes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kernel.errors import Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from order_svc.domain.order import Draft, Event, Order, Payment, State, Task, Tax
from order_svc.domain.saga import Transition


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

    async def refund(self, payment_id: str, request_id: str) -> Done[Payment] | NotDone[Refusal] | Unknown:
        """Give all of it back."""
        ...


class Mails(Protocol):
    """notify_svc."""

    async def confirm(self, order: Order) -> Done[str] | NotDone[Refusal] | Unknown:
        """Have the confirmation sent and return the notification's id."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """The idempotency key of a command and what was asked under it.

    Attributes:
        caller: Who asks.
        request_id: The key.
        fingerprint: SHA-256 of the request.
    """

    caller: str
    request_id: str
    fingerprint: str


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

    async def find(self, request: Request) -> tuple[str, Order] | None:
        """Return the fingerprint and the order of an earlier use of the key."""
        ...

    async def move(self, transition: Transition, event: Event | None, lease_seconds: float) -> None:
        """Commit a transition of an order that is leased to this replica, with its journal entry if there is one.

        Raises:
            Moved: The order is not at the fence before.
        """
        ...

    async def get(self, order_id: str) -> Order | None:
        """Return the order."""
        ...

    async def page(self, wanted: OrderFilter, after: str, limit: int) -> Sequence[Order]:
        """Return orders, newest first, beginning below the order id `after` (empty: from the newest)."""
        ...

    async def journal(self, order_id: str) -> tuple[Sequence[Event], Sequence[Task], datetime | None]:
        """Return the events, oldest first, the tasks, and when the order is looked at next."""
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

    async def release_own(self) -> None:
        """Give up the leases that an earlier life of this replica still holds, so that they are claimed at once."""
        ...

    async def waiting(self) -> tuple[int, float]:
        """Return how many tasks wait and the age of the oldest in seconds."""
        ...


class InDoubt(Exception):
    """A commit may or may not have happened; reading tells."""
