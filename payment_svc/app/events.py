"""Webhooks: checked, kept by their id, answered, and only then applied, by reading what they are about."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from kernel.clock import Clock
from kernel.errors import Refusal
from payment_svc.app.contradictions import telling_contradictions
from payment_svc.app.disputes import Disputes
from payment_svc.app.ports import EventReader, EventStore, PaymentStore, ProviderEvent
from payment_svc.app.refund import Refunds
from payment_svc.app.runs import Background
from payment_svc.app.schedule import Schedule
from payment_svc.app.settlement import Settlement
from payment_svc.domain.intent import RefundState
from payment_svc.domain.payment import FINAL, Payment, PaymentState

# Events about the payment itself. Others of its kind (created, charge.succeeded) say nothing that these do not.
_PAYMENT_KINDS = frozenset(
    {
        "charge.captured",
        "charge.expired",
        "payment_intent.amount_capturable_updated",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.succeeded",
    }
)

# Events about money going back.
_REFUND_KINDS = frozenset(
    {
        "charge.refund.updated",
        "charge.refunded",
        "refund.created",
        "refund.failed",
        "refund.updated",
    }
)

# Events about money that the customer's bank asks back.
_DISPUTE_KINDS = frozenset(
    {
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
    }
)

# The one event that can be news about a payment that was given up.
_MONEY_MOVED = "payment_intent.succeeded"

# As long as a call that charges or gives back waits for the bank, and a moment for its commit.
_CALL = timedelta(seconds=10)


class EventEnd(StrEnum):
    """What an event came to."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    OTHER = "other"
    """It says nothing that matters here: of another kind, or about what is known."""
    UNKNOWN = "unknown"
    """It is about a payment that is none of ours, or that never came to be."""


class Telling(Protocol):
    """Counts, for operators."""

    def event(self, end: EventEnd) -> None:
        """Count what a webhook event came to."""
        ...

    def open_disputes(self, count: int) -> None:
        """Say how many disputes are open."""
        ...


@dataclass(frozen=True, slots=True)
class Ingested:
    """What was done with a webhook.

    Attributes:
        event_id: The provider's id of the event.
        duplicate: Whether it was here before.
    """

    event_id: str
    duplicate: bool


class ApplyEvent:
    """Brings what an event is about up to date. Applied twice, or out of order, it ends in the same state.

    Args:
        payments: Where payments are kept.
        events: Where events are kept.
        settlement: Reads payments.
        refunds: Reads refunds.
        disputes: Reads disputes.
        telling: Hears what became of each event.
        clock: The present.
        schedule: How long an event waits for its payment to come to be.
    """

    def __init__(
        self,
        payments: PaymentStore,
        events: EventStore,
        settlement: Settlement,
        refunds: Refunds,
        disputes: Disputes,
        telling: Telling,
        clock: Clock,
        schedule: Schedule,
    ) -> None:
        self._payments = payments
        self._events = events
        self._settlement = settlement
        self._refunds = refunds
        self._disputes = disputes
        self._telling = telling
        self._clock = clock
        self._schedule = schedule

    async def subject(self, event: ProviderEvent) -> Payment | EventEnd:
        """Return the payment that may have something to learn from the event, or what the event comes to without."""
        if not event.intent_id or event.kind not in _PAYMENT_KINDS | _REFUND_KINDS | _DISPUTE_KINDS:
            return EventEnd.OTHER
        payment = await self._payments.by_intent(event.intent_id)
        if payment is None:
            return EventEnd.UNKNOWN
        return payment if _may_learn(payment, event.kind) else EventEnd.OTHER

    async def __call__(self, event: ProviderEvent, received_at: datetime) -> None:
        """Read from the provider, keep what is new, and mark the event as applied.

        Raises:
            Refusal: The provider or the database is away, or the provider says what cannot be; try again later.
        """
        subject = await self.subject(event)
        if isinstance(subject, Payment):
            with telling_contradictions(subject.order_id):
                await self._read(subject, event)
        elif subject is EventEnd.UNKNOWN and self._may_come(received_at):
            return
        self._telling.event(EventEnd.APPLIED if isinstance(subject, Payment) else subject)
        await self._events.applied(event.event_id)

    async def _read(self, payment: Payment, event: ProviderEvent) -> None:
        # Events come in any order: this one may be ahead of the one that says that the money was taken.
        if event.kind in _PAYMENT_KINDS or payment.state not in FINAL:
            payment = await self._settlement.read(payment)
        if payment.state is not PaymentState.SUCCEEDED:
            return
        if event.kind in _REFUND_KINDS:
            await self._refunds.refresh(payment)
        elif event.kind in _DISPUTE_KINDS:
            await self._disputes.refresh(payment)

    def _may_come(self, received_at: datetime) -> bool:
        """Say whether the payment that an event is about may still come to be.

        A payment is kept before any money can move on it, so that this is for commits that the event overtook. Events
        about what others do on the same account wait in vain.
        """
        return self._clock.now() - received_at < self._schedule.longest


