"""Placing an order: store it once per key, see it through, answer what became of it."""

from kernel.clock import Clock
from kernel.errors import FieldViolation, Reason, Refusal
from kernel.ids import Ids
from kernel.request import Request
from order_svc.app.attendance import Attendance
from order_svc.app.ports import InDoubt, Orders, TooMany
from order_svc.app.telling import Telling
from order_svc.domain.draft import Draft, Terms, check_terms
from order_svc.domain.order import Failure, Order, Stage, State
from order_svc.domain.velocity import Velocity
from order_svc.domain.velocity import refusal_of as limit_reached

# How often it is tried to store an order whose commit is in doubt.
_TRIES = 2


class PlaceOrder:
    """The use case. Any number of equal calls, at once or over the years, make one order.

    Args:
        orders: Where orders are kept.
        attendance: Sees them through.
        telling: Traces and measures.
        clock: The time.
        ids: Makes order ids.
        velocity: How often one customer may order.
        lease_seconds: How long the first claim to a new order lasts.
    """

    def __init__(
        self,
        orders: Orders,
        attendance: Attendance,
        telling: Telling,
        clock: Clock,
        ids: Ids,
        velocity: Velocity,
        *,
        lease_seconds: float,
    ) -> None:
        self._orders = orders
        self._attendance = attendance
        self._telling = telling
        self._clock = clock
        self._ids = ids
        self._velocity = velocity
        self._lease_seconds = lease_seconds

    async def __call__(
        self, draft: Draft, payment_method: str, terms: Terms, note: str, request: Request, seconds: float
    ) -> Order:
        """Return the order as it stands when it is settled, or when the time is up.

        Args:
            draft: What is ordered.
            payment_method: Stripe's id.
            terms: How it is paid, and what the shop keeps with it.
            note: The shop's own; may be empty.
            request: The idempotency key and the fingerprint of the request.
            seconds: How long the caller waits; the order goes on beyond it.

        Raises:
            Refusal: The key stood for another request; the customer has reached a limit; or the order has failed, for
                the reason given.
        """
        check_terms(terms, draft.customer)
        until = self._clock.monotonic() + seconds
        new = self._new(draft, payment_method, terms, note, request)
        order = await self._stored_once(new, request)
        ours = new.created_at if order.order_id == new.order_id else None
        return answer(await self._attendance(order, ours, _being_placed, until))

    def _new(self, draft: Draft, payment_method: str, terms: Terms, note: str, request: Request) -> Order:
        now = self._clock.now()
        return Order(
            order_id=self._ids.new(),
            caller=request.caller,
            draft=draft,
            payment_method=payment_method,
            terms=terms,
            note=note,
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
            Refusal: The key stands for another request; the customer has reached a limit; or whether the order was
                stored cannot be told just now.
        """
        event, bounds = self._telling.placed(new), self._velocity.of_order(new)
        for _ in range(_TRIES):
            try:
                if await self._orders.create(new, request, event, self._lease_seconds, bounds):
                    return new
            except TooMany as reached:
                self._telling.limited(reached.bound)
                raise limit_reached(reached.bound, reached.oldest, self._clock.now()) from None
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


def answer(order: Order) -> Order:
    """Return the order, unless it has failed.

    Raises:
        Refusal: Why it failed.
    """
    if order.failure is not None and order.state is State.FAILED:
        raise refusal_of(order.order_id, order.failure)
    return order


def _being_placed(order: Order) -> bool:
    return order.open and order.state is State.PENDING


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
