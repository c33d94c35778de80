"""A payment: its states, its legal moves, and what an answer of the provider means for it."""

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from kernel.errors import Reason, Refusal
from kernel.money import Money
from payment_svc.domain.dispute import Dispute
from payment_svc.domain.errors import Contradiction
from payment_svc.domain.intent import PLAIN, CaptureMode, Decline, Intent, IntentStatus, Manner, ProviderRefund
from payment_svc.domain.refund import Refund, found_refund

# Any UUID will do, as long as it never changes: payment ids are made from it.
_NAMESPACE = uuid.UUID("6f1d7f0e-6d0e-5c3b-9a55-2f8f3f1c9d10")


class PaymentState(StrEnum):
    """The states of a payment: those of the contract."""

    PENDING = "PENDING"
    """An attempt is open: whether money moved is not known yet."""
    ACTION_REQUIRED = "ACTION_REQUIRED"
    AUTHORIZED = "AUTHORIZED"
    SUCCEEDED = "SUCCEEDED"
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"


# Where a payment may go from each state. Paid and given up are final: nothing that happens afterwards changes them.
MOVES: dict[PaymentState, frozenset[PaymentState]] = {
    PaymentState.PENDING: frozenset(PaymentState),
    PaymentState.ACTION_REQUIRED: frozenset(PaymentState),
    PaymentState.AUTHORIZED: frozenset({PaymentState.AUTHORIZED, PaymentState.SUCCEEDED, PaymentState.CANCELLED}),
    # A customer who was declined may still pay with another card in the browser.
    PaymentState.DECLINED: frozenset(PaymentState),
    PaymentState.SUCCEEDED: frozenset({PaymentState.SUCCEEDED}),
    PaymentState.CANCELLED: frozenset({PaymentState.CANCELLED}),
}

# What an intent's status says about the payment. Unconfirmed is missing: it says nothing by itself.
STATE_OF: dict[IntentStatus, PaymentState] = {
    IntentStatus.ACTION_REQUIRED: PaymentState.ACTION_REQUIRED,
    IntentStatus.PROCESSING: PaymentState.PENDING,
    IntentStatus.AUTHORIZED: PaymentState.AUTHORIZED,
    IntentStatus.SUCCEEDED: PaymentState.SUCCEEDED,
    IntentStatus.CANCELLED: PaymentState.CANCELLED,
}

# Nothing that happens at the provider changes these any more.
FINAL = frozenset({PaymentState.SUCCEEDED, PaymentState.CANCELLED})

# The states in which an intent may be unconfirmed.
_RETRIABLE = frozenset({PaymentState.PENDING, PaymentState.ACTION_REQUIRED, PaymentState.DECLINED})

# How long a card's money is held where the provider does not say: "uncaptured payments are canceled after 7 days".
HOLD = timedelta(days=7)

# The states in which the provider may move the payment on without being asked, so that somebody has to look.
_LIVE = frozenset({PaymentState.PENDING, PaymentState.ACTION_REQUIRED})


def payment_id_of(order_id: str) -> str:
    """Return the id of the one payment of an order.

    It follows from the order, so that a charge that is begun again after a crash says the same to the provider.
    """
    return str(uuid.uuid5(_NAMESPACE, order_id))


