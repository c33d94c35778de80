"""The order service's use cases, put together anew for each life of the process, in a world that outlives it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar, cast

from chassis.telemetry.metrics import Metrics
from kernel.bell import Bell
from kernel.clock import Clock
from kernel.ids import Uuid7Ids
from kernel.request import Request
from order_svc.adapters.measured import MeasuredByMetrics
from order_svc.app.cases import cases
from order_svc.app.changes import Changes
from order_svc.app.driver import Driver
from order_svc.app.mail_news import MailNewsWatcher
from order_svc.app.news import NewsWatcher
from order_svc.app.outbox import Outbox
from order_svc.app.ports import Orders
from order_svc.app.sweeper import FirstTry, Sweeper
from order_svc.domain.draft import Draft, Terms
from order_svc.domain.order import Order
from order_svc.domain.velocity import UNLIMITED
from tests.fakes.order_faults import Faults
from tests.fakes.order_payments import FakePayments
from tests.fakes.order_ports import FakeMails, FakeTaxes
from tests.fakes.order_samples import VISA, a_draft, a_request
from tests.fakes.order_telling import FakeTelling
from tests.fakes.orders_in_memory import Database, FakeOrders
from tests.fakes.virtual_time import LoopClock, in_virtual_time

T = TypeVar("T")

LEASE_SECONDS = 30.0
ACTION_SECONDS = 1800.0


class Crash(BaseException):
    """The process is dead from here on. No product code catches it."""


class Doom:
    """Counts the points at which a process can die, and kills it at one of them.

    Attributes:
        passed: The names of the points that were passed.
    """

    def __init__(self, at: int = 0) -> None:
        self.passed: list[str] = []
        self._at = at

    def point(self, name: str) -> None:
        self.passed.append(name)
        if self._at and len(self.passed) >= self._at:
            raise Crash(name)

    def over(self, port: T) -> T:
        """Return the port with a point before and after each of its calls."""
        return cast("T", _Doomed(port, self))


class _Doomed:
    def __init__(self, port: object, doom: Doom) -> None:
        self._port = port
        self._doom = doom

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        return partial(self._call, name)

    async def _call(self, name: str, *arguments: object, **named: object) -> object:
        self._doom.point(f"before {name}")
        result = await getattr(self._port, name)(*arguments, **named)
        self._doom.point(f"after {name}")
        return result


class FakeWork:
    """The port `Work`: keeps tasks, and the defects they ended in."""

    def __init__(self) -> None:
        self.defects: list[BaseException] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def idle(self) -> None:
        """Wait until all of it is done."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.defects.append(error)


class World:
    """What outlives a process: time, the other services, the database.

    Args:
        clock: The time.
        open_orders: Makes the store of one life; in memory by default.
    """

    def __init__(self, clock: Clock, open_orders: Callable[[str], Orders] | None = None) -> None:
        self.clock = clock
        self.ids = Uuid7Ids(clock)
        self.taxes = FakeTaxes()
        self.payments = FakePayments(clock)
        self.mails = FakeMails()
        self.database = Database()
        self.lives: list[Life] = []
        self.velocity = UNLIMITED
        self.luck: Callable[[], float] = lambda: 1.0
        self.open_orders = open_orders or (lambda life: FakeOrders(self.database, clock, "here", life))

    def faults_of(self, call: str) -> Faults:
        """Return the plan of faults of the service that answers the call."""
        match call:
            case "quote" | "commit" | "refund_tax":
                return self.taxes.faults
            case "send" | "mail_news" | "acknowledge_mail":
                return self.mails.faults
            case _:
                return self.payments.faults

    def life(self, doom: Doom | None = None, orders: Orders | None = None) -> "Life":
        """Start a process."""
        life = Life(self, doom or Doom(), orders or self.open_orders(self.ids.new()))
        self.lives.append(life)
        return life


class Life:
    """One process."""

    def __init__(self, world: World, doom: Doom, orders: Orders) -> None:
        self.orders = doom.over(orders)
        self.work = FakeWork()
        self.changes = Changes()
        self.telling = FakeTelling()
        taxes, payments, mails = doom.over(world.taxes), doom.over(world.payments), doom.over(world.mails)
        self.bell = Bell(world.clock)
        outbox = Outbox(self.orders, taxes, mails, world.clock, self.telling, world.luck)
        driver = Driver(
            self.orders,
            taxes,
            payments,
            world.clock,
            self.changes,
            self.telling,
            FirstTry(outbox, self.work),
            world.luck,
            lease_seconds=LEASE_SECONDS,
            action_seconds=ACTION_SECONDS,
        )
        self.cases = cases(
            self.orders,
            taxes,
            driver,
            self.work,
            self.changes,
            self.telling,
            world.clock,
            world.ids,
            self.bell.ring,
            MeasuredByMetrics(Metrics("order"), world.clock),
            lease_seconds=LEASE_SECONDS,
            velocity=world.velocity,
        )
        self.sweeper = Sweeper(
            self.orders, driver, outbox, self.work, self.bell, world.clock, self.telling, lease_seconds=LEASE_SECONDS
        )
        self.news = NewsWatcher(
            self.orders, payments, self.changes, self.telling, world.clock, world.luck, self.bell.ring
        )
        self.mail_news = MailNewsWatcher(self.orders, mails, self.changes, self.telling, world.clock, world.luck)
        self.read = self.cases.read

    async def place(
        self,
        payment_method: str = VISA,
        request: Request | None = None,
        draft: Draft | None = None,
        seconds: float = 10.0,
        **terms: Any,  # noqa: ANN401  (fields of Terms)
    ) -> Order:
        """Place an order, by default the usual one under the usual key."""
        agreed = Terms(reference="shop-1", **terms)
        return await self.cases.place(
            draft or a_draft(), payment_method, agreed, "", request or a_request(), seconds=seconds
        )

    async def retry(self, order_id: str, request_id: str = "again") -> Order:
        """Take an order up again."""
        return await self.cases.retry(order_id, a_request(request_id, order_id))

    async def sweep(self) -> None:
        """Do one sweep and everything that it takes up."""
        await self.sweeper.sweep()
        await self.work.idle()


def in_a_world(story: Callable[[World], Awaitable[None]]) -> Callable[[], None]:
    """Return a test that plays the story in a new world, in virtual time, and in which no work ends in a defect."""

    async def play() -> None:
        world = World(LoopClock())
        await story(world)
        for life in world.lives:
            await life.work.idle()
            assert life.work.defects == []

    def test() -> None:
        in_virtual_time(play())

    return test
