"""What the use cases need from the outside: a provider that moves money, and somewhere to keep payments and events."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.domain.dispute import Dispute
from payment_svc.domain.intent import PLAIN, Decline, Intent, Manner, NewIntent, ProviderRefund
from payment_svc.domain.payment import Payment
from payment_svc.domain.refund import Refund


@dataclass(frozen=True, slots=True)
class KeySpent(Unknown):
    """The provider answered with an error that it will repeat for this idempotency key, whatever happened.

    Read what happened; if nothing did, go on under another key.
    """


@dataclass(frozen=True, slots=True)
class AmountRefused:
    """An amount that the provider does not take.

    Attributes:
        minimum: The least minor units it takes, where that is what is wrong.
        maximum: The most it takes, where that is.
        multiple: What the minor units must be a multiple of, where that is.
    """

    minimum: int | None = None
    maximum: int | None = None
    multiple: int | None = None


@dataclass(frozen=True, slots=True)
class CurrencyRefused:
    """The provider does not charge in this currency."""


@dataclass(frozen=True, slots=True)
class WrongState:
    """The intent is not in a state that allows this: read it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Anything else that the provider refuses for good.

    Attributes:
        code: The provider's error code, or the HTTP status.
    """

    code: str


class PaymentGateway(Protocol):
    """The provider that moves the money. It never raises but for defects, and never repeats a call by itself."""

    async def create_intent(
        self, intent: NewIntent, key: str
    ) -> Done[Intent] | NotDone[AmountRefused | CurrencyRefused | Refused] | Unknown:
        """Make an intent without confirming it: no money can move yet."""
        ...

    async def confirm_intent(
        self, intent_id: str, payment_method: str, key: str, manner: Manner = PLAIN
    ) -> Done[Intent] | NotDone[Decline | WrongState] | Unknown:
        """Try to take the money, or to hold it."""
        ...

    async def read_intent(self, intent_id: str) -> Done[Intent] | NotDone[Refused] | Unknown:
        """Read the intent as it is now."""
        ...

    async def capture_intent(
        self, intent_id: str, amount: Money, key: str
    ) -> Done[Intent] | NotDone[WrongState | Refused] | Unknown:
        """Take so much of the money that is held, once, and release the rest."""
        ...

    async def cancel_intent(self, intent_id: str, key: str) -> Done[Intent] | NotDone[WrongState | Refused] | Unknown:
        """Give the intent up, so that no money can move on it any more."""
        ...

    async def create_refund(
        self, intent_id: str, refund: Refund, key: str
    ) -> Done[ProviderRefund] | NotDone[Refused] | Unknown:
        """Give money back."""
        ...

    async def list_refunds(self, intent_id: str) -> Done[list[ProviderRefund]] | NotDone[Refused] | Unknown:
        """Return all refunds of the intent, oldest first, whoever made them."""
        ...

    async def list_disputes(self, intent_id: str) -> Done[list[Dispute]] | NotDone[Refused] | Unknown:
        """Return all disputes of the intent."""
        ...


class AmountRules(Protocol):
    """What amounts the provider takes, known without asking it."""

    def to_charge(self, amount: Money) -> AmountRefused | None:
        """Return what is wrong with charging the amount."""
        ...

    def to_refund(self, amount: Money) -> AmountRefused | None:
        """Return what is wrong with giving the amount back."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One command by its idempotency key.

    Attributes:
        caller: Who called.
        method: The command, "ChargePayment".
        request_id: The key.
        fingerprint: What the request said.
        trace: The W3C traceparent of the call; empty for none.
    """

    caller: str
    method: str
    request_id: str
    fingerprint: str
    trace: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Use:
    """An earlier use of an idempotency key.

    Attributes:
        fingerprint: What the request said.
        subject_id: The payment, or the refund, that it was about.
    """

    fingerprint: str
    subject_id: str


@dataclass(frozen=True, slots=True)
class Found:
    """A payment, if there is one, and the earlier use of the command's key, if there was one."""

    payment: Payment | None
    use: Use | None