@dataclass(frozen=True, slots=True)
class Payment:
    """The money of one order.

    Attributes:
        payment_id: Our id.
        order_id: The order; it has one payment, whatever happens.
        version: +1 with each change: the fence against a change that was decided on an older state.
        state: Where it stands.
        amount: What is to be paid; it never changes.
        captured: What was taken.
        refunded: What was given back, pending refunds included.
        intent_id: The provider's id; empty for one that was given up before it began.
        attempt: Number of the latest attempt, from 1; part of its idempotency key.
        payment_method: The latest attempt's.
        past_failure: failure_id of the attempt before, which the intent goes on showing until this one is answered.
        decline: Why the latest attempt failed, if it did.
        created_at: When it was first asked for, to the millisecond.
        updated_at: When it last changed.
        trace: The W3C traceparent of the call that first asked for it; empty for none.
        capture_mode: When the money is taken; it never changes.
        customer_id: The provider's id of the saved customer; empty for guests. It never changes.
        manner: How the latest attempt uses its payment method.
        hold_expires_at: Until when the money is held. Only while the state is AUTHORIZED.
        refunds: Oldest first.
        disputes: Oldest first.
        news_at: Since when it has been news: its order has not taken in a change that it did not ask for. None when it
            has heard of all.
        client_secret: What the customer's browser needs while the state is ACTION_REQUIRED. Not in the repr.
    """

    payment_id: str
    order_id: str
    version: int
    state: PaymentState
    amount: Money
    captured: Money
    refunded: Money
    intent_id: str
    attempt: int
    payment_method: str
    past_failure: str
    decline: Decline | None
    created_at: datetime
    updated_at: datetime
    trace: str = ""
    capture_mode: CaptureMode = CaptureMode.AT_PLACEMENT
    customer_id: str = ""
    manner: Manner = PLAIN
    hold_expires_at: datetime | None = None
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    news_at: datetime | None = None
    client_secret: str = field(default="", repr=False)

    @property
    def live(self) -> bool:
        """Whether the provider may still move it without being asked."""
        return self.state in _LIVE

    @property
    def refundable(self) -> Money:
        """What can still be given back."""
        return self.captured - self.refunded

    def seen(self, intent: Intent, now: datetime) -> "Payment":
        """Return the payment after the intent was read; itself when that says nothing new.

        Raises:
            Contradiction: The intent cannot be this payment's, or not in this state.
        """
        check_intent(intent, self.payment_id, self.order_id, self.amount)
        if intent.intent_id != self.intent_id:
            raise Contradiction(f"payment {self.payment_id}: intent {intent.intent_id} came for {self.intent_id}")
        state, decline = self._meaning(intent)
        if state not in MOVES[self.state]:
            raise Contradiction(f"payment {self.payment_id} is {self.state} and its intent is {intent.status}")
        if state is PaymentState.SUCCEEDED and not self._may_take(intent.captured):
            raise Contradiction(f"payment {self.payment_id}: {intent.captured} was taken where {self.amount} was due")
        after = replace(
            self,
            state=state,
            decline=decline,
            captured=intent.captured if state is PaymentState.SUCCEEDED else self.captured,
            client_secret=intent.client_secret if state is PaymentState.ACTION_REQUIRED else "",
            hold_expires_at=self._held_until(intent, now) if state is PaymentState.AUTHORIZED else None,
        )
        return self if after == self else replace(after, version=self.version + 1, updated_at=now)

    def told(self) -> tuple[object, ...]:
        """Return what matters to the order."""
        refunds = tuple((each.refund_id, each.state) for each in self.refunds)
        disputes = tuple((each.dispute_id, each.state) for each in self.disputes)
        return self.state, self.decline, self.captured, self.refunded, refunds, disputes

    def noticed(self, before: "Payment") -> "Payment":
        """Return the payment, changed without its order's asking, as news where the order has something to learn.

        Args:
            before: The payment before the change.
        """
        if self.told() == before.told():
            return self
        return replace(self, news_at=self.news_at or self.updated_at)

    def declined(self, decline: Decline, now: datetime) -> "Payment":
        """Return the payment after the provider refused the open attempt."""
        return replace(
            self,
            version=self.version + 1,
            state=PaymentState.DECLINED,
            decline=decline,
            client_secret="",
            updated_at=now,
        )

    def retried(self, payment_method: str, manner: Manner, now: datetime) -> "Payment":
        """Return the payment with a new attempt open, on the same intent.

        Raises:
            Refusal: The latest attempt was not declined.
        """
        if self.state is not PaymentState.DECLINED or self.decline is None:
            raise illegal(self, "a new attempt", PaymentState.DECLINED)
        past_failure = self.decline.failure_id or self.past_failure
        return replace(self.rekeyed(now), payment_method=payment_method, manner=manner, past_failure=past_failure)

    def rekeyed(self, now: datetime) -> "Payment":
        """Return the payment with an attempt open under a new key.

        The same attempt goes on so when the provider will repeat an error for the old key for ever.
        """
        return replace(
            self,
            version=self.version + 1,
            state=PaymentState.PENDING,
            attempt=self.attempt + 1,
            decline=None,
            updated_at=now,
        )

    def with_refund(self, refund: Refund, now: datetime) -> "Payment":
        """Return the payment with a new refund counted in.

        Raises:
            Refusal: Nothing was captured, or more would be given back than was.
        """
        if self.state is not PaymentState.SUCCEEDED:
            raise illegal(self, "a refund", PaymentState.SUCCEEDED)
        if refund.amount.minor_units <= 0 or refund.amount.minor_units > self.refundable.minor_units:
            raise Refusal(
                Reason.REFUND_EXCEEDS_PAYMENT,
                f"{refund.amount} cannot be refunded: {self.refundable} of {self.captured} is left.",
                metadata={"refundableMinorUnits": str(self.refundable.minor_units)},
            )
        return self._with_refunds((*self.refunds, refund), now)

    def with_refund_changed(self, refund: Refund, now: datetime) -> "Payment":
        """Return the payment with one of its refunds replaced by its newer version, and the sum put right."""
        refunds = tuple(refund if each.refund_id == refund.refund_id else each for each in self.refunds)
        return self._with_refunds(refunds, now)

    def with_found(self, found: ProviderRefund, now: datetime) -> tuple["Payment", Refund]:
        """Return the payment with a refund of the provider's that our ledger had not, and that refund."""
        refund = found_refund(self.payment_id, found, now)
        return self._with_refunds((*self.refunds, refund), now), refund

    def with_dispute(self, dispute: Dispute, now: datetime) -> "Payment":
        """Return the payment with a dispute as it is now; itself when that is known."""
        if dispute in self.disputes:
            return self
        others = (each for each in self.disputes if each.dispute_id != dispute.dispute_id)
        disputes = tuple(sorted((*others, dispute), key=lambda each: (each.created_at, each.dispute_id)))
        return replace(self, version=self.version + 1, disputes=disputes, updated_at=now)

    def refund(self, refund_id: str) -> Refund:
        """Return one of its refunds."""
        return next(each for each in self.refunds if each.refund_id == refund_id)

    def _meaning(self, intent: Intent) -> tuple[PaymentState, Decline | None]:
        """Return state and decline as the intent shows them."""
        if intent.status is not IntentStatus.UNCONFIRMED:
            return STATE_OF[intent.status], None
        # An attempt that waited for its customer has ended, even if it failed just like the one before.
        waited = self.state is PaymentState.ACTION_REQUIRED
        if intent.failure is not None and (waited or intent.failure.failure_id != self.past_failure):
            return PaymentState.DECLINED, intent.failure
        # Nothing has happened since the attempt began. Of a payment that is held, paid or given up that cannot be true.
        return (self.state if self.state in _RETRIABLE else PaymentState.PENDING), self.decline

    def _may_take(self, captured: Money) -> bool:
        """Say whether so much may have been taken: all, or of what was held any part."""
        if self.capture_mode is CaptureMode.AT_PLACEMENT:
            return captured == self.amount
        return 0 < captured.minor_units <= self.amount.minor_units

    def _held_until(self, intent: Intent, now: datetime) -> datetime:
        return intent.held_until or self.hold_expires_at or now + HOLD

    def _with_refunds(self, refunds: tuple[Refund, ...], now: datetime) -> "Payment":
        # A refund that we have asked for, and the provider will refuse because somebody was there before, is both.
        given = min(sum(each.amount.minor_units for each in refunds if each.counts), self.captured.minor_units)
        refunded = Money(self.amount.currency_code, given)
        return replace(self, version=self.version + 1, refunds=refunds, refunded=refunded, updated_at=now)


def check_intent(intent: Intent, payment_id: str, order_id: str, amount: Money) -> None:
    """Make sure that an intent is about this order and this amount.

    Raises:
        Contradiction: It is not.
    """
    if (intent.payment_id, intent.order_id) != (payment_id, order_id):
        raise Contradiction(f"intent {intent.intent_id} is not about payment {payment_id} of order {order_id}")
    if intent.amount != amount:
        raise Contradiction(f"intent {intent.intent_id} is about {intent.amount}, and {amount} was asked for")


def illegal(payment: Payment, what: str, *allowed: PaymentState) -> Refusal:
    """Return the refusal of a command that the payment's state does not allow."""
    return Refusal(
        Reason.ILLEGAL_STATE,
        f"The payment is {payment.state}; {what} needs it to be {' or '.join(allowed)}.",
        metadata={"state": payment.state.value, "allowed": ",".join(allowed)},
    )
