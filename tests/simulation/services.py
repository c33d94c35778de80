"""The four services, put together as their __main__ modules do, on the ports of the simulated world."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar, cast

from chassis import deadline
from chassis.provider_watch import ProviderWatch
from chassis.retry_budget import RetryBudget
from chassis.service import Tasks
from chassis.storage.store import Store
from chassis.telemetry.metrics import Metrics
from kernel.bell import Bell
from kernel.errors import Reason, Refusal
from notify_svc.adapters.notifications_store import NotificationsStore
from notify_svc.adapters.sendgrid_events import SendgridEvents, public_key
from notify_svc.adapters.tables import METADATA as NOTIFY_TABLES
from notify_svc.app.accept import SendNotification
from notify_svc.app.dispatch import Dispatch, Slots
from notify_svc.app.events import IngestEvents
from notify_svc.app.news import NotificationNews
from notify_svc.app.read import ReadNotifications
from notify_svc.app.worker import Worker
from notify_svc.servicer import NotifyServicer
from order_svc.adapters.measured import MeasuredByMetrics
from order_svc.adapters.notify_grpc import GrpcMails
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.payment_grpc import GrpcPayments
from order_svc.adapters.tables import METADATA as ORDER_TABLES
from order_svc.adapters.tax_grpc import GrpcTaxes
from order_svc.adapters.webhook_announcer import Announce, Announcer
from order_svc.adapters.webhook_deliveries_store import DeliveriesStore
from order_svc.app.cases import cases as order_cases
from order_svc.app.changes import Changes
from order_svc.app.driver import Driver
from order_svc.app.mail_news import MailNewsWatcher
from order_svc.app.news import NewsWatcher
from order_svc.app.outbox import Outbox
from order_svc.app.ports import Backlog
from order_svc.app.sweeper import FirstTry, Sweeper
from order_svc.app.webhook_ports import Audience
from order_svc.app.webhook_sender import Sender
from order_svc.domain.order import Order
from order_svc.servicer import OrderServicer
from payment_svc.adapters.payments_store import StoredPayments
from payment_svc.adapters.stripe_amounts import StripeAmounts
from payment_svc.adapters.stripe_events import StripeEvents
from payment_svc.adapters.stripe_gateway import MOST_CONNECTIONS
from payment_svc.adapters.tables import METADATA as PAYMENT_TABLES
from payment_svc.app.cases import Ports, cases
from payment_svc.app.schedule import Schedule
from payment_svc.servicer import PaymentServicer
from tax_svc.adapters.documents import StoredDocuments
from tax_svc.adapters.tables import METADATA as TAX_TABLES
from tax_svc.app.cases import cases as tax_cases
from tax_svc.domain.fallback import FallbackRates
from tax_svc.servicer import TaxServicer
from tests.fakes import notify_telling, order_telling
from tests.fakes.payment_books import FakeBooks
from tests.fakes.payment_service import FakeTelling
from tests.fakes.tax_authority import FakeTaxAuthority
from tests.fakes.virtual_time import BEGIN
from tests.fakes.webhook_poster import FakeHookTelling
from tests.simulation.idling import (
    HOOKS_DUE,
    MAILS_DUE,
    NEWS_DUE,
    ORDERS_DUE,
    PAYMENTS_DUE,
    Agenda,
    MailNews,
    WorkerClock,
)
from tests.simulation.listener import Listener, ListenerLine
from tests.simulation.mail_events import KEY as MAIL_KEY
from tests.simulation.process import Process
from tests.simulation.providers import AvaTaxLine, Line, SendGrid, SendGridLine
from tests.simulation.shelf import open_store, shelf
from tests.simulation.stripe_world import Stripe, StripeLine
from tests.simulation.webhooks import SECRET
from tests.simulation.wire import Pick, Stub
from tests.simulation.world import SeededIds, SimClock, World

T = TypeVar("T")

LEASE_SECONDS = 30.0
_PATIENCE_SECONDS = 10.0
_SETTLE_AFTER = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=1)
_RESUME_SECONDS = 5.0
# No tax is remembered: each order's quote stays a place where everything may go wrong.
_QUOTES_SECONDS = 0.0
_MAILS_AT_A_TIME = 64


_ORDER = "SELECT * FROM orders WHERE order_id = ?"


@dataclass
class Surroundings:
    """What every process meets: the world, the way to the other services, and the providers."""

    world: World
    pick: Pick
    stripe: Stripe
    authority: FakeTaxAuthority
    sendgrid: SendGrid
    listener: Listener


class _Background:
    """The payment service's port of that name, without spans."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def start(self, work: Coroutine[object, object, T], name: str, cause: str = "") -> asyncio.Task[T]:
        return self._tasks.start(work, name)


