"""The refusals of this service, each worded once."""

from kernel.errors import FieldViolation, Reason, Refusal
from kernel.money import Money
from payment_svc.app.ports import AmountRefused, Found, Request
from payment_svc.domain.intent import DeclineKind
from payment_svc.domain.payment import Payment

# When another try makes sense and nobody said a time.
RETRY_SECONDS = 1.0


def unavailable(what: str, retry_after: float | None = None) -> Refusal:
    """Return the refusal for an outcome that is not known, or a provider that cannot be asked."""
    return Refusal(Reason.UNAVAILABLE, what, retry_after=retry_after or RETRY_SECONDS)


def payment_not_found(payment_id: str) -> Refusal:
    """Return the refusal for a payment that does not exist."""
    return Refusal(Reason.PAYMENT_NOT_FOUND, f"There is no payment {payment_id}.", metadata={"paymentId": payment_id})


def check_use(found: Found, request: Request) -> None:
    """Refuse a key that was used for another request.

    Raises:
        Refusal: It was.
    """
    if found.use is not None and found.use.fingerprint != request.fingerprint:
        raise Refusal(
            Reason.REQUEST_ID_REUSED,
            "This request_id was used before with another request; use a new one for a new request.",
            fields=(FieldViolation("request_id", "was used before with another request"),),
        )


def amount_refused(amount: Money, refused: AmountRefused) -> Refusal:
    """Return the refusal of an amount that the provider does not take."""
    metadata: dict[str, str] = {}
    if refused.multiple is not None:
        metadata["multipleOfMinorUnits"] = str(refused.multiple)
        smallest = Money(amount.currency_code, refused.multiple)
        why = f"{amount} cannot be charged: Stripe takes multiples of {smallest}"
    elif refused.maximum is not None:
        metadata["maximumMinorUnits"] = str(refused.maximum)
        why = f"{amount} is more than the {Money(amount.currency_code, refused.maximum)} that Stripe takes at once"
    elif refused.minimum is not None:
        metadata["minimumMinorUnits"] = str(refused.minimum)
        why = f"{amount} is less than the {Money(amount.currency_code, refused.minimum)} that Stripe takes at least"
    else:
        why = f"{amount} is not an amount that Stripe takes"
    return Refusal(
        Reason.AMOUNT_OUT_OF_RANGE, why, metadata=metadata, fields=(FieldViolation("amount.minor_units", why),)
    )


def currency_refused(amount: Money) -> Refusal:
    """Return the refusal of a currency that the provider does not charge in."""
    return Refusal.of_field("amount.currency_code", f"Stripe does not charge in {amount.currency_code}")


def provider_refused(order_id: str, code: str) -> Refusal:
    """Return the refusal for what the provider refuses for good, for a reason that the caller cannot mend."""
    return Refusal(
        Reason.PROVIDER_REFUSED,
        f"Stripe refused the payment for good ({code}); nothing was charged.",
        metadata={"orderId": order_id, "provider": "stripe"},
    )


def check_attempt(payment: Payment) -> Payment:
    """Return the payment, unless what was asked for was refused; that the issuer declines is an answer, not an error.

    Raises:
        Refusal: The payment method cannot be used, or the provider refused for good.
    """
    decline = payment.decline
    if decline is None or decline.kind is DeclineKind.ISSUER:
        return payment
    if decline.kind is DeclineKind.METHOD:
        raise Refusal(
            Reason.PAYMENT_METHOD_INVALID,
            f"Stripe does not take this payment method ({decline.code}); choose another one.",
            metadata={"orderId": payment.order_id},
            fields=(
                FieldViolation("payment_method", "is unknown to Stripe, detached or of a kind that cannot be used"),
            ),
        )
    raise provider_refused(payment.order_id, decline.code)
