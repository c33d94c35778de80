"""The provider's side of a payment, in our words: what was read of a PaymentIntent and of a refund."""

from dataclasses import dataclass, field
from enum import StrEnum

from kernel.money import Money


class IntentStatus(StrEnum):
    """Where a PaymentIntent stands."""

    UNCONFIRMED = "UNCONFIRMED"
    """No attempt is under way: none was made yet, or the latest one failed."""
    ACTION_REQUIRED = "ACTION_REQUIRED"
    PROCESSING = "PROCESSING"
    AUTHORIZED = "AUTHORIZED"
    SUCCEEDED = "SUCCEEDED"
    CANCELLED = "CANCELLED"


class DeclineKind(StrEnum):
    """Who said no to an attempt."""

    ISSUER = "ISSUER"
    """The bank, or the provider on its behalf."""
    METHOD = "METHOD"
    """The provider: the payment method cannot be used at all."""
    PROVIDER = "PROVIDER"
    """The provider, for a reason that neither customer nor shop can mend."""


@dataclass(frozen=True, slots=True)
class Decline:
    """Why an attempt failed.

    Attributes:
        kind: Who said no.
        code: The provider's error code: "card_declined".
        decline_code: The issuer's reason: "insufficient_funds"; may be empty.
        message: A sentence that may be shown to the customer.
        failure_id: Names this one failure, so that it is told from the failure of an earlier attempt on the same
            intent; empty when the provider keeps no trace of it.
    """

    kind: DeclineKind
    code: str
    decline_code: str
    message: str
    failure_id: str


@dataclass(frozen=True, slots=True)
class NewIntent:
    """What an intent is made for.

    Attributes:
        payment_id: Our payment.
        order_id: Our order.
        amount: What is to be paid.
    """

    payment_id: str
    order_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Intent:
    """A PaymentIntent as the provider has it.

    Attributes:
        intent_id: The provider's id, "pi_…".
        payment_id: Our payment, as its metadata say; empty when they do not.
        order_id: Our order, likewise.
        status: Where it stands.
        amount: What is to be paid.
        captured: What was taken.
        failure: What ended the latest attempt, if it failed.
        client_secret: Lets the customer's browser finish the payment. A secret: it is not in the repr.
    """

    intent_id: str
    payment_id: str
    order_id: str
    status: IntentStatus
    amount: Money
    captured: Money
    failure: Decline | None
    client_secret: str = field(repr=False)


class RefundState(StrEnum):
    """Where a refund stands."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """A refund as the provider has it.

    Attributes:
        provider_refund_id: The provider's id, "re_…".
        refund_id: Our refund, as its metadata say; empty for one that somebody made by hand.
        state: Where it stands.
        amount: What is given back.
    """

    provider_refund_id: str
    refund_id: str
    state: RefundState
    amount: Money