class _Orders(OrdersStore):
    """The product's, without what costs most: a caller who waits for another replica reads its order often."""

    def __init__(self, store: Store, clock: SimClock, replica: str, life: str, announce: Announce) -> None:
        super().__init__(store, clock, replica, life, announce)
        self._kept: dict[str, tuple[object, Order | None]] = {}

    async def get(self, order_id: str, customer_id: str = "") -> Order | None:
        """Return the order; what was made of its row before, when that is still the same."""
        row = shelf(ORDER_TABLES).row(_ORDER, order_id)
        kept, found = self._kept.get(order_id, (None, None))
        if kept is not None and kept == row:
            return await self._read(lambda _: found)
        found = await super().get(order_id, customer_id)
        self._kept[order_id] = (row, found)
        return found

    async def backlog(self) -> Backlog:
        """Return that nothing waits: nobody here looks at the gauges."""
        return Backlog(0, 0.0, 0, 0.0)


class _HookTelling(FakeHookTelling):
    """Keeps nothing."""

    def became(self, *_: object) -> None:
        """Forget it."""

    def backlog(self, *_: object) -> None:
        """Forget it."""


async def start_order(process: Process, around: Surroundings) -> None:
    """Start a replica of order_svc; done when it takes calls."""
    world = around.world
    clock, ids, work, changes = SimClock(world, process), SeededIds(world), Tasks(), Changes()
    telling = order_telling.FakeTelling()
    store = open_store(ORDER_TABLES, process, world)
    taxes = GrpcTaxes(cast("Any", Stub(world, "tax", around.pick)))
    payments = GrpcPayments(cast("Any", Stub(world, "payment", around.pick)))
    mails = GrpcMails(cast("Any", Stub(world, "notify", around.pick)))
    replica, _, life = process.name.partition("#")
    audience = Audience()
    orders = _Orders(store, clock, replica, life, Announcer(audience))
    outbox = Outbox(orders, taxes, mails, clock, telling, world.luck.random)
    driver = Driver(
        orders,
        taxes,
        payments,
        clock,
        changes,
        telling,
        FirstTry(outbox, work),
        world.luck.random,
        lease_seconds=LEASE_SECONDS,
        action_seconds=world.action_seconds,
    )
    looking = WorkerClock(world, process, Agenda(shelf(ORDER_TABLES), ORDERS_DUE))
    bell = Bell(looking)
    sweeper = Sweeper(orders, driver, outbox, work, bell, looking, telling, lease_seconds=LEASE_SECONDS)
    listening = WorkerClock(world, process, Agenda(shelf(PAYMENT_TABLES), NEWS_DUE))
    news = NewsWatcher(orders, payments, changes, telling, listening, world.luck.random, bell.ring)
    hearing = WorkerClock(world, process, MailNews(shelf(NOTIFY_TABLES), shelf(ORDER_TABLES)))
    mail_news = MailNewsWatcher(orders, mails, changes, telling, hearing, world.luck.random)
    asked = order_cases(
        orders,
        taxes,
        driver,
        work,
        changes,
        telling,
        clock,
        ids,
        bell.ring,
        MeasuredByMetrics(Metrics("order"), clock),
        lease_seconds=LEASE_SECONDS,
    )
    process.servicer = OrderServicer(asked, patience_seconds=_PATIENCE_SECONDS)
    hooks = DeliveriesStore(store, clock, ids, replica, life)
    posting = WorkerClock(world, process, Agenda(shelf(ORDER_TABLES), HOOKS_DUE))
    poster = ListenerLine(Line(world, process, "listener"), around.listener)
    sender = Sender(hooks, poster, audience, work, Bell(posting), posting, world.luck.random, _HookTelling())
    if world.listens:
        await sender.look()
        await hooks.release_own()
    await orders.release_own()
    work.start(sweeper.run(), "sweeper")
    work.start(news.run(), "news watcher")
    work.start(mail_news.run(), "mail news watcher")
    if world.listens:
        work.start(sender.run(), "webhook sender")


