"""What may be asked of an order, and how it then ends, whatever goes wrong meanwhile."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from order_svc.domain.draft import CaptureMode
from order_svc.domain.fulfilment import Quantity
from order_svc.domain.giving_back import Wanted
from order_svc.domain.order import Order, State
from tests.fakes.order_asking import cancel, confirm, deliver, process, refund, ship
from tests.fakes.order_faults import Lost
from tests.fakes.order_payments import DECLINED, NEEDS_ACTION
from tests.fakes.order_samples import VISA, euros
from tests.fakes.order_world import Life, World

Prepare = Callable[[World, Life], Awaitable[Order]]
Act = Callable[[Life, str], Awaitable[object]]

MUGS, HAT = Quantity("mug", 2), Quantity("hat", 1)


@dataclass(frozen=True)
class Scenario:
    """One of them.

    Attributes:
        prepare: Brings an order to where it is asked.
        act: Asks. Whoever asks again does so under the same keys.
        calls: To whom asking leads, by the names of tests/fakes/order_peers.py.
        state: In which the order ends.
        captured: What was taken in the end, in minor units.
        refunded: What of it was given back.
    """

    prepare: Prepare
    act: Act
    calls: tuple[str, ...]
    state: State
    captured: int
    refunded: int = 0


async def paid(_: World, life: Life) -> Order:
    order = await life.place()
    await life.work.idle()
    return order


async def held(_: World, life: Life) -> Order:
    order = await life.place(capture=CaptureMode.ON_SHIPMENT)
    await life.work.idle()
    assert order.state is State.AUTHORIZED
    return order


async def never_charged(world: World, life: Life) -> Order:
    world.payments.faults.plan("charge", *[Lost.REQUEST] * 3)
    return await life.place(seconds=0.01)


async def charged_unheard(world: World, life: Life) -> Order:
    world.payments.faults.plan("charge", *[Lost.ANSWER] * 3)
    return await life.place(seconds=0.01)


async def waiting(_: World, life: Life) -> Order:
    return await life.place(NEEDS_ACTION)


async def paid_unheard(world: World, life: Life) -> Order:
    order = await life.place(NEEDS_ACTION)
    world.payments.customer_pays(order.order_id)
    return order


async def declined(_: World, life: Life) -> Order:
    order = await life.place(DECLINED, keep_after_decline=True)
    assert order.state is State.PAYMENT_ACTION_REQUIRED
    return order


async def shipped(world: World, life: Life) -> Order:
    order = await paid(world, life)
    return await ship(life, order.order_id, key="before")


async def _process_and_ship_twice(life: Life, order_id: str) -> None:
    await process(life, order_id)
    await ship(life, order_id, MUGS, key="first")
    await ship(life, order_id, HAT, key="second")


async def _refund_twice(life: Life, order_id: str) -> None:
    await refund(life, order_id, Wanted(items=(Quantity("mug", 1),)), key="one")
    await refund(life, order_id, Wanted(amount=euros(100)), key="two")


async def _ship_and_refund(life: Life, order_id: str) -> None:
    await ship(life, order_id, MUGS)
    await refund(life, order_id, Wanted(skus=("hat",)))


async def _deliver_and_refund(life: Life, order_id: str) -> None:
    await deliver(life, order_id)
    await refund(life, order_id)


PAPERS = ("commit", "send")
BACK = ("refund", "refund_tax", "send")

SCENARIOS: dict[str, Scenario] = {
    "cancel what was never charged": Scenario(never_charged, cancel, ("forestall", "send"), State.CANCELLED, 0),
    "cancel what is charged already": Scenario(charged_unheard, cancel, ("forestall", *PAPERS), State.PAID, 7075),
    "cancel while the customer is at it": Scenario(waiting, cancel, ("cancel", "send"), State.CANCELLED, 0),
    "cancel when the customer has paid": Scenario(paid_unheard, cancel, ("cancel", *PAPERS), State.PAID, 7075),
    "cancel what is held": Scenario(held, cancel, ("cancel", "send"), State.CANCELLED, 0),
    "confirm after 3-D Secure": Scenario(paid_unheard, confirm, ("read", *PAPERS), State.PAID, 7075),
    "confirm with another card": Scenario(
        declined, lambda life, order_id: confirm(life, order_id, VISA), ("charge", *PAPERS), State.PAID, 7075
    ),
    "ship what is held": Scenario(held, ship, ("capture", *PAPERS), State.SHIPPED, 7075),
    "ship a part of what is held and let the rest go": Scenario(
        held,
        lambda life, order_id: ship(life, order_id, MUGS, release_rest=True),
        ("capture", "refund_tax", *PAPERS),
        State.SHIPPED,
        4797,
    ),
    "ship what is held in two shipments": Scenario(
        held, _process_and_ship_twice, ("capture", *PAPERS), State.SHIPPED, 7075
    ),
    "ship what is paid in two shipments": Scenario(paid, _process_and_ship_twice, ("send",), State.SHIPPED, 7075),
    "refund all": Scenario(paid, refund, BACK, State.REFUNDED, 7075, 7075),
    "refund twice": Scenario(paid, _refund_twice, BACK, State.PAID, 7075, 2498),
    "ship a part and refund the rest": Scenario(paid, _ship_and_refund, BACK, State.SHIPPED, 7075, 2278),
    "deliver and refund": Scenario(shipped, _deliver_and_refund, BACK, State.REFUNDED, 7075, 7075),
}
