"""Equal calls of a command at once: one of them does it, and the others are answered with it, never refused for it."""

from collections.abc import Awaitable, Callable

import pytest

from kernel.errors import Reason, Refusal
from order_svc.domain.giving_back import Wanted
from order_svc.domain.order import Order
from order_svc.domain.shipping import Handover
from tests.fakes.order_samples import a_request
from tests.fakes.order_world import Life, World, in_a_world
from tests.fakes.orders_in_memory import FakeOrders

Call = Callable[[Life, Order, str], Awaitable[Order]]


class Overtaken(FakeOrders):
    """A store in which something happens between a look for a key and the reading of its order, once.

    Attributes:
        meanwhile: What happens.
    """

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def get(self, order_id: str, customer_id: str = "") -> Order | None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await super().get(order_id, customer_id)


async def refund_all(life: Life, order: Order, key: str) -> Order:
    return await life.cases.refund(order.order_id, Wanted(), "", a_request(key, "all"), seconds=10.0)


async def refund_of_this_version(life: Life, order: Order, key: str) -> Order:
    wanted = Wanted(skus=("hat",))
    return await life.cases.refund(order.order_id, wanted, order.etag, a_request(key, "hat"), seconds=10.0)


async def ship_all(life: Life, order: Order, key: str) -> Order:
    return await life.cases.fulfil.ship(order.order_id, Handover(), "", a_request(key, "ship"), seconds=10.0)


@pytest.mark.parametrize("call", [refund_all, refund_of_this_version, ship_all])
def test_who_comes_second_under_one_key_is_answered_as_the_first(call: Call) -> None:
    @in_a_world
    async def story(world: World) -> None:
        orders = Overtaken(world.database, world.clock, "here", "life-1")
        life = world.life(orders=orders)
        order = await life.place()
        orders.meanwhile = lambda: call(life, order, "one")

        second = await call(life, order, "one")

        assert second == await orders.get(order.order_id)
        assert len(second.refunds) + len(second.shipments) == 1

    story()


@in_a_world
async def test_who_comes_second_under_a_key_of_its_own_is_refused(world: World) -> None:
    orders = Overtaken(world.database, world.clock, "here", "life-1")
    life = world.life(orders=orders)
    order = await life.place()
    orders.meanwhile = lambda: refund_all(life, order, "one")

    with pytest.raises(Refusal) as refused:
        await refund_all(life, order, "another")

    assert refused.value.reason is Reason.ILLEGAL_STATE
