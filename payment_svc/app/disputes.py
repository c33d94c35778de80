"""Following disputes: what the customer's bank has asked back, as the provider has it now."""

from kernel.clock import Clock
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.ports import PaymentGateway, PaymentStore
from payment_svc.app.refusals import payment_not_found, unavailable
from payment_svc.domain.dispute import Dispute
from payment_svc.domain.payment import Payment

# How often to start over after another writer was first.
_TRIES = 4


class Disputes:
    """Takes disputes in. Nobody asks for one, so each change is news whoever finds it.

    Args:
        gateway: The provider.
        store: Where payments and disputes are kept.
        clock: The present.
    """

    def __init__(self, gateway: PaymentGateway, store: PaymentStore, clock: Clock) -> None:
        self._gateway = gateway
        self._store = store
        self._clock = clock

    async def refresh(self, payment: Payment) -> Payment:
        """Read all disputes of a payment whose money was taken, and return it as it is kept then.

        Raises:
            Refusal: The provider cannot be asked now.
        """
        match await self._gateway.list_disputes(payment.intent_id):
            case Done(listed):
                for dispute in listed:
                    payment = await self._taken_in(payment, dispute)
                return payment
            case NotDone(refused):
                raise unavailable(f"Stripe cannot be asked about the disputes now ({refused.code}).")
            case Unknown(cause, retry_after):
                raise unavailable(f"Stripe cannot be asked about the disputes now ({cause}).", retry_after)

    async def _taken_in(self, payment: Payment, dispute: Dispute) -> Payment:
        for _ in range(_TRIES):
            after = payment.with_dispute(dispute, self._clock.now()).noticed(payment)
            if after is payment:
                return payment
            new = all(each.dispute_id != dispute.dispute_id for each in payment.disputes)
            if await self._store.save_dispute(after, dispute, new=new):
                return after
            current = await self._store.get(payment.payment_id)
            if current is None:
                raise payment_not_found(payment.payment_id)
            payment = current
        raise unavailable("The payment is being changed by others; try again.")
