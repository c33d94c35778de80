"""Stripe's error envelope."""

from http import HTTPStatus
from typing import Any

DOC = "https://stripe.com/docs/error-codes/"

Json = dict[str, Any]


class StripeError(Exception):
    """A refusal in Stripe's words.

    Args:
        status: HTTP status.
        message: what Stripe would tell the developer.
        kind: `invalid_request_error`, `card_error`, `idempotency_error` or `api_error`.
        code: Stripe's machine-readable code, when it has one.
        param: the parameter to blame, as it is written in a form: `metadata[order_id]`.
        extra: more of the error object, such as `decline_code` or `payment_intent`.
        remembered: whether the idempotency key keeps this answer: not when the request was refused before it began.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        extra: Json | None = None,
        remembered: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.remembered = remembered
        self.error: Json = {"message": message, "type": kind}
        if code is not None:
            self.error["code"] = code
            self.error["doc_url"] = DOC + code.replace("_", "-")
        if param is not None:
            self.error["param"] = param
        self.error.update(extra or {})


def missing_object(noun: str, id_: str, param: str, *, status: int = 404) -> StripeError:
    """Return the refusal of an id that does not exist: 404 in a path, 400 in a parameter."""
    return StripeError(status, f"No such {noun}: '{id_}'", code="resource_missing", param=param)


def bad_parameter(message: str, param: str, code: str | None = None) -> StripeError:
    """Return the refusal of a parameter, made before the request takes effect."""
    return StripeError(400, message, code=code, param=param, remembered=False)


def injected(status: int) -> StripeError:
    """Return Stripe's own error of that status, for faults."""
    match status:
        case 401:
            return StripeError(401, "Invalid API Key provided.")
        case 429:
            message = (
                "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
            )
            return StripeError(429, message, code="rate_limit", remembered=False)
        case _ if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return StripeError(status, "The request was refused.", remembered=False)
        case _:
            message = "An unknown error occurred. If this persists, please contact support@stripe.com."
            return StripeError(status, message, kind="api_error", remembered=status == HTTPStatus.INTERNAL_SERVER_ERROR)
