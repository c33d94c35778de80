"""The outside world in the order service's own nouns. Adapters implement these; tests do so with fakes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from kernel.errors import Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from kernel.request import Request
from order_svc.domain.commands import Command
from order_svc.domain.draft import AT_ONCE, Draft, Terms
from order_svc.domain.order import Event, Order, State
from order_svc.domain.overview import Counted
from order_svc.domain.payment import Payment
from order_svc.domain.refund import Refund
from order_svc.domain.retry import Standing
from order_svc.domain.step import Refunded
from order_svc.domain.task import Task
from order_svc.domain.tax import Recorded, Tax
from order_svc.domain.transition import Transition
from order_svc.domain.velocity import Bound


class Taxes(Protocol):
    """tax_svc."""

    async def quote(self, draft: Draft) -> Done[Tax] | NotDone[Refusal] | Unknown:
        """Work out the tax; refusals name the fields of the draft."""
        ...

    async def commit(self, order: Order) -> Done[Recorded] | NotDone[Refusal] | Unknown:
        """Record the sale."""
        ...

    async def refund(self, order: Order, refund: Refund) -> Done[Recorded] | NotDone[Refusal] | Unknown:
        """Record what was given back, or let go, of a recorded sale."""
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
        terms: How it is to be paid.
        provider_customer_id: Stripe's id of the saved customer; may be empty.
    """

    request_id: str
    order_id: str
    amount: Money
    payment_method: str
    not_after: datetime
    terms: Terms = AT_ONCE
    provider_customer_id: str = ""


T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """Some of a list that is read on.

    Attributes:
        items: What is on it.
        after: Asks for what comes behind it; empty when nothing does.
    """

    items: Sequence[T_co]
    after: str = ""


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

    async def capture(
        self, payment_id: str, request_id: str, amount: Money
    ) -> Done[Payment] | NotDone[Refusal] | Unknown:
        """Take so much of held money, and let the rest go; what was taken, or has lapsed, is answered as it is."""
        ...

    async def cancel(self, payment_id: str, request_id: str) -> Done[Payment] | NotDone[Refusal] | Unknown:
        """Give the payment up if its money has not moved."""
        ...

    async def forestall(
        self, order_id: str, amount: Money, request_id: str
    ) -> Done[Payment] | NotDone[Refusal] | Unknown:
        """Give up the payment of an order whose charge was never answered, whether or not there is one yet."""
        ...

    async def refund(
        self, payment_id: str, request_id: str, amount: Money | None = None
    ) -> Done[Refunded] | NotDone[Refusal] | Unknown:
        """Give back an amount, or all that is left, once per request id."""
        ...

    async def news(self, after: str = "") -> Done[Page[News]] | NotDone[Refusal] | Unknown:
        """List payments that changed without their order's asking, the longest unheard first: the page after a page."""
        ...

    async def acknowledge(self, payment: Payment) -> Done[None] | NotDone[Refusal] | Unknown:
        """Say that the news of a payment was taken in, up to its version."""
        ...


@dataclass(frozen=True, slots=True)
class MailNews:
    """A mail that turned out not to reach its reader.

    Attributes:
        order_id: The order that it told of.
        notification_id: notify_svc's id.
        version: Of the notification, for the acknowledgement.
        kind: What it told: "order_confirmation".
        state: What became of it: "bounced".
        cause: What the mail server said, without personal data; may be empty.
    """

    order_id: str
    notification_id: str
    version: int
    kind: str
    state: str
    cause: str


class Mails(Protocol):
    """notify_svc."""

    async def send(self, order: Order, task: Task) -> Done[str] | NotDone[Refusal] | Unknown:
        """Have the mail of a task sent and return the notification's id."""
        ...

    async def news(self, after: str = "") -> Done[Page[MailNews]] | NotDone[Refusal] | Unknown:
        """List mails that did not reach their readers, the longest unheard first: the page after a page."""
        ...

    async def acknowledge(self, news: MailNews) -> Done[None] | NotDone[Refusal] | Unknown:
        """Say that the news of a mail was taken in, up to its version."""
        ...


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders to list; what is empty or None does not restrict.

    Attributes:
        customer_id: Of this customer.
        state: In this state.
        needs_review: True for only those that a person has to look at.
        created_from: Accepted then or later.
        created_before: Accepted before then.
        reference_prefix: Whose reference begins so.
        tax_differs: True for only those of which another tax was recorded than charged.
        alerted: True for only those with alerts.
    """

    customer_id: str = ""
    state: State | None = None
    needs_review: bool = False
    created_from: datetime | None = None
    created_before: datetime | None = None
    reference_prefix: str = ""
    tax_differs: bool = False
    alerted: bool = False


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


class TooMany(Exception):
    """A count has reached its limit. Nothing was written.

    Attributes:
        bound: The count.
        oldest: When the first of those that count came.
    """

    def __init__(self, bound: Bound, oldest: datetime) -> None:
        super().__init__(bound.counted)
        self.bound = bound
        self.oldest = oldest


class Orders(Protocol):
    """Where orders are kept. Every write is durable when it returns.

    All methods raise Refusal(UNAVAILABLE) when the database is away, and writes raise InDoubt when their commit may or
    may not have happened.
    """

    async def create(
        self, order: Order, request: Request, event: Event, lease_seconds: float, bounds: Sequence[Bound] = ()
    ) -> bool:
        """Store a new order, leased to this replica; False when the request's key was used before.

        Raises:
            TooMany: A count is not below its limit; a key that was used before goes first.
        """
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

    async def obey(
        self,
        command: Command,
        request: Request,
        transition: Transition,
        event: Event,
        *,
        tasks: Sequence[Task] = (),
        bounds: Sequence[Bound] = (),
        lease_seconds: float = 0.0,
    ) -> bool:
        """Commit what a command makes of an order, with the command's key, and some of its tasks as they are then.

        Returns:
            False when the request's key was used before; nothing was written.

        Raises:
            Moved: The order is not at the fence before, or a task not at the version before.
            TooMany: A count is not below its limit.
        """
        ...

    async def get(self, order_id: str, customer_id: str = "") -> Order | None:
        """Return the order; None as well when it is not that customer's, where one is named."""
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

    async def finish_task(self, task: Task, event: Event | None, recorded: Recorded | None = None) -> None:
        """Store what became of a task; nothing happens when another replica has taken it over.

        Args:
            task: As it is now.
            event: For the journal; None when nobody has to know.
            recorded: What the tax authority's service has recorded, where the task was about that.
        """
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

    async def counted(self, since: datetime, most: int) -> Counted:
        """Return how many orders there are in each state, and what is not finished.

        Args:
            since: From when on orders that were placed are counted apart.
            most: So many of a state are counted, and whether there are more.
        """
        ...


class InDoubt(Exception):
    """A commit may or may not have happened; reading tells."""
