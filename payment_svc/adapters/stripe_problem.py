"""What Stripe's refusals and errors mean for the effect of a call: Stripe's table of errors, once."""

import logging
from dataclasses import dataclass
from typing import Any

import stripe

from chassis.http import HttpError
from kernel.outcome import Unknown
from payment_svc.adapters.stripe_line import Resting
from payment_svc.app.ports import KeySpent
from payment_svc.domain.intent import Decline, DeclineKind

_logger = logging.getLogger(__name__)

_OK, _REDIRECT, _BAD_REQUEST = 200, 300, 400
_UNAUTHORISED, _FORBIDDEN = 401, 403
_PAYMENT_REQUIRED = 402
_SERVER_ERROR = 500
_OPEN = {409, 424, 429}

# A key that Stripe refuses is refused until an operator has mended it.
_CREDENTIALS_RETRY_SECONDS = 30.0

# Stripe's texts on 402 are written for customers; the others are for developers.
_METHOD_MESSAGE = "This payment method cannot be used. Please choose another one."
_PROVIDER_MESSAGE = "The payment could not be made."
_ISSUER_MESSAGE = "The payment was declined. Please choose another payment method."


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer of Stripe's that says no.

    Attributes:
        status: HTTP status.
        kind: Its `type`: "card_error".
        code: Its `code`; the HTTP status where it has none.
        decline_code: Its `decline_code`, or "".
        param: The parameter to blame, or "".
        message: In Stripe's words, or "".
        failure_id: As in Decline.
    """

    status: int
    kind: str
    code: str
    decline_code: str
    param: str
    message: str
    failure_id: str

    @property
    def about_method(self) -> bool:
        """Whether it is about the payment method."""
        return self.param.startswith("payment_method") or self.code.startswith("payment_method_")

    def decline(self) -> Decline:
        """Return it as the failure of an attempt."""
        if self.status == _PAYMENT_REQUIRED:
            message = self.message or _ISSUER_MESSAGE
            return Decline(DeclineKind.ISSUER, self.code, self.decline_code, message, self.failure_id)
        if self.about_method:
            return Decline(DeclineKind.METHOD, self.code, "", _METHOD_MESSAGE, "")
        return Decline(DeclineKind.PROVIDER, self.code, "", _PROVIDER_MESSAGE, "")


def judge(error: HttpError | stripe.StripeError) -> Problem | Unknown:
    """Return a definite refusal as a Problem; everything else leaves it open what became of the call."""
    if isinstance(error, Resting):
        return Unknown(str(error), error.seconds)
    if isinstance(error, HttpError):
        return Unknown(error.outcome.replace("_", " "))
    status = error.http_status
    if status is None or status < _BAD_REQUEST:
        return Unknown("unreadable answer")
    cause, retry_after = f"http {status}", _retry_after(error)
    if status >= _SERVER_ERROR:
        # A 500 was given by the endpoint itself, which is when Stripe keeps an answer under its key.
        kept = status == _SERVER_ERROR or (error.headers or {}).get("idempotent-replayed") == "true"
        return KeySpent(cause, retry_after) if kept else Unknown(cause, retry_after)
    if status in {_UNAUTHORISED, _FORBIDDEN}:
        _logger.error("stripe.key_refused", extra={"status": status})
        return Unknown(cause, _CREDENTIALS_RETRY_SECONDS)
    if status in _OPEN or isinstance(error, stripe.RateLimitError):
        return Unknown(cause, retry_after)
    if isinstance(error, stripe.IdempotencyError):
        _logger.error("stripe.key_reused", extra={"status": status})
        return KeySpent("the key was used for another request")
    return _problem(status, error)


def failure_id(failure: dict[str, Any]) -> str:
    """Return what names one failed attempt: its charge, or where none was made, what failed with which method."""
    method = failure.get("payment_method") or {}
    return str(failure.get("charge") or f"{method.get('id', '')}:{failure.get('code', '')}")


def _problem(status: int, error: stripe.StripeError) -> Problem:
    body = error.json_body
    details: dict[str, Any] = body.get("error", {}) if isinstance(body, dict) else {}
    return Problem(
        status=status,
        kind=str(details.get("type") or ""),
        code=str(details.get("code") or f"http_{status}"),
        decline_code=str(details.get("decline_code") or ""),
        param=str(details.get("param") or ""),
        message=str(details.get("message") or ""),
        failure_id=failure_id(details),
    )


def _retry_after(error: stripe.StripeError) -> float | None:
    text = (error.headers or {}).get("retry-after", "")
    return float(text) if text.isdecimal() else None
