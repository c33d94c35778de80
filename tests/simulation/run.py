"""Running one world from its seed to its end."""

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import process_time
from typing import Any, cast
from warnings import catch_warnings, filterwarnings

from notify_svc.adapters.tables import METADATA as NOTIFY_TABLES
from order_svc.adapters.tables import METADATA as ORDER_TABLES
from payment_svc.adapters.tables import METADATA as PAYMENT_TABLES
from tax_svc.adapters.tables import METADATA as TAX_TABLES
from tests.fakes.virtual_time import VirtualLoop
from tests.simulation.audited import differences
from tests.simulation.chaos import Fired
from tests.simulation.idling import RETRIED_DUE
from tests.simulation.listener import Listener, check_told
from tests.simulation.mail_events import MailEvents
from tests.simulation.process import Crash, Process, make_task
from tests.simulation.promises import Promises, check_end, in_review, marked, parked, quiet
from tests.simulation.providers import SendGrid, avatax
from tests.simulation.services import START, Surroundings
from tests.simulation.shelf import shelf
from tests.simulation.shops import Shops
from tests.simulation.stripe_world import Rules, Stripe
from tests.simulation.webhooks import Webhooks
from tests.simulation.wire import Stub
from tests.simulation.world import World

# How long a replica is down after it died.
_DOWN_SECONDS = (0.1, 5.0, 90.0)

# By then, after the last fault, everything must have settled: the longest wait there is, an hour of the payment
# worker, and the half hour that a customer may take. Where a refund came back, from its next try on.
_SETTLE_SECONDS = 3 * 3_600.0
_LOOK_SECONDS = 60.0
_RARE_LOOK_SECONDS = 1_800.0

# What is tried again day after day for so long will never be done.
_NEVER_SECONDS = 14 * 86_400.0

# From here on an outage outlasts Stripe's idempotency keys.
_LONG_OUTAGE_SECONDS = 86_400.0

# Logged as an error, and no defect: the database was away for as long as an attempt may last.
_EXPECTED_ERRORS = {"mail.outcome_lost"}