async def start_payment(process: Process, around: Surroundings) -> None:
    """Start payment_svc."""
    world = around.world
    tasks, looking = Tasks(), Agenda(shelf(PAYMENT_TABLES), PAYMENTS_DUE)
    clock = WorkerClock(world, process, looking, lambda: asyncio.current_task() is resume)
    payments = StoredPayments(open_store(PAYMENT_TABLES, process, world), clock)
    gateway = StripeLine(Line(world, process, "stripe"), around.stripe)
    ports = Ports(
        gateway=cast("Any", gateway),
        books=FakeBooks(around.stripe, BEGIN),
        amounts=StripeAmounts(),
        reader=StripeEvents([SECRET], live=False),
        payments=payments,
        news=payments,
        events=payments,
        tasks=tasks,
        background=_Background(tasks),
        telling=FakeTelling(),
        retries=RetryBudget(MOST_CONNECTIONS),
        clock=clock,
        ids=SeededIds(world),
        remaining=deadline.remaining,
    )
    does = cases(ports, Schedule(_SETTLE_AFTER, _LONGEST_WAIT), _RESUME_SECONDS)
    resume = tasks.start(does.resume.run(), "resume")
    process.servicer = PaymentServicer(does, ProviderWatch("stripe", Metrics("payment"), clock))


async def start_tax(process: Process, around: Surroundings) -> None:
    """Start tax_svc."""
    world = around.world
    authority = AvaTaxLine(Line(world, process, "avatax"), around.authority, world)
    clock = SimClock(world, process)
    documents = StoredDocuments(open_store(TAX_TABLES, process, world), clock)
    does = tax_cases(authority, documents, clock, FallbackRates(Decimal("0.08")), _QUOTES_SECONDS)
    process.servicer = TaxServicer(does, ProviderWatch("avatax", Metrics("tax"), clock))


async def start_notify(process: Process, around: Surroundings) -> None:
    """Start notify_svc."""
    world = around.world
    clock, work, slots, telling = (
        SimClock(world, process),
        Tasks(),
        Slots(_MAILS_AT_A_TIME),
        notify_telling.FakeTelling(),
    )
    mailer = SendGridLine(Line(world, process, "sendgrid"), around.sendgrid, world, process)
    notifications = NotificationsStore(open_store(NOTIFY_TABLES, process, world), clock)
    bell = Bell(WorkerClock(world, process, Agenda(shelf(NOTIFY_TABLES), MAILS_DUE)))
    dispatch = Dispatch(mailer, notifications, slots, bell, clock, world.luck.random, telling)
    worker = Worker(mailer, notifications, slots, dispatch, work, bell, clock, telling)
    send = SendNotification(notifications, dispatch, bell, work, clock, SeededIds(world), lambda tag: tag or "en-US")
    work.start(worker.run(), "worker")
    process.servicer = NotifyServicer(
        send,
        ReadNotifications(notifications),
        IngestEvents(SendgridEvents(public_key(MAIL_KEY.public), clock), notifications),
        cast("Any", _no_feed),
        cast("Any", None),
        NotificationNews(notifications),
        cast("Any", None),
        ProviderWatch("sendgrid", Metrics("notify"), clock),
    )


async def _no_feed(*_: object) -> None:
    """Answer as for an account without an activity feed: what SendGrid took is counted by the world itself."""
    raise Refusal(Reason.PROVIDER_REFUSED, "The account has no activity feed.")


START: dict[str, Callable[[Process, Surroundings], Coroutine[Any, Any, None]]] = {
    "order": start_order,
    "payment": start_payment,
    "tax": start_tax,
    "notify": start_notify,
}
