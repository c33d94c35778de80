"""A refund: money on its way back, journalled before the provider is asked."""

from dataclasses import dataclass, replace
from datetime import datetime

from kernel.money import Money
from payment_svc.domain.errors import Contradiction
from payment_svc.domain.intent import ProviderRefund, RefundState


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back.

    Attributes:
        refund_id: Our id; it is in the provider's metadata and in the idempotency key.
        payment_id: The payment.
        state: Where it stands.
        amount: What is given back.
        provider_refund_id: The provider's id, "re_…"; empty until it has one.
        send: Number of the idempotency key in use, from 1.
        created_at: When it was asked for, to the millisecond.
        updated_at: When it last changed.
        trace: The W3C traceparent of the call that asked for it; empty for none.
    """

    refund_id: str
    payment_id: str
    state: RefundState
    amount: Money
    provider_refund_id: str
    send: int
    created_at: datetime
    updated_at: datetime
    trace: str = ""

    @property
    def counts(self) -> bool:
        """Whether its amount is given back or on its way."""
        return self.state is not RefundState.FAILED

    def seen(self, found: ProviderRefund, now: datetime) -> "Refund":
        """Return the refund after the provider's was read; itself when that says nothing new.

        The provider's word counts in every direction: a bank can send back what had succeeded.

        Raises:
            Contradiction: It is another refund, or of another amount.
        """
        if found.refund_id != self.refund_id or found.amount != self.amount:
            answered = f"{found.refund_id or 'none'} of {found.amount}"
            raise Contradiction(f"refund {self.refund_id} of {self.amount} was answered with {answered}")
        after = replace(self, state=found.state, provider_refund_id=found.provider_refund_id)
        return self if after == self else replace(after, updated_at=now)

    def refused(self, now: datetime) -> "Refund":
        """Return the refund after the provider refused it for good: the money is still ours.

        Itself when others have seen its end meanwhile: what the provider has counts, not what it answered before.
        """
        if self.state is not RefundState.PENDING:
            return self
        return replace(self, state=RefundState.FAILED, updated_at=now)

    def rekeyed(self, spent: int, now: datetime) -> "Refund":
        """Return the refund under a new key: the provider repeats an error for the old one, and made no refund.

        Itself when others have seen its end meanwhile, or have given it a new key: that one is then for both to send,
        because two keys would be two refunds.

        Args:
            spent: Number of the key that the provider repeats an error for.
            now: The present.
        """
        if self.state is not RefundState.PENDING or self.send != spent:
            return self
        return replace(self, send=self.send + 1, updated_at=now)
