"""Reading payments, bringing one up to date, and giving one up."""

from datetime import datetime

from kernel.clock import Clock
from kernel.ids import Ids
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.contradictions import telling_contradictions
from payment_svc.app.ports import PaymentGateway, PaymentStore, Refused, Request
from payment_svc.app.refund import Refunds
from payment_svc.app.refusals import check_use, payment_not_found, unavailable
from payment_svc.app.settlement import Settlement
from payment_svc.domain.errors import Contradiction
from payment_svc.domain.keys import cancel_key
from payment_svc.domain.payment import FINAL, Payment

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

    async def page(self, order_id: str, after: tuple[datetime, str] | None, size: int) -> tuple[list[Payment], bool]:
        """Return one page of payments, newest first, and whether more follow."""
        payments = await self._store.page(order_id, after, size + 1)
        return payments[:size], len(payments) > size


class ConfirmPayment:
    """Brings a payment and its refunds up to date with the provider, after the customer has acted or an audit asked."""

    def __init__(self, store: PaymentStore, settlement: Settlement, refunds: Refunds) -> None:
        self._store = store
        self._settlement = settlement
        self._refunds = refunds

    async def __call__(self, payment_id: str, request: Request) -> Payment:
        """Return the payment as the provider has it now.

        Raises:
            Refusal: There is none, the provider cannot be asked now, or it says what cannot be.
        """
        payment = await _claimed(self._store, payment_id, request)
        with telling_contradictions(payment.order_id):
            return await self._refunds.refresh(await self._settlement.read(payment))


class CancelPayment:
    """Gives a payment up before money has moved."""

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
        payment = await _claimed(self._store, payment_id, request)
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


async def _claimed(store: PaymentStore, payment_id: str, request: Request) -> Payment:
    """Return the payment that a command is about, once the command's key is kept: done again, it changes nothing more.

    Raises:
        Refusal: There is no such payment, or the key was used for another request.
    """
    for _ in range(_TRIES):
        found = await store.by_id(payment_id, request)
        check_use(found, request)
        if found.payment is None:
            raise payment_not_found(payment_id)
        if found.use is not None or await store.remember(request, payment_id):
            return found.payment
    raise unavailable("The request could not be kept; try again.")
