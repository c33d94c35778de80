"""The loop that sees an order through: ask the saga for the next step, do it, commit what came of it, again.

A request enters it right after the order was stored; the sweeper enters it for orders that were left behind. There is
no other way in which an order moves.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.changes import Changes
from order_svc.app.ports import Charge, InDoubt, Moved, Orders, Payments, Taxes
from order_svc.app.telling import Telling
from order_svc.domain.hold import after_capture, after_hold, capture_amount, waiting_shipment
from order_svc.domain.news import after_catching_up
from order_svc.domain.order import Order
from order_svc.domain.payment import Payment
from order_svc.domain.refunding import after_give_back, next_refund
from order_svc.domain.saga import after_cancel, after_charge, after_quote, after_refund, next_step
from order_svc.domain.step import Step
from order_svc.domain.transition import Transition
from order_svc.domain.velocity import with_decline

_logger = logging.getLogger(__name__)


class Driver:
    """Drives orders that are leased to this replica.

    Args:
        orders: Where they are kept.
        taxes: tax_svc.
        payments: payment_svc.
        clock: The time.
        changes: Is told of every move.
        telling: Traces and measures.
        settled: Is called with a move that left tasks behind, right after its commit.
        random: Returns numbers from 0 to 1, to spread retries.
        lease_seconds: How long a claim to an order lasts after each commit.
        action_seconds: How long a customer may take for 3-D Secure.
    """

    def __init__(
        self,
        orders: Orders,
        taxes: Taxes,
        payments: Payments,
        clock: Clock,
        changes: Changes,
        telling: Telling,
        settled: Callable[[Transition], None],
        random: Callable[[], float],
        *,
        lease_seconds: float,
        action_seconds: float,
    ) -> None:
        self._orders = orders
        self._taxes = taxes
        self._payments = payments
        self._clock = clock
        self._changes = changes
        self._telling = telling
        self._settled = settled
        self._random = random
        self._lease_seconds = lease_seconds
        self._action_seconds = action_seconds

    async def drive(self, order: Order, cause: str, leased_at: datetime) -> Order:
        """Move the order as far as it goes now, and return it as it then stands, as far as the database could be asked.

        Args:
            order: As it was last committed, leased to this replica.
            cause: "request" or "sweeper", for the journal.
            leased_at: When the lease was taken, or a moment before.
        """
        while (step := next_step(order)) is not None:
            transition = await self._take(step, order, leased_at)
            moving_at = self._clock.now()
            try:
                if not await self._written(transition, cause):
                    continue  # Certainly not written: the step is done again, which is safe for each of them.
            except Moved:
                # Somebody else owns it by now. They go on; we only report what they made of it.
                return await self._newest(order)
            except Refusal:
                # The database is away. The order stays as it was last stored, and the sweeper takes it up from there
                # when the lease is over.
                _logger.warning("order.left", extra={"order_id": order.order_id, "stage": order.stage.value})
                return order
            order, leased_at = transition.order, moving_at
            self.tell(transition)
            if transition.rests:
                break
        return order

    async def _written(self, transition: Transition, cause: str) -> bool:
        """Commit a move; False when a commit in doubt turns out not to have happened.

        Raises:
            Moved: Somebody else was first.
            Refusal: The database is away.
        """
        event = self._telling.event(transition, cause) if transition.kind else None
        try:
            await self._orders.move(transition, event, self._lease_seconds)
        except InDoubt:
            ours = transition.order
            stored = await self._orders.get(ours.order_id)
            if stored is None or stored.fence == ours.fence - 1:
                return False
            # A claim raises the fence as well, but never the version. And an earlier try of ours that counted as not
            # written may have come through meanwhile, to the same version and with another outcome.
            if _what_is_told(stored) != _what_is_told(ours):
                raise Moved from None
        return True

    def tell(self, transition: Transition) -> None:
        """Tell everybody of a move that was committed."""
        order = transition.order
        if transition.kind:
            self._changes.publish(order)
        if transition.tasks:
            self._settled(transition)
        if transition.ends:
            self._telling.ended(order)

    async def _newest(self, order: Order) -> Order:
        try:
            return await self._orders.get(order.order_id) or order
        except Refusal:
            return order

    async def _take(self, step: Step, order: Order, leased_at: datetime) -> Transition:
        """Do one step and return what its outcome makes of the order."""
        luck = self._random()
        with self._telling.step(step, order) as told:
            match step:
                case Step.QUOTE_TAX:
                    quoted = await self._taxes.quote(order.draft)
                    told.outcome(quoted)
                    return after_quote(order, quoted, self._clock.now(), luck)
                case Step.CHARGE:
                    charged = await self._payments.charge(self._charge(order, leased_at))
                    told.outcome(charged)
                    return with_decline(
                        order, charged, after_charge(order, charged, self._clock.now(), self._action_seconds, luck)
                    )
                case Step.READ_PAYMENT | Step.READ_HOLD | Step.CATCH_UP:
                    read = await self._payments.read(_payment_id(order), f"{order.order_id}:read:{order.version}")
                    told.outcome(read)
                    return self._after_read(step, order, read, luck)
                case Step.CAPTURE:
                    captured = await self._payments.capture(
                        _payment_id(order), _capture_key(order), capture_amount(order)
                    )
                    told.outcome(captured)
                    return after_capture(order, captured, self._clock.now(), luck)
                case Step.CANCEL_PAYMENT:
                    cancelled = await self._cancelled(order)
                    told.outcome(cancelled)
                    return after_cancel(order, cancelled, self._clock.now(), luck)
                case Step.GIVE_BACK:
                    asked = next_refund(order)
                    given = await self._payments.refund(_payment_id(order), _give_back_key(order), asked.amount)
                    told.outcome(given)
                    return after_give_back(order, given, self._clock.now(), luck)
                case Step.REFUND:
                    refunded = await self._payments.refund(_payment_id(order), _refund_key(order))
                    told.outcome(refunded)
                    return after_refund(order, refunded, self._clock.now(), luck)

    def _after_read(
        self, step: Step, order: Order, read: Done[Payment] | NotDone[Refusal] | Unknown, luck: float
    ) -> Transition:
        now = self._clock.now()
        match step:
            case Step.READ_HOLD:
                return after_hold(order, read, now, luck)
            case Step.CATCH_UP:
                return after_catching_up(order, read, now, luck)
            case _:
                return with_decline(order, read, after_charge(order, read, now, self._action_seconds, luck))

    async def _cancelled(self, order: Order) -> Done[Payment] | NotDone[Refusal] | Unknown:
        """Give the order's payment up; one that nobody has told us of may be under way, or still to come."""
        if order.payment is not None:
            return await self._payments.cancel(_payment_id(order), f"{order.order_id}:cancel")
        assert order.total is not None, "without a total no payment can be under way"
        # A key of its own: once the payment is known, giving it up is another request.
        return await self._payments.forestall(order.order_id, order.total, f"{order.order_id}:forestall")

    def _charge(self, order: Order, leased_at: datetime) -> Charge:
        assert order.total is not None, "CHARGING is entered with the tax fixed"
        # A second less than the lease: nobody else may hold the order when money starts to move, however long this
        # process was paused.
        not_after = leased_at + timedelta(seconds=self._lease_seconds - 1.0)
        return Charge(
            _charge_key(order),
            order.order_id,
            order.total,
            order.payment_method,
            not_after,
            order.terms,
            order.draft.customer.provider_customer_id,
        )


