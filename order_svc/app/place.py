"""Placing an order: store it once per key, see it through, answer what became of it."""

import asyncio

from kernel.clock import Clock
from kernel.errors import FieldViolation, Reason, Refusal
from kernel.ids import Ids
from order_svc.app.changes import Changes
from order_svc.app.driver import Driver
from order_svc.app.ports import InDoubt, Orders, Request
from order_svc.app.telling import Telling
from order_svc.app.work import Work
from order_svc.domain.order import Draft, Failure, Order, Stage, State

# How long a waiter relies on being told before it looks for itself: another replica may have moved the order.
_LOOK_AGAIN_SECONDS = 0.5


class PlaceOrder:
    """The use case. Any number of equal calls, at once or over the years, make one order.

    Args:
        orders: Where orders are kept.
        driver: Sees them through.
        work: Runs what must go on when the caller is gone.
        changes: Tells waiters of moves.
        telling: Traces and measures.
        clock: The time.
        ids: Makes order ids.
        lease_seconds: How long the first claim to a new order lasts.
    """

    def __init__(
        self,
        orders: Orders,
        driver: Driver,
        work: Work,
        changes: Changes,
        telling: Telling,
        clock: Clock,
        ids: Ids,
        *,
        lease_seconds: float,
    ) -> None:
        self._orders = orders
        self._driver = driver
        self._work = work
        self._changes = changes
        self._telling = telling
        self._clock = clock
        self._ids = ids
        self._lease_seconds = lease_seconds

    async def __call__(
        self, draft: Draft, payment_method: str, reference: str, request: Request, seconds: float
    ) -> Order:
        """Return the order as it stands when it is settled, or when the time is up.

        Args:
            draft: What is ordered.
            payment_method: Stripe's id.
            reference: The shop's own; may be empty.
            request: The idempotency key and the fingerprint of the request.
            seconds: How long the caller waits; the order goes on beyond it.

        Raises:
            Refusal: The key stood for another request; or the order has failed, for the reason given.
        """
        order = self._new(draft, payment_method, reference, request)
        if await self._create(order, request):
            task = self._work.start(self._driver.drive(order, "request"), f"drive {order.order_id}")
            done, _ = await asyncio.wait({task}, timeout=seconds)
            order = task.result() if done else await self._stored(order)
        else:
            order = await self._earlier(request)
        if order.state is State.PENDING:
            order = await self._wait(order, self._clock.monotonic() + seconds)
        if order.failure is not None and order.state is State.FAILED:
            raise refusal_of(order.order_id, order.failure)
        return order

    def _new(self, draft: Draft, payment_method: str, reference: str, request: Request) -> Order:
        now = self._clock.now()
        return Order(
            order_id=self._ids.new(),
            caller=request.caller,
            draft=draft,
            payment_method=payment_method,
            reference=reference,
            state=State.PENDING,
            stage=Stage.QUOTING,
            version=1,
            created_at=now,
            updated_at=now,
            traceparent=self._telling.traceparent(),
        )

    async def _create(self, order: Order, request: Request) -> bool:
        """Store the order; False when the key was used before."""
        try:
            return await self._orders.create(order, request, self._telling.placed(order), self._lease_seconds)
        except InDoubt:
            found = await self._orders.find(request)
            if found is None:
                # Certainly not written: nothing keeps us from trying once more.
                return await self._orders.create(order, request, self._telling.placed(order), self._lease_seconds)
            return found[1].order_id == order.order_id

    async def _earlier(self, request: Request) -> Order:
        """Return the order that the key stands for.

        Raises:
            Refusal: It stands for another request.
        """
        found = await self._orders.find(request)
        if found is None:
            raise Refusal(Reason.UNAVAILABLE, "The order is being stored by another call; try again.", retry_after=0.1)
        fingerprint, order = found
        if fingerprint != request.fingerprint:
            raise Refusal(
                Reason.REQUEST_ID_REUSED,
                "This request_id (Idempotency-Key) was used for another order; nothing was changed. "
                "Use a new key for a new order.",
                metadata={"orderId": order.order_id},
            )
        return order

    async def _wait(self, order: Order, until: float) -> Order:
        """Wait until the order is no longer PENDING, or the time is up."""
        while order.state is State.PENDING and (left := until - self._clock.monotonic()) > 0:
            told = await self._changes.next(order.order_id, min(left, _LOOK_AGAIN_SECONDS))
            order = told or await self._stored(order)
        return order

    async def _stored(self, order: Order) -> Order:
        return await self._orders.get(order.order_id) or order


def refusal_of(order_id: str, failure: Failure) -> Refusal:
    """Return the answer that a failed order gives, today and whenever its key is used again."""
    metadata = {"orderId": order_id}
    if failure.decline_code:
        metadata["declineCode"] = failure.decline_code
    fields = (FieldViolation(failure.field, failure.message),) if failure.field else ()
    return Refusal(failure.reason, failure.message, metadata=metadata, fields=fields)