class IngestEvent:
    """Takes webhooks in.

    Args:
        reader: Knows the genuine ones.
        events: Where they are kept.
        apply: Applies them.
        background: Goes on when the webhook was answered.
        telling: Hears of those that come to nothing.
        clock: The present.
        schedule: When the worker comes back to what is not applied.
    """

    def __init__(
        self,
        reader: EventReader,
        events: EventStore,
        apply: ApplyEvent,
        background: Background,
        telling: Telling,
        clock: Clock,
        schedule: Schedule,
    ) -> None:
        self._reader = reader
        self._events = events
        self._apply = apply
        self._background = background
        self._telling = telling
        self._clock = clock
        self._schedule = schedule

    async def __call__(self, payload: bytes, signature: str) -> Ingested:
        """Keep an event, and begin to apply it.

        Raises:
            Refusal: It is not the provider's, not of this moment, or no event; or it cannot be kept now. Nothing was
                kept, and the provider will send it again.
        """
        now = self._clock.now()
        event = self._reader.read(payload, signature, now)
        subject = await self._apply.subject(event)
        asked = isinstance(subject, Payment) and _is_asked(subject, event.kind, now)
        look_at = now + _CALL if asked else self._schedule.after(now, now)
        if not await self._events.add_event(event, now, None if subject is EventEnd.OTHER else look_at):
            self._telling.event(EventEnd.DUPLICATE)
            return Ingested(event.event_id, duplicate=True)
        if isinstance(subject, Payment) and not asked:
            self._background.start(self._applied(event, now), "apply_event", subject.trace)
        elif subject is EventEnd.OTHER:
            self._telling.event(subject)
        return Ingested(event.event_id, duplicate=False)

    async def _applied(self, event: ProviderEvent, received_at: datetime) -> None:
        with suppress(Refusal):  # the worker comes back to it
            await self._apply(event, received_at)


def _is_asked(payment: Payment, kind: str, now: datetime) -> bool:
    """Say whether a call is about to hear what an event says, as a rule: the worker comes back to see that it did."""
    if kind in _DISPUTE_KINDS:
        return False
    if kind in _REFUND_KINDS:
        return any(each.state is RefundState.PENDING and now - each.updated_at < _CALL for each in payment.refunds)
    return payment.state is PaymentState.PENDING and now - payment.updated_at < _CALL


def _may_learn(payment: Payment, kind: str) -> bool:
    """Say whether an event of this kind may tell something that is not known of the payment."""
    if kind not in _PAYMENT_KINDS:
        return payment.state is not PaymentState.CANCELLED  # what is given back of a hold was never taken
    match payment.state:
        case PaymentState.SUCCEEDED:
            return False
        case PaymentState.CANCELLED:
            return kind == _MONEY_MOVED
        case _:
            return True
