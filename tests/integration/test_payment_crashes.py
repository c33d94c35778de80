"""The process dies at each place where it touches database or provider, and starts again: one charge, one refund."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done
from payment_svc.app.ports import ProviderEvent, Request
from payment_svc.domain.intent import IntentStatus, NewIntent, RefundState
from payment_svc.domain.payment import Payment, PaymentState, payment_id_of
from tests.fakes.payment_gateway import DECLINED, MISSING, THREE_D_SECURE, VISA, Fault
from tests.fakes.payment_service import Killed, Mortality, PaymentWorld, payment_world

T = TypeVar("T")

# No path touches the outside more often than this; a test that gets there has lost its way.
_MOST_PLACES = 80


@dataclass(frozen=True, slots=True)
class Path:
    """One way that a charge can go.

    Attributes:
        method: The payment method.
        state: What it must end in.
        charges: How often money may have moved then.
        faults: What goes wrong in the first process, besides that it dies.
    """

    method: str
    state: PaymentState
    charges: int
    faults: dict[str, Fault] = field(default_factory=dict)
    late_first: bool = True
    """Whether what is late is done before the request is repeated, or only afterwards."""

    def __str__(self) -> str:
        faults = [f"{operation}.{fault.name}" for operation, fault in self.faults.items()]
        return "-".join([self.method, *faults, *([] if self.late_first else ["after"])])


def paths() -> list[Path]:
    ends = [(VISA, PaymentState.SUCCEEDED, 1), (DECLINED, PaymentState.DECLINED, 0)]
    ends.append((THREE_D_SECURE, PaymentState.ACTION_REQUIRED, 0))
    all_well = [Path(*end) for end in ends]
    creating = [Path(*ends[0], {"create": fault}) for fault in Fault]
    confirming = [Path(*end, {"confirm": fault}) for end in ends for fault in Fault]
    reading = [Path(*ends[0], {"confirm": fault, "read": Fault.NOT_SENT}) for fault in Fault]
    very_late = [Path(*end, {"confirm": Fault.LATE}, late_first=False) for end in ends]
    return all_well + creating + confirming + reading + very_late


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[PaymentWorld]:
    async with payment_world(sqlite_url) as running:
        yield running


async def until_answered(world: PaymentWorld, command: Callable[[], Awaitable[T]]) -> T:
    """Repeat a command as its caller does, for as long as its outcome is open."""
    for _ in range(10):
        try:
            return await command()
        except Refusal as refusal:
            if refusal.reason is not Reason.UNAVAILABLE:
                raise
            world.clock.pass_by(1)
    raise AssertionError("it never came to an end")


async def dies_at(world: PaymentWorld, place: int, command: Callable[[], Awaitable[object]]) -> bool:
    """Run a command in a process that dies at a place, and say whether it got there."""
    mortality = Mortality(place)
    world.restart(mortality)
    try:
        await command()
    except Killed:
        return True
    except Refusal as refusal:
        if refusal.reason is not Reason.UNAVAILABLE:
            raise
    assert len(mortality.places) < place, "it was killed and nobody noticed"
    return False


@pytest.mark.parametrize("path", paths(), ids=str)
async def test_a_charge_survives_a_crash_at_any_place(world: PaymentWorld, path: Path) -> None:
    for place in itertools.count(1):
        assert place < _MOST_PLACES
        world.begin_anew()
        for operation, fault in path.faults.items():
            world.gateway.fail(operation, fault)

        def charge() -> Awaitable[Payment]:
            return world.charge(world.order_id, payment_method=path.method)

        died = await dies_at(world, place, charge)
        if path.late_first:
            world.gateway.catch_up()
        world.restart()
        payment = await until_answered(world, charge)
        world.gateway.catch_up()

        assert payment.state is path.state
        assert len(world.gateway.charges) == path.charges
        assert await world.kept() == payment
        if not died:
            return


async def test_a_charge_survives_two_crashes_in_a_row(world: PaymentWorld) -> None:
    for first, second in itertools.product(range(1, 13), range(1, 17)):
        world.begin_anew()

        def charge() -> Awaitable[Payment]:
            return world.charge(world.order_id)

        await dies_at(world, first, charge)
        await dies_at(world, second, charge)
        world.restart()
        payment = await until_answered(world, charge)

        assert payment.state is PaymentState.SUCCEEDED
        assert len(world.gateway.charges) == 1
        assert len([intent for intent in world.gateway.intents.values() if intent.captured.minor_units]) == 1


async def test_a_second_attempt_survives_a_crash_at_any_place(world: PaymentWorld) -> None:
    for place in itertools.count(1):
        assert place < _MOST_PLACES
        world.begin_anew()
        world.restart()
        await world.charge(f"{world.order_id} 1", payment_method=DECLINED)

        def charge() -> Awaitable[Payment]:
            return world.charge(f"{world.order_id} 2")

        died = await dies_at(world, place, charge)
        world.restart()
        payment = await until_answered(world, charge)

        assert payment.state is PaymentState.SUCCEEDED
        assert len(world.gateway.charges) == len(world.gateway.intents) == 1
        if not died:
            return


async def test_an_invalid_method_is_refused_after_a_crash_at_any_place(world: PaymentWorld) -> None:
    for place in itertools.count(1):
        assert place < _MOST_PLACES
        world.begin_anew()

        async def charge() -> Reason:
            try:
                await world.charge(world.order_id, payment_method=MISSING)
            except Refusal as refusal:
                if refusal.reason is Reason.UNAVAILABLE:
                    raise
                return refusal.reason
            raise AssertionError("it was not refused")

        died = await dies_at(world, place, charge)
        world.restart()

        assert await until_answered(world, charge) is Reason.PAYMENT_METHOD_INVALID
        if not died:
            return


@pytest.mark.parametrize("fault", [None, *Fault])
@pytest.mark.parametrize("by_worker", [True, False])
async def test_a_refund_survives_a_crash_at_any_place_and_forgotten_keys(
    world: PaymentWorld, fault: Fault | None, *, by_worker: bool
) -> None:
    for place in itertools.count(1):
        assert place < _MOST_PLACES
        world.begin_anew()
        world.restart()
        payment = await world.charge(world.order_id)
        if fault is not None:
            world.gateway.fail("refund", fault)

        async def refund(payment: Payment = payment) -> Payment:
            return (await world.refund(payment, 400, world.order_id)).payment

        died = await dies_at(world, place, refund)
        world.gateway.catch_up()
        world.gateway.forget_keys()
        world.restart()
        if by_worker:
            await resume_later(world)
        await refund()
        await resume_later(world)
        await resume_later(world)  # the fault may have waited for the worker's first round
        after = await refund()

        assert after.refunded.minor_units == world.gateway.refunded(payment.intent_id) == 400
        assert [each.state for each in after.refunds] == [RefundState.SUCCEEDED]
        assert await world.kept() == after
        if not died:
            return


async def test_the_worker_survives_a_crash_at_any_place(world: PaymentWorld) -> None:
    for place in itertools.count(1):
        assert place < _MOST_PLACES
        world.begin_anew()
        world.restart()
        payment = await world.charge(world.order_id)
        world.gateway.fail("refund", Fault.NOT_SENT)
        await world.refund(payment, None, world.order_id)

        died = await dies_at(world, place, lambda: resume_later(world))
        world.gateway.forget_keys()
        world.restart()
        await resume_later(world)

        assert world.gateway.refunded(payment.intent_id) == 1099
        assert len(world.gateway.refunds) == 1
        if not died:
            return


async def test_news_survives_a_crash_at_any_place_of_whoever_finds_and_tells_it(world: PaymentWorld) -> None:
    for place in itertools.count(1):
        assert place < _MOST_PLACES
        world.begin_anew()
        world.restart()
        waiting = await world.charge(world.order_id, payment_method=THREE_D_SECURE)
        world.gateway.authenticate(waiting.intent_id, success=True)
        event = ProviderEvent(world.order_id, "payment_intent.succeeded", waiting.intent_id)
        await world.payments.add_event(event, world.clock.now(), world.clock.now())
        taken_in: list[Payment] = []

        async def taken_in_as_the_order_does(taken_in: list[Payment] = taken_in) -> None:
            await resume_later(world)
            for payment in await world.does.news.listed(9):
                taken_in.append(payment)
                await world.does.news.acknowledge(payment.payment_id, payment.version)

        died = await dies_at(world, place, taken_in_as_the_order_does)
        world.restart()
        await taken_in_as_the_order_does()

        kept = await world.kept()
        assert kept is not None
        assert kept.state is PaymentState.SUCCEEDED
        assert (kept.payment_id, kept.version) in {(each.payment_id, each.version) for each in taken_in}
        assert await world.does.news.listed(9) == []
        if not died:
            return


@pytest.mark.parametrize("method", [None, VISA])
async def test_giving_an_orphan_up_survives_a_crash_at_any_place_and_forgotten_keys(
    world: PaymentWorld, method: str | None
) -> None:
    for place in itertools.count(1):
        assert place < _MOST_PLACES
        world.begin_anew()
        new = NewIntent(payment_id_of(world.order_id), world.order_id, Money("EUR", 1099))
        made = await world.gateway.create_intent(new, "k1")
        assert isinstance(made, Done)
        intent_id = made.value.intent_id
        if method is not None:
            await world.gateway.confirm_intent(intent_id, method, "k2")

        def release(intent_id: str = intent_id) -> Awaitable[object]:
            request = Request("local", "ReleaseProviderPayment", world.order_id, intent_id)
            return world.does.release(intent_id, request)

        died = await dies_at(world, place, release)
        world.gateway.forget_keys()
        world.restart()
        await until_answered(world, release)

        if method is None:
            assert world.gateway.only_intent.status is IntentStatus.CANCELLED
        assert world.gateway.refunded(intent_id) == (1099 if method else 0)
        assert len(world.gateway.refunds) == (1 if method else 0)
        if not died:
            return


async def resume_later(world: PaymentWorld) -> None:
    """Let everything become due, and the worker go round once."""
    world.clock.pass_by(3600)
    await world.does.resume.once()
    world.gateway.catch_up()
