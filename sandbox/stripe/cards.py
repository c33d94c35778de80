"""Stripe's test payment methods: which card each stands for and how it behaves.

From Stripe's testing guide. `pm_card_x`, `tok_x` and the card number all lead to the same card.
"""

from dataclasses import dataclass
from enum import Enum, auto


@dataclass(frozen=True, slots=True)
class Decline:
    """Why an issuer says no."""

    code: str
    decline_code: str
    message: str
    param: str | None = None


class Authentication(Enum):
    """Whether the card wants its holder to authenticate (3-D Secure)."""

    NEVER = auto()
    ALWAYS = auto()
    UNLESS_SET_UP = auto()
    """Until it was kept with a customer who authenticated; then it may be charged without them."""


class RefundCourse(Enum):
    """How a refund to the card goes."""

    AT_ONCE = auto()
    LATE = auto()
    """It is pending first and succeeds a little later."""
    FAILS_LATE = auto()
    """It succeeds first and fails a little later."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the card's bank asks back of each charge, by itself."""

    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class TestCard:
    """A card that behaves the same every time."""

    number: str
    brand: str
    funding: str = "credit"
    decline: Decline | None = None
    """What happens to a charge, after authentication if that is wanted; None means it succeeds."""
    authentication: Authentication = Authentication.NEVER
    refund: RefundCourse = RefundCourse.AT_ONCE
    """How refunds to it go."""
    attachable: bool = True
    """Whether it can be attached to a customer."""
    complaint: Complaint | None = None
    """The dispute that each charge to it ends in."""

    @property
    def last4(self) -> str:
        """The digits that may be shown."""
        return self.number[-4:]


_DECLINED = "Your card was declined."
GENERIC = Decline("card_declined", "generic_decline", _DECLINED)
INSUFFICIENT_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)

CARDS: dict[str, TestCard] = {
    "visa": TestCard("4242424242424242", "visa"),
    "visa_debit": TestCard("4000056655665556", "visa", funding="debit"),
    "mastercard": TestCard("5555555555554444", "mastercard"),
    "mastercard_debit": TestCard("5200828282828210", "mastercard", funding="debit"),
    "mastercard_prepaid": TestCard("5105105105105100", "mastercard", funding="prepaid"),
    "amex": TestCard("378282246310005", "amex"),
    "discover": TestCard("6011111111111117", "discover"),
    "diners": TestCard("3056930009020004", "diners"),
    "jcb": TestCard("3566002020360505", "jcb"),
    "unionpay": TestCard("6200000000000005", "unionpay"),
    "pendingRefund": TestCard("4000000000007726", "visa", refund=RefundCourse.LATE),
    "refundFail": TestCard("4000000000005126", "visa", refund=RefundCourse.FAILS_LATE),
    "bypassPending": TestCard("4000000000000077", "visa"),
    "createDispute": TestCard("4000000000000259", "visa", complaint=Complaint("needs_response", "fraudulent")),
    "createDisputeProductNotReceived": TestCard(
        "4000000000002685", "visa", complaint=Complaint("needs_response", "product_not_received")
    ),
    "createDisputeInquiry": TestCard(
        "4000000000001976", "visa", complaint=Complaint("warning_needs_response", "fraudulent")
    ),
    "visa_chargeDeclined": TestCard("4000000000000002", "visa", decline=GENERIC, attachable=False),
    "visa_chargeDeclinedInsufficientFunds": TestCard(
        "4000000000009995", "visa", decline=INSUFFICIENT_FUNDS, attachable=False
    ),
    "visa_chargeDeclinedLostCard": TestCard(
        "4000000000009987", "visa", decline=Decline("card_declined", "lost_card", _DECLINED), attachable=False
    ),
    "visa_chargeDeclinedStolenCard": TestCard(
        "4000000000009979", "visa", decline=Decline("card_declined", "stolen_card", _DECLINED), attachable=False
    ),
    "visa_chargeDeclinedVelocityLimitExceeded": TestCard(
        "4000000000006975",
        "visa",
        decline=Decline(
            "card_declined",
            "card_velocity_exceeded",
            "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
        ),
        attachable=False,
    ),
    "visa_chargeDeclinedFraudulent": TestCard(
        "4100000000000019", "visa", decline=Decline("card_declined", "fraudulent", _DECLINED)
    ),
    "chargeDeclinedExpiredCard": TestCard(
        "4000000000000069",
        "visa",
        decline=Decline("expired_card", "expired_card", "Your card has expired.", "exp_month"),
        attachable=False,
    ),
    "chargeDeclinedIncorrectCvc": TestCard(
        "4000000000000127",
        "visa",
        decline=Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", "cvc"),
        attachable=False,
    ),
    "chargeDeclinedProcessingError": TestCard(
        "4000000000000119",
        "visa",
        decline=Decline(
            "processing_error",
            "processing_error",
            "An error occurred while processing your card. Try again in a little bit.",
        ),
        attachable=False,
    ),
    "chargeCustomerFail": TestCard("4000000000000341", "visa", decline=GENERIC),
    "authenticationRequired": TestCard("4000002760003184", "visa", authentication=Authentication.ALWAYS),
    "authenticationRequiredOnSetup": TestCard("4000002500003155", "visa", authentication=Authentication.UNLESS_SET_UP),
    "threeDSecure2Required": TestCard("4000000000003220", "visa", authentication=Authentication.ALWAYS),
    "threeDSecureRequired": TestCard("4000000000003063", "visa", authentication=Authentication.ALWAYS),
    "threeDSecureOptional": TestCard("4000000000003055", "visa"),
    "threeDSecureRequiredChargeDeclined": TestCard(
        "4000008400001629", "visa", decline=GENERIC, authentication=Authentication.ALWAYS
    ),
    "authenticationRequiredChargeDeclinedInsufficientFunds": TestCard(
        "4000008260003178", "visa", decline=INSUFFICIENT_FUNDS, authentication=Authentication.ALWAYS
    ),
    # Stripe has no such card: money that came too late, and that cannot be given back either.
    "threeDSecureRequiredRefundFail": TestCard(
        "4000008400005125", "visa", authentication=Authentication.ALWAYS, refund=RefundCourse.FAILS_LATE
    ),
}
CARDS["chargeDeclined"] = CARDS["visa_chargeDeclined"]
CARDS["chargeDeclinedInsufficientFunds"] = CARDS["visa_chargeDeclinedInsufficientFunds"]
CARDS["chargeDeclinedFraudulent"] = CARDS["visa_chargeDeclinedFraudulent"]

_BY_NUMBER = {card.number: name for name, card in reversed(CARDS.items())}


def card_named(token: str) -> str | None:
    """Return the key in CARDS that `pm_card_x` or `tok_x` stands for, or None."""
    for prefix in ("pm_card_", "tok_"):
        name = token.removeprefix(prefix)
        if name != token and name in CARDS:
            return name
    return None


def card_numbered(number: str) -> str | None:
    """Return the key in CARDS of a test card number, or None."""
    return _BY_NUMBER.get(number.replace(" ", "").replace("-", ""))
