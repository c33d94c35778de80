"""A refund: money on its way back, journalled before the provider is asked."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from kernel.money import Money
from payment_svc.domain.errors import Contradiction
from payment_svc.domain.intent import ProviderRefund, RefundState

# Any UUID will do, as long as it never changes: the ids of refunds that were made by hand are made from it.
_NAMESPACE = uuid.UUID("3a0c6f3e-5d0b-5f61-8a3e-2f4a4a0f6b77")

_UUID_LENGTH = 36


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
        request_id: The key of the command that asked for it; empty for one that was made at the provider by hand.
        failure_reason: Why it failed, in the provider's words; empty unless it did.
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
    request_id: str = ""
    failure_reason: str = ""

    @property
    def counts(self) -> bool:
        """Whether its amount is given back or on its way."""
        return self.state is not RefundState.FAILED

    def is_made_as(self, found: ProviderRefund) -> bool:
        """Say whether the provider's refund is this one: by our mark, or by its own id where that is not there."""
        return self.refund_id == found.refund_id or self.provider_refund_id == found.provider_refund_id

    def seen(self, found: ProviderRefund, now: datetime) -> "Refund":
        """Return the refund after the provider's was read; itself when that says nothing new.

        The provider's word counts in every direction: a bank can send back what had succeeded.

        Raises:
            Contradiction: It is another refund, or of another amount.
        """
        if not self.is_made_as(found) or found.amount != self.amount:
            answered = f"{found.refund_id or 'none'} of {found.amount}"
            raise Contradiction(f"refund {self.refund_id} of {self.amount} was answered with {answered}")
        after = replace(
            self,
            state=found.state,
            provider_refund_id=found.provider_refund_id,
            failure_reason=found.failure_reason if found.state is RefundState.FAILED else "",
        )
        return self if after == self else replace(after, updated_at=now)

    def refused(self, code: str, now: datetime) -> "Refund":
        """Return the refund after the provider refused it for good: the money is still ours.

        Itself when others have seen its end meanwhile: what the provider has counts, not what it answered before.

        Args:
            code: The provider's error code.
            now: The present.
        """
        if self.state is not RefundState.PENDING:
            return self
        return replace(self, state=RefundState.FAILED, failure_reason=code, updated_at=now)

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


def found_refund(payment_id: str, found: ProviderRefund, now: datetime) -> Refund:
    """Return a refund that the provider has and our ledger has not: somebody made it by hand, or our ledger lost it.

    Its id follows from the provider's, so that two who find it at once find the same.
    """
    marked = len(found.refund_id) == _UUID_LENGTH
    return Refund(
        refund_id=found.refund_id if marked else str(uuid.uuid5(_NAMESPACE, found.provider_refund_id)),
        payment_id=payment_id,
        state=found.state,
        amount=found.amount,
        provider_refund_id=found.provider_refund_id,
        send=1,
        created_at=found.created_at or now,
        updated_at=now,
        failure_reason=found.failure_reason,
    )
