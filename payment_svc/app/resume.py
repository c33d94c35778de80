"""The worker that comes back to what a crash, a provider that was away or a lost webhook has left open."""

import logging
from collections.abc import Coroutine
from dataclasses import dataclass

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from payment_svc.app.contradictions import telling_contradictions
from payment_svc.app.events import ApplyEvent, Telling
from payment_svc.app.ports import EventStore, PaymentStore
from payment_svc.app.refund import Refunds
from payment_svc.app.runs import Background
from payment_svc.app.schedule import Schedule
from payment_svc.app.settlement import Settlement
from payment_svc.domain.payment import Payment
from payment_svc.domain.refund import Refund

_logger = logging.getLogger(__name__)

# How much of one kind a round takes up; the rest waits for the next, so that one kind cannot keep the others waiting.
_MOST = 50


@dataclass(frozen=True, slots=True)
class ResumePorts:
    """What the worker needs."""

    payments: PaymentStore
    events: EventStore
    settlement: Settlement
    refunds: Refunds
    apply: ApplyEvent
    background: Background
    telling: Telling
    clock: Clock
    schedule: Schedule


class Resume:
    """Resumes what is due.

    Payments are only read here: whether an order is still to be paid is for the order to say. Refunds and events are
    carried to their end. What changes by that is news.

    Args:
        ports: What it needs.
        period: Seconds between two rounds.
    """

    def __init__(self, ports: ResumePorts, period: float) -> None:
        self._ports = ports
        self._period = period

    async def run(self) -> None:
        """Resume for as long as the service runs, from its start."""
        while True:
            try:
                await self.once()
            except Refusal as refusal:
                _logger.warning("resume.delayed", extra={"cause": refusal.message})
            await self._ports.clock.sleep(self._period)

    async def once(self) -> None:
        """Take up what is due now.

        Raises:
            Refusal: The database is away.
        """
        ports, now = self._ports, self._ports.clock.now()
        # Each is put off before it is taken up, so that one that ends the process is not the first thing of the next,
        # and so that of several replicas that see it one takes it up. When that one dies it is due again.
        for event, received_at in await ports.events.due_events(now, _MOST):
            if await ports.events.take_event(event.event_id, now, ports.schedule.after(received_at, now)):
                await self._take_up(ports.apply(event, received_at), "event", event.event_id)
        for payment, refund in await ports.payments.due_refunds(now, _MOST):
            if await ports.payments.take_refund(refund.refund_id, now, ports.refunds.next_look(refund, now)):
                await self._take_up(self._carry_out(payment, refund), "refund", refund.refund_id, refund.trace)
        for payment in await ports.payments.due_payments(now, _MOST):
            look_at = ports.schedule.after(payment.updated_at, now)
            if await ports.payments.take_payment(payment.payment_id, now, look_at):
                await self._take_up(self._read(payment), "payment", payment.payment_id, payment.trace)
        ports.telling.open_disputes(await ports.payments.open_disputes())

    async def _carry_out(self, payment: Payment, refund: Refund) -> None:
        with telling_contradictions(payment.order_id):
            await self._ports.refunds.carry_out(payment, refund, fresh=False)

    async def _read(self, payment: Payment) -> None:
        with telling_contradictions(payment.order_id):
            await self._ports.settlement.read(payment)

    async def _take_up(self, work: Coroutine[object, object, object], kind: str, subject: str, cause: str = "") -> None:
        """Do one piece of work to its end; one that fails does not keep the others waiting."""
        await self._ports.background.start(self._guarded(work, kind, subject), f"resume_{kind}", cause)

    async def _guarded(self, work: Coroutine[object, object, object], kind: str, subject: str) -> None:
        try:
            await work
        except Refusal as refusal:
            if refusal.reason is not Reason.PROVIDER_CONTRADICTS:  # which has been told, and is no delay
                _logger.warning("resume.delayed", extra={"kind": kind, "subject": subject, "cause": refusal.message})
        except Exception:
            _logger.exception("resume.defect", extra={"kind": kind, "subject": subject})
