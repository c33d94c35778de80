"""Short ways to ask things of an order in the world of order_world.py, each under the same key every time."""

from contextlib import suppress

from kernel.errors import Refusal
from order_svc.domain.fulfilment import Quantity
from order_svc.domain.giving_back import Wanted
from order_svc.domain.order import Order
from order_svc.domain.shipping import Handover
from tests.fakes.order_samples import a_request
from tests.fakes.order_world import Crash, Life, World

PATIENCE = 10.0
ALL = Wanted()
DAY = 86_400.0


async def cancel(life: Life, order_id: str, key: str = "cancel") -> Order:
    return await life.cases.cancel(order_id, "", "", a_request(key), PATIENCE)


async def confirm(life: Life, order_id: str, payment_method: str = "", key: str = "confirm") -> Order:
    return await life.cases.confirm(order_id, payment_method, "", a_request(key), PATIENCE)


async def process(life: Life, order_id: str, key: str = "process") -> Order:
    return await life.cases.fulfil.process(order_id, "", a_request(key))


async def ship(life: Life, order_id: str, *items: Quantity, key: str = "ship", release_rest: bool = False) -> Order:
    handover = Handover(items, "DHL", "0034", release_rest=release_rest)
    return await life.cases.fulfil.ship(order_id, handover, "", a_request(key), PATIENCE)


async def deliver(life: Life, order_id: str, number: int = 0, key: str = "deliver") -> Order:
    return await life.cases.fulfil.deliver(order_id, number, "", a_request(key))


async def refund(life: Life, order_id: str, wanted: Wanted = ALL, key: str = "refund") -> Order:
    return await life.cases.refund(order_id, wanted, "", a_request(key), PATIENCE)


async def annotate(life: Life, order_id: str, note: str = "new", key: str = "annotate") -> Order:
    return await life.cases.annotate(order_id, note, "", a_request(key))


async def quiet(world: World, life: Life, seconds: float = 60.0) -> None:
    """Let a life look after everything for so long: time enough for a lease, and for every retry of these stories."""
    with suppress(Crash, Refusal):
        until = world.clock.monotonic() + seconds
        while world.clock.monotonic() < until:
            await life.news.look()
            await life.mail_news.look()
            await life.sweep()
            await world.clock.sleep(5.0)
    await life.work.idle()


async def looked_after(world: World, life: Life, seconds: float) -> None:
    """Let time pass in which a life does nothing but what has become due at its end."""
    await world.clock.sleep(seconds)
    await quiet(world, life, 10.0)


def stored(world: World) -> Order:
    """Return the one order that there is."""
    (order,) = world.database.orders.values()
    return order


def alerts(world: World) -> list[tuple[str, str]]:
    """Return the kinds and the subjects of its alerts."""
    return [(alert.kind, alert.subject) for alert in stored(world).alerts]
