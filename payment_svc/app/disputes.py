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

        Whoever else changed the payment meanwhile may have read a dispute later than we did: then it is read anew, and
        what we had read is dropped.

        Raises:
            Refusal: The provider cannot be asked now, or the payment is being changed by others all the time.
        """
        for _ in range(_TRIES):
            listed = await self._listed(payment.intent_id)
            for dispute in listed:
                taken_in = await self._taken_in(payment, dispute)
                if taken_in is None:
                    break
                payment = taken_in
            else:
                return payment
            current = await self._store.get(payment.payment_id)
            if current is None:
                raise payment_not_found(payment.payment_id)
            payment = current
        raise unavailable("The payment is being changed by others; try again.")

    async def _listed(self, intent_id: str) -> list[Dispute]:
        match await self._gateway.list_disputes(intent_id):
            case Done(listed):
                return listed
            case NotDone(refused):
                raise unavailable(f"Stripe cannot be asked about the disputes now ({refused.code}).")
            case Unknown(cause, retry_after):
                raise unavailable(f"Stripe cannot be asked about the disputes now ({cause}).", retry_after)

    async def _taken_in(self, payment: Payment, dispute: Dispute) -> Payment | None:
        """Keep a dispute as it was read; None when somebody else changed the payment first."""
        after = payment.with_dispute(dispute, self._clock.now()).noticed(payment)
        if after is payment:
            return payment
        new = all(each.dispute_id != dispute.dispute_id for each in payment.disputes)
        return after if await self._store.save_dispute(after, dispute, new=new) else None
