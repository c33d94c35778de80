"""Reading payments, bringing one up to date, and giving one up."""

from datetime import datetime

from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.ids import Ids
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.claim import claimed
from payment_svc.app.contradictions import telling_contradictions
from payment_svc.app.disputes import Disputes
from payment_svc.app.ports import PaymentGateway, PaymentStore, Refused, Request
from payment_svc.app.refund import Refunds
from payment_svc.app.refusals import check_use, payment_not_found, unavailable
from payment_svc.app.settlement import Settlement
from payment_svc.domain.errors import Contradiction
from payment_svc.domain.keys import cancel_key
from payment_svc.domain.opening import never_begun
from payment_svc.domain.payment import FINAL, Payment, PaymentState

# How often to start over after another writer was first.
_TRIES = 4


class ReadPayments:
    """Reads payments as they were last known."""

    def __init__(self, store: PaymentStore) -> None:
        self._store = store

    async def one(self, payment_id: str) -> Payment:
        """Return a payment.

        Raises:
            Refusal: There is none.
        """
        payment = await self._store.get(payment_id)
        if payment is None:
            raise payment_not_found(payment_id)
        return payment

    async def page(
        self, order_id: str, after: tuple[datetime, str] | None, size: int, *, disputed: bool
    ) -> tuple[list[Payment], bool]:
        """Return one page of payments, newest first, and whether more follow; the rest as in PaymentStore."""
        payments = await self._store.page(order_id, after, size + 1, disputed=disputed)
        return payments[:size], len(payments) > size


class ConfirmPayment:
    """Brings a payment, its refunds and its disputes up to date, after the customer has acted or an audit asked."""

    def __init__(self, store: PaymentStore, settlement: Settlement, refunds: Refunds, disputes: Disputes) -> None:
        self._store = store
        self._settlement = settlement
        self._refunds = refunds
        self._disputes = disputes

    async def __call__(self, payment_id: str, request: Request) -> Payment:
        """Return the payment as the provider has it now.

        Raises:
            Refusal: There is none, the provider cannot be asked now, or it says what cannot be.
        """
        payment = await claimed(self._store, payment_id, request)
        with telling_contradictions(payment.order_id):
            payment, intent = await self._settlement.examine(payment)
            if payment.state is PaymentState.SUCCEEDED:
                payment = await self._refunds.refresh(payment)
                if intent is not None and intent.disputed:
                    payment = await self._disputes.refresh(payment)
            return payment


class CancelPayment:
    """Gives a payment up before money has moved, and releases what is held."""

    def __init__(
        self, gateway: PaymentGateway, store: PaymentStore, settlement: Settlement, clock: Clock, ids: Ids
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._settlement = settlement
        self._clock = clock
        self._ids = ids

    async def __call__(self, payment_id: str, request: Request) -> Payment:
        """Return the payment, CANCELLED, or SUCCEEDED where the money had moved already.

        Raises:
            Refusal: There is none, whether it was given up is not known now, or the provider says what cannot be.
        """
        return await self._given_up(await claimed(self._store, payment_id, request))

    async def of_order(self, order_id: str, amount: Money | None, request: Request) -> Payment:
        """Return the payment of an order, as above. One that was never asked for is kept as CANCELLED.

        A charge that is under way at the same time either finds that, and moves nothing; or it has kept its payment
        first, and that is then given up at the provider.

        Args:
            order_id: The order.
            amount: What was to be paid; needed where there is no payment yet.
            request: The command's key.

        Raises:
            Refusal: As above, or the amount is missing.
        """
        for _ in range(_TRIES):
            found = await self._store.by_order(order_id, request)
            check_use(found, request)
            if found.payment is None:
                given_up = never_begun(order_id, _needed(amount), self._clock.now(), request.trace)
                if await self._store.add(given_up, None, request):
                    return given_up
            elif found.use is not None or await self._store.remember(request, found.payment.payment_id):
                return await self._given_up(found.payment)
        raise unavailable("The request could not be kept; try again.")

    async def _given_up(self, payment: Payment) -> Payment:
        with telling_contradictions(payment.order_id):
            return payment if payment.state in FINAL else await self._cancelled(payment)

    async def _cancelled(self, payment: Payment) -> Payment:
        # A new key each time: cancelling twice changes nothing, and an error kept under an old key would be in the way.
        match await self._gateway.cancel_intent(payment.intent_id, cancel_key(payment.order_id, self._ids.new())):
            case Done(intent):
                return await self._settlement.record(payment.seen(intent, self._clock.now()))
            case NotDone(refused):
                if isinstance(refused, Refused):
                    raise Contradiction(f"payment {payment.payment_id}: it cannot be cancelled ({refused.code})")
                payment = await self._settlement.read(payment)
            case Unknown():
                payment = await self._settlement.read(payment)
        if payment.state not in FINAL:
            raise unavailable("Whether the payment was given up is not known yet; repeat the request to learn it.")
        return payment


def _needed(amount: Money | None) -> Money:
    if amount is None:
        raise Refusal.of_field("amount", "is needed with order_id: the order has no payment yet")
    return amount
