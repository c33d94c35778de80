"""How the payment of an order begins: with an unconfirmed intent, or given up before there was one."""

from datetime import datetime

from kernel.money import Money
from payment_svc.domain.errors import Contradiction
from payment_svc.domain.intent import PLAIN, Intent, IntentStatus, Manner, NewIntent
from payment_svc.domain.payment import Payment, PaymentState, check_intent, payment_id_of


def opened(
    new: NewIntent, intent: Intent, *, payment_method: str, now: datetime, trace: str = "", manner: Manner = PLAIN
) -> Payment:
    """Return the payment of an order whose intent was just made, with its first attempt open.

    Raises:
        Contradiction: The intent is not what was asked for, or money has moved on it already.
    """
    check_intent(intent, new.payment_id, new.order_id, new.amount)
    if intent.status is not IntentStatus.UNCONFIRMED:
        raise Contradiction(f"the new intent {intent.intent_id} of order {new.order_id} is already {intent.status}")
    nothing = Money.zero(new.amount.currency_code)
    return Payment(
        payment_id=new.payment_id,
        order_id=new.order_id,
        version=1,
        state=PaymentState.PENDING,
        amount=new.amount,
        captured=nothing,
        refunded=nothing,
        intent_id=intent.intent_id,
        attempt=1,
        payment_method=payment_method,
        past_failure="",
        decline=None,
        created_at=now,
        updated_at=now,
        trace=trace,
        capture_mode=new.capture_mode,
        customer_id=new.customer_id,
        manner=manner,
    )


def never_begun(order_id: str, amount: Money, now: datetime, trace: str = "") -> Payment:
    """Return the payment of an order that was given up before it was charged: a charge that comes later finds it so."""
    nothing = Money.zero(amount.currency_code)
    return Payment(
        payment_id=payment_id_of(order_id),
        order_id=order_id,
        version=1,
        state=PaymentState.CANCELLED,
        amount=amount,
        captured=nothing,
        refunded=nothing,
        intent_id="",
        attempt=0,
        payment_method="",
        past_failure="",
        decline=None,
        created_at=now,
        updated_at=now,
        trace=trace,
    )
