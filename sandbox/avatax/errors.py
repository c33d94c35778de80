"""AvaTax's error envelope and the codes that the sandbox uses, with their numbers from Avalara's published list."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

_HELP = "https://developer.avalara.com/avatax/errors/"

_NUMBERS = {
    "EntityNotFoundError": 4,
    "ValueRequiredError": 5,
    "StringLengthError": 13,
    "DateFormatError": 26,
    "AuthenticationException": 30,
    "JsonFormatError": 47,
    "InvalidDecimalValue": 48,
    "UnhandledException": 50,
    "ModelStateInvalid": 70,
    "InvalidEnumValue": 164,
    "NotEnoughAddressesInfo": 176,
    "TransactionAlreadyCancelled": 198,
    "GetTaxError": 300,
    "MissingAddress": 304,
    "InvalidAddress": 309,
    "MissingLine": 311,
    "InvalidPostalCode": 317,
    "RequestTooLarge": 187,
    "ServerUnreachable": 500,
    "RefundTypeAndPercentageMismatch": 701,
    "InvalidDocumentTypeForRefund": 702,
    "RefundTypeAndLineMismatch": 703,
    "RefundLinesRequired": 704,
    "LineNoOutOfRange": 707,
    "RefundPercentageOutOfRange": 708,
    "RefundPercentageMissing": 709,
    "InvalidDocumentStatus": 1314,
    "RequestLimitExceeded": 1715,
}

Json = dict[str, Any]


class AvataxError(Exception):
    """A refusal in AvaTax's words.

    Args:
        status: HTTP status.
        code: AvaTax's error code, such as `GetTaxError`.
        message: what it says in one sentence.
        description: what it says in two.
        target: which part of the request it blames.
        sub_code: `faultSubCode`, for errors of the tax engine.
        refers_to: what in the request is wrong, once for each place.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        description: str = "",
        *,
        target: str = "HttpRequest",
        sub_code: str | None = None,
        refers_to: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        detail: Json = {"code": code}
        if code in _NUMBERS:
            detail["number"] = _NUMBERS[code]
        detail["message"] = message
        detail["description"] = description or message
        detail["faultCode"] = "Client" if sub_code is None else code
        if sub_code is not None:
            detail["faultSubCode"] = sub_code
        detail["helpLink"] = _HELP + code
        detail["severity"] = "Error"
        details = [{**detail, "refersTo": place} for place in refers_to] or [detail]
        self.document: Json = {"error": {"code": code, "message": message, "target": target, "details": details}}


def tax_error(sub_code: str, message: str, description: str, refers_to: Sequence[str] = ()) -> AvataxError:
    """Return a refusal by the tax engine."""
    return AvataxError(
        400, "GetTaxError", message, description, target="Unknown", sub_code=sub_code, refers_to=refers_to
    )


def value_required(field: str) -> AvataxError:
    """Return the refusal of a missing field."""
    message = f"Field '{field}' is required."
    description = f"Please provide a value for field '{field}'."
    return AvataxError(400, "ValueRequiredError", message, description, target="IncorrectData")


def document_status_error() -> AvataxError:
    """Return the refusal to overwrite a committed document."""
    return tax_error(
        "DocStatusError", "DocStatus is invalid for this operation.", "Expected Saved|Posted", ["DocStatus"]
    )


def not_found(company: str, code: str) -> AvataxError:
    """Return the refusal of a document that does not exist."""
    description = f"The Transaction with code '{company}:{code}' was not found."
    return AvataxError(404, "EntityNotFoundError", "Transaction not found.", description)


def unauthenticated() -> AvataxError:
    """Return the refusal of a caller without credentials."""
    description = "Missing authentication or unable to authenticate the user or the account."
    return AvataxError(401, "AuthenticationException", "Authentication failed.", description)


def injected(status: int) -> AvataxError:
    """Return AvaTax's own error of that status, for faults."""
    match status:
        case 401:
            return unauthenticated()
        case 429:
            message = "You have submitted too many requests."
            return AvataxError(429, "RequestLimitExceeded", message)
        case _ if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return AvataxError(status, "ModelStateInvalid", "The request was refused.")
        case 500:
            return AvataxError(500, "UnhandledException", "The server encountered an unhandled exception.")
        case _:
            return AvataxError(status, "ServerUnreachable", "A server that this API depends on is unreachable.")
