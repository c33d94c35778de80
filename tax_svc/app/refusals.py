"""The refusals that several use cases say."""

from kernel.errors import FieldViolation, Reason, Refusal
from kernel.outcome import Unknown
from kernel.request import Request
from tax_svc.app.ports import AddressRejected, Earlier, Rejection, SaleRejected

# AvaTax is usually back within seconds or not for minutes; the caller's own backoff takes it from there.
RETRY_SECONDS = 5.0


def rejected(rejection: Rejection) -> Refusal:
    """Return what AvaTax's rejection means to the caller, whose message carries the basis."""
    match rejection:
        case AddressRejected(part, description):
            path = f"basis.ship_to.{part}" if part else "basis.ship_to"
            return Refusal(
                Reason.ADDRESS_INVALID, f"{path}: {description}", fields=(FieldViolation(path, description),)
            )
        case SaleRejected("NegativeTax" as code):
            return refused(
                "The discounts would save more tax than the goods cost; give each discount the tax code of what it is "
                "taken off.",
                code,
            )
        case SaleRejected(code):
            return refused(f"AvaTax refuses what it was sent ({code}); repeating it will not help.", code)


def refused(message: str, code: str) -> Refusal:
    """Return that AvaTax refuses for good."""
    return Refusal(Reason.PROVIDER_REFUSED, message, metadata={"provider": "avatax", "code": code})


def away(message: str, unknown: Unknown) -> Refusal:
    """Return that AvaTax did not say; the same call, repeated, settles that."""
    return Refusal(
        Reason.UNAVAILABLE,
        f"{message} ({unknown.cause}); repeat the request.",
        metadata={"provider": "avatax"},
        retry_after=unknown.retry_after or RETRY_SECONDS,
    )


def busy() -> Refusal:
    """Return that others were quicker in every round."""
    return Refusal(
        Reason.UNAVAILABLE, "Another command records this order right now; repeat this one.", retry_after=1.0
    )


def check_key(request: Request, earlier: Earlier) -> None:
    """Refuse a key that was used for something else.

    Raises:
        Refusal: REQUEST_ID_REUSED.
    """
    if earlier.fingerprint != request.fingerprint:
        raise Refusal(
            Reason.REQUEST_ID_REUSED,
            "This request_id was used before with another request; nothing was changed. Use a new one.",
        )
