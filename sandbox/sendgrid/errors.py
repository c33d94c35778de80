"""SendGrid's error body."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

_HELP = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#message."


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong with a request."""

    message: str
    field: str | None = None
    """Where, written with dots: `personalizations.0.to`."""


class SendgridError(Exception):
    """A refusal in SendGrid's words."""

    def __init__(self, status: int, complaints: Sequence[Complaint]) -> None:
        super().__init__(complaints[0].message)
        self.status = status
        self.document: dict[str, Any] = {
            "errors": [
                {
                    "message": complaint.message,
                    "field": complaint.field,
                    "help": _HELP + complaint.field if complaint.field else None,
                }
                for complaint in complaints
            ]
        }


def refusal(status: int, message: str, field: str | None = None) -> SendgridError:
    """Return a refusal with one complaint."""
    return SendgridError(status, [Complaint(message, field)])


_OWN_WORDS = {
    401: "The provided authorization grant is invalid, expired, or revoked",
    403: "access forbidden",
    413: "content too large",
    429: "too many requests",
}


def injected(status: int) -> SendgridError:
    """Return SendGrid's own error of that status, for faults."""
    broken = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return refusal(status, _OWN_WORDS.get(status, "internal server error" if broken else "Bad Request"))
