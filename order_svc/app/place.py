"""Placing an order: store it once per key, see it through, answer what became of it."""

import asyncio

from kernel.clock import Clock
from kernel.errors import FieldViolation, Reason, Refusal
from kernel.ids import Ids
from kernel.request import Request
from order_svc.app.changes import Changes, Watch
from order_svc.app.driver import Driver
from order_svc.app.ports import InDoubt, Orders
from order_svc.app.telling import Telling
from order_svc.app.work import Work
from order_svc.domain.order import Draft, Failure, Order, Stage, State

# How long a waiter relies on being told before it looks for itself: another replica may have moved the order.
_LOOK_AGAIN_SECONDS = 0.5

# How often it is tried to store an order whose commit is in doubt.
_TRIES = 2


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
        until = self._clock.monotonic() + seconds
        new = self._new(draft, payment_method, reference, request)
        order = await self._stored_once(new, request)
        with self._changes.watching(order.order_id) as watch:
            if order.order_id == new.order_id:
                order = await self._driven(order, watch, until)
            while order.open and order.state is State.PENDING and (left := until - self._clock.monotonic()) > 0:
                order = await watch.next(min(left, _LOOK_AGAIN_SECONDS)) or await self._newest(order)
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

    async def _stored_once(self, new: Order, request: Request) -> Order:
        """Store the new order and return it, or return the order that the key stands for already.

        Raises:
            Refusal: The key stands for another request; or whether the order was stored cannot be told just now.
        """
        for _ in range(_TRIES):
            try:
                if await self._orders.create(new, request, self._telling.placed(new), self._lease_seconds):
                    return new
            except InDoubt:
                pass  # Looking for the key tells. It finds nothing as well while the database is still at it.
            found = await self._orders.find(request)
            if found is not None:
                return same_order(*found, request)
        raise Refusal(
            Reason.UNAVAILABLE,
            "Whether the order was stored cannot be told just now; repeat the request with the same key.",
            retry_after=1.0,
        )

    async def _driven(self, order: Order, watch: Watch, until: float) -> Order:
        """Drive the new order, in a task of its own because it goes on when the caller is gone."""
        task = self._work.start(self._driver.drive(order, "request", order.created_at), f"drive {order.order_id}")
        done, _ = await asyncio.wait({task}, timeout=max(0.0, until - self._clock.monotonic()))
        if done and not task.cancelled() and task.exception() is None:
            return task.result()
        # Too slow for this caller, or a defect, which is logged where the task ends: the order is stored and goes on.
        return watch.latest or order

    async def _newest(self, order: Order) -> Order:
        try:
            return await self._orders.get(order.order_id) or order
        except Refusal:
            return order  # The order is stored; that the database is away just now does not change the answer.


def same_order(fingerprint: str, order: Order, request: Request) -> Order:
    """Return the order that an idempotency key stands for.

    Raises:
        Refusal: It stands for another request.
    """
    if fingerprint != request.fingerprint:
        raise Refusal(
            Reason.REQUEST_ID_REUSED,
            "This request_id (Idempotency-Key) was used for another order; nothing was changed. "
            "Use a new key for a new request.",
            metadata={"orderId": order.order_id},
        )
    return order


def refusal_of(order_id: str, failure: Failure) -> Refusal:
    """Return the answer that a failed order gives, today and whenever its key is used again."""
    metadata = {"orderId": order_id}
    if failure.decline_code:
        metadata["declineCode"] = failure.decline_code
    fields = (FieldViolation(failure.field, failure.message),) if failure.field else ()
    return Refusal(failure.reason, failure.message, metadata=metadata, fields=fields)