Clients = Callable[[World, Stub], Shops]
Bank = Callable[[World, Rules], Stripe]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a world.

    Attributes:
        seed: Its seed.
        violations: Promises that were broken.
        fired: The faults that happened.
        log: Everything that happened, with the second at which it did.
        digest: Of the log.
        kills: How many processes died.
        simulated_seconds: How long it lasted.
        seconds: How much of a processor that took.
    """

    seed: int
    violations: list[str]
    fired: list[Fired]
    log: list[tuple[float, str]]
    digest: str
    kills: int
    simulated_seconds: float
    seconds: float


class Mesh:
    """The replicas that run, and who starts them again.

    Args:
        world: Where they run.
        shops: Makes the clients.
        stripe: Makes the payment provider, with its customers and banks.

    Attributes:
        promises: What is watched.
        stripe: The payment provider.
        authority: The tax authority.
        sendgrid: The mail provider.
        shops: The clients.
    """

    def __init__(self, world: World, shops: Clients, stripe: Bank) -> None:
        self._world = world
        self.promises = Promises(world)
        self.stripe = stripe(world, self.promises)
        self.promises.stripe = self.stripe
        self.promises.given_up = self.stripe.last_moment
        self.stripe.tell = Webhooks(world, Stub(world, "payment", self.pick)).tell
        self.authority = avatax()
        self.sendgrid = SendGrid(world, self.promises.may_mail)
        self.sendgrid.tell = MailEvents(world, Stub(world, "notify", self.pick)).tell
        self.listener = Listener(world, self.promises.been)
        self._around = Surroundings(world, self.pick, self.stripe, self.authority, self.sendgrid, self.listener)
        self.shops = shops(world, Stub(world, "order", self.pick))
        self._living: dict[str, Process] = {}
        self._supervising: list[asyncio.Task[None]] = []
        for kept in (ORDER_TABLES, PAYMENT_TABLES, TAX_TABLES, NOTIFY_TABLES):
            shelf(kept).clear(world.now_ms, self.promises.moved)
        self.listener.begin()

    def begin(self) -> None:
        """Start everything."""
        replicas = {"order": self._world.luck.randint(1, 3), "payment": self._world.luck.randint(1, 2)}
        for service in START:
            for number in range(1, replicas.get(service, 1) + 1):
                supervisor = self._supervise(service, f"{service}/{number}")
                self._supervising.append(asyncio.create_task(supervisor))

    def pick(self, service: str) -> Process | None:
        """Return a replica that answers."""
        ready = [each for each in self._living.values() if each.alive and each.service == service and each.servicer]
        return self._world.luck.choice(ready) if ready else None

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self._world.chaos.over = True
        self._world.healed_at = self._world.now()
        self._world.faults_until = self._world.late_until
        self._world.note("all faults end")
        for process in self._living.values():
            process.paused_until = 0.0

    def end(self) -> None:
        """Stop everything."""
        for task in self._supervising:
            task.cancel()
        for process in self._living.values():
            process.kill()
        self.promises.readable(self.shops.told)

    async def _supervise(self, service: str, replica: str) -> None:
        life = 0
        while True:
            life += 1
            process = self._living[replica] = Process(service, f"{replica}#{life}")
            self._world.note(f"{process.name} starts")
            await self._begun(process)
            await process.died.wait()
            self.promises.readable(self.shops.told)
            down = self._world.chaos.pick(*_DOWN_SECONDS)
            await asyncio.sleep(0.1 if self._world.chaos.over else down)

    async def _begun(self, process: Process) -> None:
        starting = process.spawn(START[process.service](process, self._around))
        await asyncio.wait({starting})
        failed = starting.cancelled() or starting.exception() is not None
        if failed:
            error = None if starting.cancelled() else starting.exception()
            self._world.note(f"{process.name} does not start: {error!r}")
            process.kill()


async def _live(world: World, mesh: Mesh) -> None:
    with _errors_are_violations(world):
        mesh.begin()
        await asyncio.sleep(0.5)
        await mesh.shops.shop()
        ends = [each.begins + each.seconds for each in world.chaos.outages]
        await asyncio.sleep(max(0.0, *ends, world.now() + world.aftermath_seconds) - world.now())
        mesh.heal()
        await _settle(world, mesh)
        if await mesh.shops.look_after(marked()):
            await _settle(world, mesh)
        await _audit(world, mesh)
        mesh.end()
    orders = check_end(world, mesh.promises, mesh.shops.told, mesh.stripe, mesh.authority, mesh.sendgrid)
    check_told(world, orders, mesh.promises.been, mesh.listener)


async def _settle(world: World, mesh: Mesh) -> None:
    """Wait until nothing is left to be done, or longer than that may take."""
    # A call that was given up long ago may still arrive, and whatever it does has to settle as well.
    # So does what somebody has just asked for, long after the last fault.
    until, never = world.now() + _SETTLE_SECONDS, world.now() + _NEVER_SECONDS
    # Once it was late for a refund's next day, it stays so: what is then taken up has to settle as well.
    while not _settled(world, mesh.stripe) and world.now() < min(never, until := max(until, _latest_end(world))):
        await asyncio.sleep(_LOOK_SECONDS if world.now() < world.faults_until + _SETTLE_SECONDS else _RARE_LOOK_SECONDS)
        await mesh.shops.take_up(parked())


async def _audit(world: World, mesh: Mesh) -> None:
    """Have the audit look at a world that went without a provider for longer than a day, once all has settled.

    Of refunds made by hand, and returns of those that failed, it would rightly tell. Orders that wait for a person it
    does not judge.
    """
    long = any(each.seconds >= _LONG_OUTAGE_SECONDS for each in world.chaos.outages)
    if long and not mesh.stripe.by_hand.total() and not mesh.stripe.failed_refunds.total() and not in_review():
        for each in await differences(world, mesh.pick):
            world.violated(f"P-16: the audit finds {each}")


def _settled(world: World, stripe: Stripe) -> bool:
    return world.now() > world.late_until + 2 * _LOOK_SECONDS and quiet(stripe)


def _latest_end(world: World) -> float:
    """Return when all must have settled that began before faults ended, was late then, or has its next try later."""
    due = shelf(ORDER_TABLES).earliest(RETRIED_DUE)
    next_try = 0.0 if due is None else world.now() + (due - world.now_ms()) / 1_000
    return max(world.healed_at or 0.0, world.faults_until, next_try) + _SETTLE_SECONDS


async def _live_until_broken(world: World, mesh: Mesh) -> None:
    living, broken = asyncio.ensure_future(_live(world, mesh)), asyncio.ensure_future(world.broken.wait())
    await asyncio.wait({living, broken}, return_when=asyncio.FIRST_COMPLETED)
    if living.done():
        living.result()


def run(seed: int, only: frozenset[int] | None = None, *, to_the_end: bool = True) -> Result:
    """Return what becomes of the world of a seed.

    Args:
        seed: The seed.
        only: The draws that may become faults; None for all.
        to_the_end: Whether the world goes on after a promise was broken.
    """
    return played(World(seed, only), to_the_end=to_the_end)


def played(world: World, shops: Clients = Shops, stripe: Bank = Stripe, *, to_the_end: bool = True) -> Result:
    """Return what becomes of a world whose clients, customers and banks may follow a script."""
    live = _live if to_the_end else _live_until_broken
    began = process_time()
    ended = 0.0
    with _no_garbage_collection(), asyncio.Runner(loop_factory=_loop) as runner:
        try:
            runner.run(live(world, Mesh(world, shops, stripe)))
        except RuntimeError as error:
            world.log.append((0.0, f"{error!r}"))
            world.violations.append(f"the world stopped: {error!r}")
        ended = runner.get_loop().time()
    chaos = world.chaos
    return Result(
        world.seed, world.violations, chaos.fired, world.log, world.digest(), world.kills, ended, process_time() - began
    )


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Collect nothing while a world runs: all of it goes at once when it has ended."""
    gc.disable()
    try:
        with catch_warnings():
            # Work that was about to begin when its process died.
            filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            yield
    finally:
        gc.enable()


def _loop() -> VirtualLoop:
    loop = VirtualLoop()
    loop.set_task_factory(cast("Any", make_task))  # typeshed's protocol for it is private
    # What a dead process leaves behind is nobody's business.
    loop.set_exception_handler(lambda *_: None)
    return loop


class _Errors(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if record.getMessage() not in _EXPECTED_ERRORS and not isinstance(error, Crash):
            told = record.__dict__.get("contradiction", "")
            self._tell(f"logged: {record.getMessage()} {told} {error!r:.300}")


@contextmanager
def _errors_are_violations(world: World) -> Iterator[None]:
    """Take everything that the product logs as a defect for one."""
    root = logging.getLogger()
    handler, level, handlers = _Errors(world.violated), root.level, root.handlers[:]
    root.handlers[:] = [handler]
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
