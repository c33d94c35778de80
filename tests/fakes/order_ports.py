"""The world around the order service: tax, payment and mail services that remember, fail and answer late."""

import asyncio
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeVar

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import Charge, News
from order_svc.domain.order import Draft, Order, Payment, PaymentState, State, Tax
from order_svc.domain.saga import Refunded
from tests.fakes.order_samples import VISA, a_payment, a_tax

T = TypeVar("T")

DECLINED = "pm_card_visa_chargeDeclinedInsufficientFunds"
PAID_WITH_ANOTHER = "pm_card_chargeDeclined"  # declined, and paid with another card at that moment
NEEDS_ACTION = "pm_card_authenticationRequired"
UNKNOWN_METHOD = "pm_gone"

# AvaTax cannot place it, so neither can the fake.
NOWHERE = "00000"


class Lost(Enum):
    """What is lost of one call."""

    REQUEST = auto()
    ANSWER = auto()


@dataclass(frozen=True)
class Late:
    """The call is given up, and has its effect that many seconds later."""

    seconds: float


@dataclass(frozen=True)
class Slow:
    """The call takes that many seconds before it has its effect."""

    seconds: float


@dataclass(frozen=True)
class Held:
    """The call has its effect at once, and is answered when the event is set."""

    until: asyncio.Event


Fault = Lost | Late | Slow | Held | Refusal


class Faults:
    """Which faults the next calls of each method meet, in order."""

    def __init__(self) -> None:
        self._planned: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def plan(self, method: str, *faults: Fault) -> None:
        self._planned[method].extend(faults)

    def clear(self) -> None:
        self._planned.clear()

    async def around(
        self, method: str, act: Callable[[], Done[T] | NotDone[Refusal]]
    ) -> Done[T] | NotDone[Refusal] | Unknown:
        """Do the act as far as the next fault of the method allows."""
        await asyncio.sleep(0)  # every call to another service lets others run
        planned = self._planned[method]
        match planned.popleft() if planned else None:
            case Lost.REQUEST:
                return Unknown("request lost")
            case Lost.ANSWER:
                act()
                return Unknown("answer lost")
            case Late(seconds):
                asyncio.get_running_loop().call_later(seconds, act)
                return Unknown("timeout")
            case Slow(seconds):
                await asyncio.sleep(seconds)
                return act()
            case Held(until):
                outcome = act()
                await until.wait()
                return outcome
            case Refusal() as refusal:
                return NotDone(refusal)
            case _:
                return act()


class FakeTaxes:
    """tax_svc: a fifth of everything, except for one postal code that is nowhere.

    Attributes:
        quotes: How many quotes were asked for.
        commits: The request id of every commit that was carried out, repetitions included.
        documents: The tax of each committed document, by its code.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.quotes = 0
        self.commits: list[str] = []
        self.documents: dict[str, Money] = {}

    async def quote(self, draft: Draft) -> Done[Tax] | NotDone[Refusal] | Unknown:
        self.quotes += 1
        return await self.faults.around("quote", lambda: self._quote(draft))

    async def commit(self, order: Order) -> Done[str] | NotDone[Refusal] | Unknown:
        return await self.faults.around("commit", lambda: self._commit(order))

    def _quote(self, draft: Draft) -> Done[Tax] | NotDone[Refusal]:
        if draft.ship_to.postal_code == NOWHERE:
            return NotDone(Refusal.of_field("ship_to.postal_code", "is no such place", Reason.ADDRESS_INVALID))
        return Done(a_tax(draft))

    def _commit(self, order: Order) -> Done[str]:
        assert order.tax is not None
        self.commits.append(f"{order.order_id}:commit")
        self.documents[order.order_id] = order.tax.amount
        return Done(order.order_id)


@dataclass
class _Refund:
    order_id: str
    amount: Money
    failed: bool


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

    def keep(self, order_id: str, payment: Payment) -> None:
        """Store a change of a payment."""
        known = self.payments.get(order_id)
        self.payments[order_id] = replace(payment, version=known.version + 1 if known else 1)

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

    async def cancel(self, payment_id: str, request_id: str) -> Done[Payment] | NotDone[Refusal] | Unknown:
        return await self.faults.around("cancel", lambda: self._cancel(payment_id))

    async def refund(self, payment_id: str, request_id: str) -> Done[Refunded] | NotDone[Refusal] | Unknown:
        return await self.faults.around("refund", lambda: self._refund(payment_id, request_id))

    async def news(self) -> Done[Sequence[News]] | NotDone[Refusal] | Unknown:
        return await self.faults.around("news", self._news)

    async def acknowledge(self, payment: Payment) -> Done[None] | NotDone[Refusal] | Unknown:
        return await self.faults.around("acknowledge", lambda: self._acknowledge(payment))

    def _news(self) -> Done[Sequence[News]]:
        return Done([News(order_id, self.payments[order_id]) for order_id in self.unheard])

    def _acknowledge(self, payment: Payment) -> Done[None]:
        order_id = self._order_of(payment.payment_id)
        if self.unheard.get(order_id, payment.version + 1) <= payment.version:
            del self.unheard[order_id]
        return Done(None)

    def _charge(self, charge: Charge) -> Done[Payment] | NotDone[Refusal]:
        known = self.payments.get(charge.order_id)
        if known is not None:
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
        state = states.get(charge.payment_method, PaymentState.PENDING)
        self.keep(charge.order_id, a_payment(charge.amount, state, charge.order_id))
        if charge.payment_method == VISA:
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

    def _cancel(self, payment_id: str) -> Done[Payment] | NotDone[Refusal]:
        order_id = self._order_of(payment_id)
        payment = self.payments[order_id]
        if payment.state is not PaymentState.SUCCEEDED:
            self.keep(order_id, replace(payment, state=PaymentState.CANCELLED, client_secret=""))
        return Done(self.payments[order_id])

    def _refund(self, payment_id: str, request_id: str) -> Done[Refunded] | NotDone[Refusal]:
        order_id = self._order_of(payment_id)
        payment = self.payments[order_id]
        if request_id not in self._refunds:
            if payment.state is not PaymentState.SUCCEEDED:
                return NotDone(Refusal(Reason.ILLEGAL_STATE, "nothing was captured"))
            if not payment.kept.minor_units:
                return NotDone(Refusal(Reason.REFUND_EXCEEDS_PAYMENT, "nothing is left"))
            self.refund_keys.append(request_id)
            refund = _Refund(order_id, payment.kept, failed=order_id in self.closed)
            self._refunds[request_id] = refund
            if not refund.failed:
                self.refunds.append((order_id, refund.amount))
                self.keep(order_id, replace(payment, refunded=payment.captured))
        return Done(Refunded(self.payments[order_id], self._refunds[request_id].failed))


class FakeMails:
    """notify_svc: one notification per request id.

    Attributes:
        asked: The request id of every confirmation that was asked for, repetitions included.
        notifications: The id of each notification, by request id.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.asked: list[str] = []
        self.notifications: dict[str, str] = {}

    async def confirm(self, order: Order) -> Done[str] | NotDone[Refusal] | Unknown:
        return await self.faults.around("confirm", lambda: self._confirm(order))

    def _confirm(self, order: Order) -> Done[str] | NotDone[Refusal]:
        assert order.state is State.PAID, "no confirmation for an order that is not paid"
        request_id = f"{order.order_id}:confirmation"
        self.asked.append(request_id)
        self.notifications.setdefault(request_id, str(uuid.uuid5(uuid.NAMESPACE_OID, request_id)))
        return Done(self.notifications[request_id])
