"""payment_svc as the order service meets it, in memory."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import Charge, News, Page
from order_svc.domain.draft import CaptureMode
from order_svc.domain.payment import Dispute, Payment, PaymentRefund, PaymentState, RefundState
from order_svc.domain.step import Refunded
from tests.fakes.order_faults import Faults
from tests.fakes.order_news import page_after
from tests.fakes.order_samples import VISA, a_payment

DECLINED = "pm_card_visa_chargeDeclinedInsufficientFunds"
PAID_WITH_ANOTHER = "pm_card_chargeDeclined"  # declined, and paid with another card at that moment
NEEDS_ACTION = "pm_card_authenticationRequired"
UNKNOWN_METHOD = "pm_gone"

# How long a hold lasts here, as Stripe's do.
HOLD = timedelta(days=7)


@dataclass
class _Refund:
    refund_id: str
    order_id: str
    amount: Money
    failed: bool
    by_hand: bool = False

    def told(self) -> PaymentRefund:
        state = RefundState.FAILED if self.failed else RefundState.SUCCEEDED
        why = "expired_or_canceled_card" if self.failed else ""
        return PaymentRefund(self.refund_id, f"re_{self.refund_id[:8]}", state, self.amount, self.by_hand, why)


class FakePayments:
    """payment_svc: one payment per order, whatever happens.

    Attributes:
        charges: How many charges were asked for.
        late: How many of them came after the moment at which they must not begin any more.
        payments: The payment of each order.
        captures: Every movement of money from a customer, in order.
        captured: Set at the first of them.
        refunds: Every movement back.
        refund_keys: The request id of every refund that was begun, in order.
        closed: Orders whose customer's account takes no refund.
        unheard: Payments that changed unasked, by order; their version.
        reads: The request id of every read.
    """

    def __init__(self, clock: Clock) -> None:
        self.faults = Faults()
        self.charges = 0
        self.late = 0
        self.payments: dict[str, Payment] = {}
        self.captures: list[tuple[str, Money]] = []
        self.captured = asyncio.Event()
        self.refunds: list[tuple[str, Money]] = []
        self.refund_keys: list[str] = []
        self.closed: set[str] = set()
        self.unheard: dict[str, int] = {}
        self.reads: list[str] = []
        self._clock = clock
        self._refunds: dict[str, _Refund] = {}
        self._attempts: set[str] = set()
        self._given_up_by: dict[str, tuple[str, ...]] = {}

    def kept(self, order_id: str) -> Money:
        """Return what of the customer's money the shop has."""
        payment = self.payments[order_id]
        return payment.captured - payment.refunded

    def customer_pays(self, order_id: str) -> None:
        """Let the customer pass 3-D Secure."""
        self._capture(order_id)
        self.tell(order_id)

    def customer_fails(self, order_id: str) -> None:
        """Let the customer fail 3-D Secure; another card would still be taken."""
        payment = self.payments[order_id]
        code = "authentication_failed"
        self.keep(order_id, replace(payment, state=PaymentState.DECLINED, decline_code=code, client_secret=""))
        self.tell(order_id)

    def bank_returns(self, order_id: str) -> None:
        """Have the bank send back the latest refund that had gone well."""
        refund = [each for each in self._refunds.values() if each.order_id == order_id and not each.failed][-1]
        refund.failed = True
        payment = self.payments[order_id]
        self.keep(order_id, replace(payment, refunded=payment.refunded - refund.amount))
        self.tell(order_id)

    def refunded_by_hand(self, order_id: str, amount: Money) -> None:
        """Have somebody give money back in the provider's dashboard."""
        payment = self.payments[order_id]
        self.refunds.append((order_id, amount))
        self.keep(order_id, replace(payment, refunded=payment.refunded + amount))
        self.tell(order_id)

    def adopts(self, order_id: str, amount: Money) -> None:
        """Have somebody give money back in the provider's dashboard, and payment_svc take it into its ledger."""
        by_hand = _Refund(
            str(uuid.uuid5(uuid.NAMESPACE_OID, f"{order_id}{amount}")), order_id, amount, failed=False, by_hand=True
        )
        self._refunds[by_hand.refund_id] = by_hand
        self.refunded_by_hand(order_id, amount)

    def hold_lapses(self, order_id: str) -> None:
        """Let the hold on an order's money lapse."""
        self.keep(order_id, replace(self.payments[order_id], state=PaymentState.CANCELLED))
        self.tell(order_id)

    def disputed(self, order_id: str, *disputes: Dispute) -> None:
        """Have the customer's bank ask the money back."""
        self.keep(order_id, replace(self.payments[order_id], disputes=disputes))
        self.tell(order_id)

    def keep(self, order_id: str, payment: Payment) -> None:
        """Store a change of a payment."""
        known = self.payments.get(order_id)
        refunds = tuple(each.told() for each in self._refunds.values() if each.order_id == order_id)
        self.payments[order_id] = replace(payment, version=known.version + 1 if known else 1, refunds=refunds)

    def tell(self, order_id: str) -> None:
        """Count the payment's latest change as one that nobody asked for."""
        self.unheard[order_id] = self.payments[order_id].version

    async def charge(self, charge: Charge) -> Done[Payment] | NotDone[Refusal] | Unknown:
        self.charges += 1
        self.late += self._clock.now() > charge.not_after
        return await self.faults.around("charge", lambda: self._charge(charge))

    async def read(self, payment_id: str, request_id: str) -> Done[Payment] | NotDone[Refusal] | Unknown:
        self.reads.append(request_id)
        return await self.faults.around("read", lambda: self._read(payment_id))

    async def capture(
        self, payment_id: str, request_id: str, amount: Money
    ) -> Done[Payment] | NotDone[Refusal] | Unknown:
        return await self.faults.around("capture", lambda: self._take_held(payment_id, amount))

    async def forestall(
        self, order_id: str, amount: Money, request_id: str
    ) -> Done[Payment] | NotDone[Refusal] | Unknown:
        return await self.faults.around(
            "forestall", lambda: self._once(request_id, ("", order_id), lambda: self._forestall(order_id, amount))
        )

    async def cancel(self, payment_id: str, request_id: str) -> Done[Payment] | NotDone[Refusal] | Unknown:
        return await self.faults.around(
            "cancel", lambda: self._once(request_id, (payment_id,), lambda: self._cancel(payment_id))
        )

    async def refund(
        self, payment_id: str, request_id: str, amount: Money | None = None
    ) -> Done[Refunded] | NotDone[Refusal] | Unknown:
        return await self.faults.around("refund", lambda: self._refund(payment_id, request_id, amount))

    async def news(self, after: str = "") -> Done[Page[News]] | NotDone[Refusal] | Unknown:
        return await self.faults.around("news", lambda: self._news(after))

    async def acknowledge(self, payment: Payment) -> Done[None] | NotDone[Refusal] | Unknown:
        return await self.faults.around("acknowledge", lambda: self._acknowledge(payment))

    def _news(self, after: str) -> Done[Page[News]]:
        return Done(page_after({each: News(each, self.payments[each]) for each in self.unheard}, after))

    def _acknowledge(self, payment: Payment) -> Done[None]:
        order_id = self._order_of(payment.payment_id)
        if self.unheard.get(order_id, payment.version + 1) <= payment.version:
            del self.unheard[order_id]
        return Done(None)

    def _charge(self, charge: Charge) -> Done[Payment] | NotDone[Refusal]:
        known = self.payments.get(charge.order_id)
        anew = charge.request_id not in self._attempts
        if known is not None and known.state is PaymentState.CANCELLED and anew:
            return NotDone(Refusal(Reason.ILLEGAL_STATE, "the payment was given up"))
        again = known is not None and known.state is PaymentState.DECLINED and anew
        self._attempts.add(charge.request_id)
        if known is not None and not again:
            assert known.amount == charge.amount, "the amount of an order never changes between attempts"
            return Done(known)
        if self._clock.now() > charge.not_after:
            return NotDone(Refusal(Reason.VERSION_MISMATCH, "not_after has passed"))
        if charge.payment_method == UNKNOWN_METHOD:
            return NotDone(Refusal.of_field("payment_method", "is unknown", Reason.PAYMENT_METHOD_INVALID))
        states = {
            DECLINED: PaymentState.DECLINED,
            PAID_WITH_ANOTHER: PaymentState.DECLINED,
            NEEDS_ACTION: PaymentState.ACTION_REQUIRED,
        }
        held = charge.terms.capture is CaptureMode.ON_SHIPMENT and charge.payment_method == VISA
        state = PaymentState.AUTHORIZED if held else states.get(charge.payment_method, PaymentState.PENDING)
        ends = self._clock.now() + HOLD if held else None
        self.keep(charge.order_id, a_payment(charge.amount, state, charge.order_id, hold_expires_at=ends))
        if charge.payment_method == VISA and not held:
            self._capture(charge.order_id)
        answer = self.payments[charge.order_id]
        if charge.payment_method == PAID_WITH_ANOTHER:
            self.customer_pays(charge.order_id)
        return Done(answer)

    def _capture(self, order_id: str) -> None:
        payment = self.payments[order_id]
        if payment.state not in {PaymentState.CANCELLED, PaymentState.SUCCEEDED}:
            self.captures.append((order_id, payment.amount))
            self.captured.set()
            self.keep(order_id, a_payment(payment.amount, PaymentState.SUCCEEDED, order_id))

    def _read(self, payment_id: str) -> Done[Payment] | NotDone[Refusal]:
        for payment in self.payments.values():
            if payment.payment_id == payment_id:
                return Done(payment)
        return NotDone(Refusal(Reason.PAYMENT_NOT_FOUND, "no such payment"))

    def _order_of(self, payment_id: str) -> str:
        return next(order_id for order_id, each in self.payments.items() if each.payment_id == payment_id)

    def _once(
        self, request_id: str, said: tuple[str, ...], act: Callable[[], Done[Payment] | NotDone[Refusal]]
    ) -> Done[Payment] | NotDone[Refusal]:
        """Give a payment up, unless the key was used for another request."""
        if self._given_up_by.setdefault(request_id, said) != said:
            return NotDone(Refusal(Reason.REQUEST_ID_REUSED, "the key was used for another request"))
        return act()

    def _take_held(self, payment_id: str, amount: Money) -> Done[Payment] | NotDone[Refusal]:
        order_id = self._order_of(payment_id)
        payment = self.payments[order_id]
        if payment.state is PaymentState.AUTHORIZED:
            self.captures.append((order_id, amount))
            taken = replace(payment, state=PaymentState.SUCCEEDED, captured=amount, hold_expires_at=None)
            self.keep(order_id, taken)
        return Done(self.payments[order_id])

    def _forestall(self, order_id: str, amount: Money) -> Done[Payment] | NotDone[Refusal]:
        if order_id not in self.payments:
            self.keep(order_id, a_payment(amount, PaymentState.CANCELLED, order_id))
        return self._cancel(self.payments[order_id].payment_id)

    def _cancel(self, payment_id: str) -> Done[Payment] | NotDone[Refusal]:
        order_id = self._order_of(payment_id)
        payment = self.payments[order_id]
        if payment.state is not PaymentState.SUCCEEDED:
            self.keep(order_id, replace(payment, state=PaymentState.CANCELLED, client_secret=""))
        return Done(self.payments[order_id])

    def _refund(self, payment_id: str, request_id: str, amount: Money | None) -> Done[Refunded] | NotDone[Refusal]:
        order_id = self._order_of(payment_id)
        payment = self.payments[order_id]
        if request_id not in self._refunds:
            if payment.state is not PaymentState.SUCCEEDED:
                return NotDone(Refusal(Reason.ILLEGAL_STATE, "nothing was captured"))
            wanted = payment.kept if amount is None else amount
            if not payment.kept.minor_units or wanted.minor_units > payment.kept.minor_units:
                return NotDone(Refusal(Reason.REFUND_EXCEEDS_PAYMENT, "nothing is left"))
            self.refund_keys.append(request_id)
            refund_id = str(uuid.uuid5(uuid.NAMESPACE_OID, request_id))
            refund = _Refund(refund_id, order_id, wanted, failed=order_id in self.closed)
            self._refunds[request_id] = refund
            if not refund.failed:
                self.refunds.append((order_id, refund.amount))
                self.keep(order_id, replace(payment, refunded=payment.refunded + wanted))
        return Done(Refunded(self.payments[order_id], self._refunds[request_id].told()))
