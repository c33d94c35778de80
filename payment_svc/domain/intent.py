"""The provider's side of a payment, in our words: what was read of a PaymentIntent and of a refund."""

from dataclasses import dataclass, field
from datetime import datetime
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


class CaptureMode(StrEnum):
    """When the money of an order is taken: the modes of the contract."""

    AT_PLACEMENT = "AT_PLACEMENT"
    ON_SHIPMENT = "ON_SHIPMENT"
    """It is held at once, and taken when the goods leave."""


@dataclass(frozen=True, slots=True)
class NewIntent:
    """What an intent is made for.

    Attributes:
        payment_id: Our payment.
        order_id: Our order.
        amount: What is to be paid.
        capture_mode: When the money is taken.
        customer_id: The provider's id of the saved customer, "cus_…"; empty for guests.
    """

    payment_id: str
    order_id: str
    amount: Money
    capture_mode: CaptureMode = CaptureMode.AT_PLACEMENT
    customer_id: str = ""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a payment method is used in one attempt.

    Attributes:
        holds: Whether the money is only held.
        off_session: Whether the customer is not there to act.
        saves: Whether the payment method is kept with the customer, for later charges without them.
    """

    holds: bool = False
    off_session: bool = False
    saves: bool = False


PLAIN = Manner()
"""By a customer who is there, at once, and once only."""


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
        held_until: Until when the provider holds the money; None unless it is held, or when the answer does not say.
        disputed: Whether the customer's bank has ever asked money back; False when the answer does not say.
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
    held_until: datetime | None = None
    disputed: bool = False


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
        failure_reason: Why it failed, in the provider's words: "expired_or_canceled_card"; empty unless it did.
        created_at: When it was made, to the second; None when the answer does not say.
    """

    provider_refund_id: str
    refund_id: str
    state: RefundState
    amount: Money
    failure_reason: str = ""
    created_at: datetime | None = None
