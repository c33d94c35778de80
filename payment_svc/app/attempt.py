"""Driving one open attempt to its end: confirm, and where the answer is missing, read before anything else is tried."""

from datetime import datetime

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.patience import PAUSES, Patience, Retries
from payment_svc.app.ports import KeySpent, PaymentGateway, WrongState
from payment_svc.app.refusals import unavailable
from payment_svc.app.settlement import Settlement
from payment_svc.domain.errors import Contradiction
from payment_svc.domain.intent import Intent, IntentStatus
from payment_svc.domain.keys import confirm_key
from payment_svc.domain.payment import Payment, PaymentState


class Attempts:
    """Drives attempts."""

    def __init__(self, gateway: PaymentGateway, settlement: Settlement, clock: Clock, retries: Retries) -> None:
        self._gateway = gateway
        self._settlement = settlement
        self._clock = clock
        self._retries = retries

    async def drive(self, payment: Payment, not_after: datetime | None, *, fresh: bool) -> Payment:
        """Return the payment once its open attempt has been answered.

        Args:
            payment: Its attempt is open and kept.
            not_after: After this moment the attempt must not be started.
            fresh: Whether this run opened the attempt. Otherwise it may have been answered already, so read first.

        Raises:
            Refusal: UNAVAILABLE while the outcome is not known; DEADLINE_EXCEEDED when it was too late to confirm.
            Contradiction: The provider says what cannot be.
        """
        patience = Patience(self._clock, self._retries)
        look, key_spent, retry_after = not fresh, False, 0.0
        for pause in PAUSES:
            if not await patience.wait(max(pause, retry_after)):
                break
            if look:
                seen = await self._look(payment)
                if isinstance(seen, Payment):
                    return seen
                if isinstance(seen, Unknown):
                    retry_after = seen.retry_after or 0.0
                    continue
                if key_spent:
                    payment = await self._rekeyed(payment)
                    if payment.state is not PaymentState.PENDING:
                        return payment
            check_time(not_after, self._clock)
            outcome = await self._confirm(payment)
            if isinstance(outcome, Payment):
                return outcome
            look, key_spent, retry_after = True, isinstance(outcome, KeySpent), outcome.retry_after or 0.0
        raise unavailable(
            "Whether the payment went through is not known yet; repeat the request to learn it.", retry_after
        )

    async def _look(self, payment: Payment) -> Payment | Unknown | None:
        """Read the intent. None means that this attempt has not been answered: it may be confirmed (again)."""
        match await self._gateway.read_intent(payment.intent_id):
            case Done(intent):
                return await self._concluded(payment, intent)
            case NotDone(refused):
                raise Contradiction(f"payment {payment.payment_id}: its intent cannot be read ({refused.code})")
            case Unknown() as unknown:
                return unknown

    async def _confirm(self, payment: Payment) -> Payment | Unknown:
        """Confirm the intent; sent again under the same key, it is the same confirmation."""
        key, method = confirm_key(payment.order_id, payment.attempt), payment.payment_method
        match await self._gateway.confirm_intent(payment.intent_id, method, key, payment.manner):
            case Done(intent):
                return await self._concluded(payment, intent) or Unknown("confirmed and still unconfirmed")
            case NotDone(refused):
                if isinstance(refused, WrongState):
                    return Unknown("not in a state to be confirmed")
                return await self._settlement.record(payment.declined(refused, self._clock.now()))
            case Unknown() as unknown:
                return unknown

    async def _concluded(self, payment: Payment, intent: Intent) -> Payment | None:
        """Return the payment when the intent shows that the attempt was answered, or is under way at the bank."""
        after = payment.seen(intent, self._clock.now())
        if after is not payment:
            return await self._settlement.record(after)
        return None if intent.status is IntentStatus.UNCONFIRMED else payment

    async def _rekeyed(self, payment: Payment) -> Payment:
        """Return the payment with a new key for the attempt, or as somebody else has changed it."""
        after = payment.rekeyed(self._clock.now())
        if await self._settlement.keep(after):
            return after
        return await self._settlement.current(payment.payment_id)


def check_time(not_after: datetime | None, clock: Clock) -> None:
    """Refuse to start a charge after the moment that its caller set; None sets none.

    The reason leaves the outcome open, because an earlier run of the same request may have started it.

    Raises:
        Refusal: It is too late.
    """
    if not_after is not None and clock.now() > not_after:
        raise Refusal(Reason.DEADLINE_EXCEEDED, "not_after has passed, so the charge was not started by this call.")