class PaymentStore(Protocol):
    """Where payments and refunds are kept.

    A write answers True when it is durable. False means that it was decided on an outdated state, or that nobody knows
    whether it was written: either way read again and decide anew. Any method raises Refusal(UNAVAILABLE) while the
    database is away, and then nothing was written.
    """

    async def by_order(self, order_id: str, request: Request) -> Found:
        """Return the payment of an order."""
        ...

    async def by_id(self, payment_id: str, request: Request) -> Found:
        """Return a payment by its id."""
        ...

    async def get(self, payment_id: str) -> Payment | None:
        """Return a payment by its id."""
        ...

    async def by_intent(self, intent_id: str) -> Payment | None:
        """Return a payment by the provider's id."""
        ...

    async def page(
        self, order_id: str, after: tuple[datetime, str] | None, size: int, *, disputed: bool = False
    ) -> list[Payment]:
        """Return payments, newest first, that come after the given (created_at, payment_id).

        Args:
            order_id: Only this order's; empty for all.
            after: The end of the page before; None for the first.
            size: At most so many.
            disputed: Only those that have disputes.
        """
        ...

    async def add(self, payment: Payment, look_at: datetime | None, request: Request) -> bool:
        """Keep a new payment together with the key that asked for it."""
        ...

    async def save(self, payment: Payment, look_at: datetime | None, request: Request | None = None) -> bool:
        """Keep the next version of a payment, and the key that asked for it where there is one."""
        ...

    async def remember(self, request: Request, subject_id: str) -> bool:
        """Keep a key whose command changed nothing."""
        ...

    async def add_refund(
        self, payment: Payment, refund: Refund, look_at: datetime | None, request: Request | None
    ) -> bool:
        """Keep a new refund, the next version of its payment, and the key that asked for it where there is one."""
        ...

    async def save_dispute(self, payment: Payment, dispute: Dispute, *, new: bool) -> bool:
        """Keep a new or changed dispute and the next version of its payment."""
        ...

    async def open_disputes(self) -> int:
        """Return how many disputes are open."""
        ...

    async def save_refund(self, payment: Payment, refund: Refund, look_at: datetime | None) -> bool:
        """Keep a changed refund and the next version of its payment."""
        ...

    async def due_payments(self, now: datetime, most: int) -> list[Payment]:
        """Return payments that are to be looked at, most overdue first."""
        ...

    async def due_refunds(self, now: datetime, most: int) -> list[tuple[Payment, Refund]]:
        """Return refunds that are to be looked at, most overdue first."""
        ...

    async def take_payment(self, payment_id: str, now: datetime, look_at: datetime) -> bool:
        """Put off a payment that is due; of all replicas that try, one is told True and looks at it."""
        ...

    async def take_refund(self, refund_id: str, now: datetime, look_at: datetime | None) -> bool:
        """Put off a refund that is due, or look at it this once; True for one of all replicas that try."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """Something that the provider says has happened: a hint where to look, never a fact.

    Attributes:
        event_id: The provider's id, "evt_…".
        kind: "payment_intent.succeeded".
        intent_id: The intent that it is about; empty when it is about none.
    """

    event_id: str
    kind: str
    intent_id: str


class EventReader(Protocol):
    """Knows the provider's webhooks."""

    def read(self, payload: bytes, signature: str, now: datetime) -> ProviderEvent:
        """Return the event in a webhook's body.

        Raises:
            Refusal: The signature is not the provider's, or not of this moment; or the body is no event.
        """
        ...


class EventStore(Protocol):
    """Where events are kept until they are applied, and their ids ever after. It fails as PaymentStore does."""

    async def add_event(self, event: ProviderEvent, now: datetime, look_at: datetime | None) -> bool:
        """Keep an event; False when its id was kept before."""
        ...

    async def due_events(self, now: datetime, most: int) -> list[tuple[ProviderEvent, datetime]]:
        """Return events that are to be applied and when they came, most overdue first."""
        ...

    async def take_event(self, event_id: str, now: datetime, look_at: datetime) -> bool:
        """Put off an event that is due; of all replicas that try, one is told True and applies it."""
        ...

    async def applied(self, event_id: str) -> None:
        """Keep that an event was applied."""
        ...
