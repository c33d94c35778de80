"""The use cases of the service, put together from its ports."""

from collections.abc import Callable
from dataclasses import dataclass

from kernel.clock import Clock
from kernel.ids import Ids
from payment_svc.app.attempt import Attempts
from payment_svc.app.books import ProviderBooks, ReadBooks
from payment_svc.app.capture import CapturePayment, CapturePorts
from payment_svc.app.charge import ChargePayment, ChargePorts
from payment_svc.app.disputes import Disputes
from payment_svc.app.events import ApplyEvent, IngestEvent, Telling
from payment_svc.app.give_back import RefundPayment
from payment_svc.app.manage import CancelPayment, ConfirmPayment, ReadPayments
from payment_svc.app.news import NewsStore, PaymentNews
from payment_svc.app.patience import Retries
from payment_svc.app.ports import AmountRules, EventReader, EventStore, PaymentGateway, PaymentStore
from payment_svc.app.refund import Refunded, Refunds
from payment_svc.app.release import ReleaseOrphan
from payment_svc.app.resume import Resume, ResumePorts
from payment_svc.app.runs import Background, Runs, Starter
from payment_svc.app.schedule import Schedule
from payment_svc.app.settlement import Settlement


@dataclass(frozen=True, slots=True)
class Ports:
    """What the service needs from the outside.

    Attributes:
        gateway: Moves money.
        books: Shows what the provider has.
        amounts: What it takes.
        reader: Knows its webhooks.
        payments: Keeps payments and refunds.
        news: Keeps which of them are news.
        events: Keeps events.
        tasks: Starts work in its caller's trace, that goes on when the caller leaves.
        background: Starts work that nobody waits for.
        telling: Counts, for operators.
        retries: How much may be repeated.
        clock: Time.
        ids: New ids.
        remaining: Returns the seconds that the caller still waits, and never more than its argument.
    """

    gateway: PaymentGateway
    books: ProviderBooks
    amounts: AmountRules
    reader: EventReader
    payments: PaymentStore
    news: NewsStore
    events: EventStore
    tasks: Starter
    background: Background
    telling: Telling
    retries: Retries
    clock: Clock
    ids: Ids
    remaining: Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Cases:
    """What the service does."""

    charge: ChargePayment
    confirm: ConfirmPayment
    capture: CapturePayment
    cancel: CancelPayment
    refund: RefundPayment
    read: ReadPayments
    news: PaymentNews
    books: ReadBooks
    release: ReleaseOrphan
    ingest: IngestEvent
    resume: Resume


def cases(ports: Ports, schedule: Schedule, resume_seconds: float) -> Cases:
    """Return the use cases.

    Args:
        ports: The outside.
        schedule: When to look again at what is open.
        resume_seconds: How often the worker looks what is due.
    """
    gateway, payments, clock, ids = ports.gateway, ports.payments, ports.clock, ports.ids
    settlement = Settlement(gateway, payments, clock, schedule)
    refunds = Refunds(gateway, payments, clock, schedule)
    attempts = Attempts(gateway, settlement, clock, ports.retries)
    disputes = Disputes(gateway, payments, clock)
    charging = ChargePorts(gateway, ports.amounts, payments, attempts, ports.retries, schedule, clock, ids)
    refund_runs: Runs[Refunded] = Runs(ports.tasks, "refund", ports.remaining)
    ingest, resume = _unasked(ports, schedule, resume_seconds)
    return Cases(
        charge=ChargePayment(charging, Runs(ports.tasks, "charge", ports.remaining)),
        confirm=ConfirmPayment(payments, settlement, refunds, disputes),
        capture=CapturePayment(CapturePorts(gateway, ports.amounts, payments, settlement, clock, ids)),
        cancel=CancelPayment(gateway, payments, settlement, clock, ids),
        refund=RefundPayment(payments, refunds, ports.amounts, refund_runs, clock, ids, schedule),
        read=ReadPayments(payments),
        news=PaymentNews(ports.news),
        books=ReadBooks(ports.books),
        release=ReleaseOrphan(ports.books, gateway, payments, clock, ids),
        ingest=ingest,
        resume=resume,
    )


def _unasked(ports: Ports, schedule: Schedule, resume_seconds: float) -> tuple[IngestEvent, Resume]:
    """Return what reads from the provider without an order's asking: what it finds is news."""
    gateway, payments, clock = ports.gateway, ports.payments, ports.clock
    settlement = Settlement(gateway, payments, clock, schedule, unasked=True)
    refunds = Refunds(gateway, payments, clock, schedule, unasked=True)
    disputes = Disputes(gateway, payments, clock)
    apply = ApplyEvent(payments, ports.events, settlement, refunds, disputes, ports.telling, clock, schedule)
    resuming = ResumePorts(
        payments, ports.events, settlement, refunds, apply, ports.background, ports.telling, clock, schedule
    )
    ingest = IngestEvent(ports.reader, ports.events, apply, ports.background, ports.telling, clock, schedule)
    return ingest, Resume(resuming, resume_seconds)
