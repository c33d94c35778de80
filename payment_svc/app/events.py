"""Webhooks: checked, kept by their id, answered, and only then applied, by reading what they are about."""

from contextlib import suppress
from dataclasses import dataclass

from kernel.clock import Clock
from kernel.errors import Refusal
from payment_svc.app.moment import now_of
from payment_svc.app.ports import EventReader, EventStore, PaymentStore, ProviderEvent
from payment_svc.app.refund import Refunds
from payment_svc.app.runs import Background
from payment_svc.app.schedule import Schedule
from payment_svc.app.settlement import Settlement
from payment_svc.domain.payment import FINAL, Payment

# Events about the payment itself. Others of its kind (created, charge.succeeded) say nothing that these do not.
_PAYMENT_KINDS = frozenset(
    {
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
    """Brings what an event is about up to date. Applied twice, or out of order, it ends in the same state."""

    def __init__(self, payments: PaymentStore, events: EventStore, settlement: Settlement, refunds: Refunds) -> None:
        self._payments = payments
        self._events = events
        self._settlement = settlement
        self._refunds = refunds

    async def subject(self, event: ProviderEvent) -> Payment | None:
        """Return the payment that may have something to learn from the event."""
        if not event.intent_id or event.kind not in _PAYMENT_KINDS | _REFUND_KINDS:
            return None
        payment = await self._payments.by_intent(event.intent_id)
        if payment is None:
            return None
        if event.kind in _PAYMENT_KINDS:
            return None if payment.state in FINAL else payment
        return payment if payment.refunds else None

    async def __call__(self, event: ProviderEvent) -> None:
        """Read from the provider, keep what is new, and mark the event as applied.

        Raises:
            Refusal: The provider or the database is away; try again later.
            Contradiction: The provider says what cannot be.
        """
        payment = await self.subject(event)
        if payment is not None and event.kind in _PAYMENT_KINDS:
            await self._settlement.read(payment)
        elif payment is not None:
            await self._refunds.refresh(payment)
        await self._events.put_off_event(event.event_id, None)


class IngestEvent:
    """Takes webhooks in."""

    def __init__(
        self,
        reader: EventReader,
        events: EventStore,
        apply: ApplyEvent,
        background: Background,
        clock: Clock,
        schedule: Schedule,
    ) -> None:
        self._reader = reader
        self._events = events
        self._apply = apply
        self._background = background
        self._clock = clock
        self._schedule = schedule

    async def __call__(self, payload: bytes, signature: str) -> Ingested:
        """Keep an event, and begin to apply it.

        Raises:
            Refusal: It is not the provider's, not of this moment, or no event; or it cannot be kept now. Nothing was
                kept, and the provider will send it again.
        """
        now = now_of(self._clock)
        event = self._reader.read(payload, signature, now)
        payment = await self._apply.subject(event)
        look_at = None if payment is None else self._schedule.after(now, now)
        if not await self._events.add_event(event, now, look_at):
            return Ingested(event.event_id, duplicate=True)
        if payment is not None:
            self._background.start(self._applied(event), "apply_event", payment.trace)
        return Ingested(event.event_id, duplicate=False)

    async def _applied(self, event: ProviderEvent) -> None:
        with suppress(Refusal):  # the worker comes back to it
            await self._apply(event)
