"""The use cases of the service, put together from its ports."""

from collections.abc import Callable
from dataclasses import dataclass

from kernel.clock import Clock
from kernel.ids import Ids
from payment_svc.app.attempt import Attempts
from payment_svc.app.charge import ChargePayment, ChargePorts
from payment_svc.app.events import ApplyEvent, IngestEvent
from payment_svc.app.manage import CancelPayment, ConfirmPayment, ReadPayments
from payment_svc.app.ports import AmountRules, EventReader, EventStore, PaymentGateway, PaymentStore
from payment_svc.app.refund import Refunded, RefundPayment, Refunds
from payment_svc.app.resume import Resume, ResumePorts
from payment_svc.app.runs import Background, Runs, Starter
from payment_svc.app.schedule import Schedule
from payment_svc.app.settlement import Settlement


@dataclass(frozen=True, slots=True)
class Ports:
    """What the service needs from the outside.

    Attributes:
        gateway: Moves money.
        amounts: What it takes.
        reader: Knows its webhooks.
        payments: Keeps payments and refunds.
        events: Keeps events.
        tasks: Starts work in its caller's trace, that goes on when the caller leaves.
        background: Starts work that nobody waits for.
        clock: Time.
        ids: New ids.
        remaining: Returns the seconds that the caller still waits, and never more than its argument.
    """

    gateway: PaymentGateway
    amounts: AmountRules
    reader: EventReader
    payments: PaymentStore
    events: EventStore
    tasks: Starter
    background: Background
    clock: Clock
    ids: Ids
    remaining: Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Cases:
    """What the service does."""

    charge: ChargePayment
    confirm: ConfirmPayment
    cancel: CancelPayment
    refund: RefundPayment
    read: ReadPayments
    ingest: IngestEvent
    resume: Resume


def cases(ports: Ports, schedule: Schedule, resume_seconds: float) -> Cases:
    """Return the use cases.

    Args:
        ports: The outside.
        schedule: When to look again at what is open.
        resume_seconds: How often the worker looks what is due.
    """
    gateway, payments, clock = ports.gateway, ports.payments, ports.clock
    settlement = Settlement(gateway, payments, clock, schedule)
    attempts = Attempts(gateway, settlement, clock)
    refunds = Refunds(gateway, payments, clock, schedule)
    apply = ApplyEvent(payments, ports.events, settlement, refunds)
    charging = ChargePorts(gateway, ports.amounts, payments, attempts, schedule, clock, ports.ids)
    resuming = ResumePorts(payments, ports.events, settlement, refunds, apply, ports.background, clock, schedule)
    refund_runs: Runs[Refunded] = Runs(ports.tasks, "refund", ports.remaining)
    return Cases(
        charge=ChargePayment(charging, Runs(ports.tasks, "charge", ports.remaining)),
        confirm=ConfirmPayment(payments, settlement),
        cancel=CancelPayment(gateway, payments, settlement, clock, ports.ids),
        refund=RefundPayment(payments, refunds, ports.amounts, refund_runs, clock, ports.ids, schedule),
        read=ReadPayments(payments),
        ingest=IngestEvent(ports.reader, ports.events, apply, ports.background, clock, schedule),
        resume=Resume(resuming, resume_seconds),
    )
