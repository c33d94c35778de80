"""Settling a payment by reading: what the provider has now is what is true."""

from kernel.clock import Clock
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.ports import PaymentGateway, PaymentStore, Request
from payment_svc.app.refusals import payment_not_found, unavailable
from payment_svc.app.schedule import Schedule
from payment_svc.domain.errors import Contradiction
from payment_svc.domain.intent import Intent
from payment_svc.domain.payment import Payment

# How often to start over when others change the payment at the same time; they are few, so one time mostly does.
_TRIES = 4


class Settlement:
    """Brings payments up to date with their intents.

    Args:
        gateway: The provider.
        store: Where payments are kept.
        clock: The present.
        schedule: When the worker looks after what is open.
        unasked: Whether no order waits for the answer, so that what has changed is news.
    """

    def __init__(
        self,
        gateway: PaymentGateway,
        store: PaymentStore,
        clock: Clock,
        schedule: Schedule,
        *,
        unasked: bool = False,
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._clock = clock
        self._schedule = schedule
        self._unasked = unasked

    async def read(self, payment: Payment) -> Payment:
        """Return the payment as its intent is now, and keep that.

        Raises:
            Refusal: The provider cannot be asked now.
            Contradiction: The intent cannot be this payment's.
        """
        return (await self.examine(payment))[0]

    async def examine(self, payment: Payment) -> tuple[Payment, Intent | None]:
        """Return the payment as its intent is now, kept, and the intent; None for a payment that never had one.

        Raises:
            Refusal: The provider cannot be asked now.
            Contradiction: The intent cannot be this payment's.
        """
        if not payment.intent_id:
            return payment, None
        for _ in range(_TRIES):
            match await self._gateway.read_intent(payment.intent_id):
                case Done(intent):
                    after = payment.seen(intent, self._clock.now())
                    if self._unasked:
                        after = after.noticed(payment)
                    if after is payment or await self.keep(after):
                        return after, intent
                    payment = await self.current(payment.payment_id)
                case NotDone(refused):
                    raise Contradiction(f"payment {payment.payment_id}: its intent cannot be read ({refused.code})")
                case Unknown(cause, retry_after):
                    raise unavailable(f"Stripe cannot be asked about the payment now ({cause}).", retry_after)
        raise unavailable("The payment is being changed by others; try again.")

    async def keep(self, payment: Payment, request: Request | None = None) -> bool:
        """Keep the next version of a payment; False as in PaymentStore."""
        look_at = None
        if payment.live:
            look_at = self._schedule.after(payment.updated_at, payment.updated_at)
        elif payment.hold_expires_at is not None:
            # A hold lapses by itself; that it did is learned by looking, where no webhook tells.
            look_at = payment.hold_expires_at + self._schedule.first
        return await self._store.save(payment, look_at, request)

    async def record(self, after: Payment) -> Payment:
        """Keep what the open attempt has come to, also when the payment changed in the meantime.

        Returns:
            The payment as it is kept.

        Raises:
            Refusal: It could not be kept. The attempt stays open and will be settled by reading.
        """
        for _ in range(_TRIES):
            if await self.keep(after):
                return after
            current = await self.current(after.payment_id)
            if current.version >= after.version:
                # Another was first, or our own commit came through unheard. All of it comes from the provider: where
                # the two differ, it says which is true.
                return current if current.state is after.state else await self.read(current)
        raise unavailable("The payment is being changed by others; try again.")

    async def current(self, payment_id: str) -> Payment:
        """Return the payment as it is kept.

        Raises:
            Refusal: There is none.
        """
        payment = await self._store.get(payment_id)
        if payment is None:
            raise payment_not_found(payment_id)
        return payment
