"""Taking money that is held: once, whole or in part; the rest is released."""

from dataclasses import dataclass

from kernel.clock import Clock
from kernel.errors import FieldViolation, Reason, Refusal
from kernel.ids import Ids
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.claim import claimed
from payment_svc.app.contradictions import telling_contradictions
from payment_svc.app.ports import AmountRules, KeySpent, PaymentGateway, PaymentStore, Refused, Request
from payment_svc.app.refusals import amount_refused, provider_refused, unavailable
from payment_svc.app.settlement import Settlement
from payment_svc.domain.keys import capture_key
from payment_svc.domain.payment import FINAL, Payment, PaymentState, illegal

# How many keys one call may use up.
_SENDS = 3


@dataclass(frozen=True, slots=True)
class Capture:
    """The command.

    Attributes:
        payment_id: The payment.
        amount: What to take; None means all that is held.
    """

    payment_id: str
    amount: Money | None


@dataclass(frozen=True, slots=True)
class CapturePorts:
    """What capturing needs."""

    gateway: PaymentGateway
    amounts: AmountRules
    store: PaymentStore
    settlement: Settlement
    clock: Clock
    ids: Ids


class CapturePayment:
    """Takes what is held.

    That nothing is taken twice is the provider's own law: an intent is captured once, under whatever key, and one that
    was captured refuses every other capture. So a lost answer is settled by reading, and may be asked for again.

    Args:
        ports: What it needs.
    """

    def __init__(self, ports: CapturePorts) -> None:
        self._ports = ports

    async def __call__(self, capture: Capture, request: Request) -> Payment:
        """Return the payment: SUCCEEDED with what was taken, now or before, or CANCELLED where the hold has lapsed.

        Raises:
            Refusal: Nothing is held, or the amount cannot be taken of it. UNAVAILABLE leaves open whether it was taken:
                repeat the request. Or the provider says what cannot be.
        """
        payment = await claimed(self._ports.store, capture.payment_id, request)
        with telling_contradictions(payment.order_id):
            if payment.live:
                payment = await self._ports.settlement.read(payment)
            if payment.state in FINAL:
                return payment
            if payment.state is not PaymentState.AUTHORIZED:
                raise illegal(payment, "a capture", PaymentState.AUTHORIZED)
            return await self._captured(payment, self._checked(payment, capture.amount))

    async def _captured(self, payment: Payment, amount: Money) -> Payment:
        ports, retry_after = self._ports, None
        key = capture_key(payment.order_id, amount.minor_units)
        for _ in range(_SENDS):
            outcome = await ports.gateway.capture_intent(payment.intent_id, amount, key)
            if isinstance(outcome, Done):
                return await ports.settlement.record(payment.seen(outcome.value, ports.clock.now()))
            # Whatever the answer was: if the intent was captured, or its hold is gone, that is what is true.
            payment = await ports.settlement.read(payment)
            if payment.state in FINAL:
                return payment
            match outcome:
                case NotDone(Refused(code)):
                    raise provider_refused(payment.order_id, code)
                case KeySpent():
                    key = capture_key(payment.order_id, amount.minor_units, ports.ids.new())
                case Unknown():
                    retry_after = outcome.retry_after
                    break
                case NotDone():
                    break  # in no state to be captured, and still held when read: others are at it
        raise unavailable("Whether the money was taken is not known yet; repeat the request to learn it.", retry_after)

    def _checked(self, payment: Payment, amount: Money | None) -> Money:
        """Return what to take.

        Raises:
            Refusal: It cannot be taken of what is held.
        """
        held = payment.amount
        if amount is None:
            return held
        if amount.currency_code != held.currency_code:
            raise Refusal.of_field("amount.currency_code", f"the money is held in {held.currency_code}")
        if amount.minor_units <= 0:
            raise Refusal.of_field("amount.minor_units", "must be more than 0; cancel the payment to take nothing")
        if amount.minor_units > held.minor_units:
            why = f"{amount} is more than the {held} that is held"
            raise Refusal(
                Reason.AMOUNT_OUT_OF_RANGE,
                why,
                metadata={"maximumMinorUnits": str(held.minor_units)},
                fields=(FieldViolation("amount.minor_units", why),),
            )
        refused = self._ports.amounts.to_refund(amount)
        if refused is not None:
            raise amount_refused(amount, refused)
        return amount
