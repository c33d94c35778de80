"""Reading orders: one, many, as they change, and with their whole story."""

from collections.abc import AsyncIterator, Sequence

from kernel.errors import Reason, Refusal
from order_svc.app.changes import Changes
from order_svc.app.ports import OrderFilter, Orders, Story
from order_svc.domain.order import Order

# How long a watcher relies on being told before it looks for itself: another replica may have moved the order.
_LOOK_AGAIN_SECONDS = 1.0


def order_not_found(order_id: str) -> Refusal:
    """Return the refusal for an order that does not exist."""
    return Refusal(
        Reason.ORDER_NOT_FOUND, f"There is no order {order_id}; check the id.", metadata={"orderId": order_id}
    )


class ReadOrders:
    """The use cases that change nothing.

    Args:
        orders: Where orders are kept.
        changes: Tells of moves.
    """

    def __init__(self, orders: Orders, changes: Changes) -> None:
        self._orders = orders
        self._changes = changes

    async def get(self, order_id: str, customer_id: str = "") -> Order:
        """Return one order, of that customer where one is named.

        Raises:
            Refusal: There is none of that id.
        """
        order = await self._orders.get(order_id, customer_id)
        if order is None:
            raise order_not_found(order_id)
        return order

    async def page(self, wanted: OrderFilter, after: str, limit: int) -> Sequence[Order]:
        """Return at most `limit` orders, newest first, below the order id `after`."""
        return await self._orders.page(wanted, after, limit)

    async def explain(self, order_id: str) -> Story:
        """Return the whole story of one order.

        Raises:
            Refusal: There is none of that id.
        """
        story = await self._orders.journal(order_id)
        if story is None:
            raise order_not_found(order_id)
        return story

    async def watch(
        self, order_id: str, after_version: int, *, until_final: bool = False, customer_id: str = ""
    ) -> AsyncIterator[Order]:
        """Yield the order as it is, unless the caller has seen that version, and after each move until it is settled.

        Args:
            order_id: The order.
            after_version: What the caller has seen; 0 for nothing.
            until_final: Go on until the order has come to its end, and not only until it waits for the shop.
            customer_id: Whose order it has to be; empty for anybody's.

        Raises:
            Refusal: There is none of that id.
        """
        with self._changes.watching(order_id) as watch:
            order = await self.get(order_id, customer_id)
            while True:
                if order.version > after_version:
                    yield order
                    after_version = order.version
                if order.final if until_final else not order.open:
                    return
                order = await watch.next(_LOOK_AGAIN_SECONDS) or await self.get(order_id, customer_id)