def _what_is_told(order: Order) -> tuple[object, ...]:
    """Return what tells one move of an order from another."""
    known = order.payment and (order.payment, order.payment.version)
    stands = order.fence, order.version, order.stage, order.state, order.tries, order.refund_number, order.attempt
    beside = order.shipments, order.refunds, order.alerts, order.cancelling, order.note
    return *stands, *beside, order.tax, known, order.failure, order.needs_review


def _charge_key(order: Order) -> str:
    """Return the key of the order's present attempt. Its number was committed before, so a repetition has it too."""
    return f"{order.order_id}:charge" if order.attempt == 1 else f"{order.order_id}:charge:{order.attempt}"


def _capture_key(order: Order) -> str:
    waiting = waiting_shipment(order)
    assert waiting is not None, "CAPTURING is entered with a shipment that waits"
    return f"{order.order_id}:capture:{waiting.number}"


def _give_back_key(order: Order) -> str:
    """Return the key of the refund that is to be made, as often as it is repeated; sent anew, it is a new refund."""
    asked = next_refund(order)
    first = f"{order.order_id}:refund:{asked.number}"
    return first if asked.send == 1 else f"{first}:{asked.send}"


def _refund_key(order: Order) -> str:
    """Return the key of the order's present refund. Its number was committed before, so a repetition has it too."""
    first = order.refund_number == 1
    return f"{order.order_id}:undo" if first else f"{order.order_id}:undo:{order.refund_number}"


def _payment_id(order: Order) -> str:
    assert order.payment is not None, "only a charge that was answered leads here"
    return order.payment.payment_id
