"""SendGrid's words for what its schema forbids."""

from sandbox.schema import Violation
from sandbox.sendgrid.errors import Complaint

_PERSONALIZATIONS = "The personalizations field is required and must have at least one personalization."
_TO = (
    "The to array is required for all personalization objects, and must have at least one email object with a valid "
    "email address."
)
_FROM = (
    "The from object must be provided for every email send. It is an object that requires the email parameter, but may "
    'also contain a name parameter.  e.g. {"email" : "example@example.com"}  or {"email" : "example@example.com", '
    '"name" : "Example Recipient"}.'
)

# Sentences for particular fields: keyword and the last name of the path (for `required`, the missing name).
_SPECIAL = {
    ("minItems", "personalizations"): _PERSONALIZATIONS,
    ("required", "personalizations"): _PERSONALIZATIONS,
    ("minItems", "to"): _TO,
    ("required", "to"): _TO,
    ("required", "from"): _FROM,
    ("minLength", "value"): "The content value must be a string at least one character in length.",
}
_SIZES = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} entries",
}
_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def complaint(violation: Violation) -> Complaint:
    """Return what SendGrid would say."""
    missing = violation.keyword == "required"
    path = (*violation.path, violation.expected) if missing else violation.path
    field = ".".join(str(part) for part in path) or None
    name = str(path[-1]) if path else ""
    special = _SPECIAL.get((violation.keyword, name))
    if special is not None:
        return Complaint(special, "from.email" if name == "from" else field)
    return Complaint(_sentence(violation, name), field)


def _sentence(violation: Violation, name: str) -> str:
    match violation.keyword:
        case "required":
            return f"{name} is required"
        case "format":
            return "Does not contain a valid address."
        case "additionalProperties":
            return f"Additional property {violation.expected} is not allowed"
        case "type":
            given = _JSON_TYPES.get(type(violation.value), "null")
            return f"Invalid type. Expected: {violation.expected}, given: {given}."
        case "enum":
            return f"{name} must be one of the following: {', '.join(violation.expected)}"
        case "uniqueItems":
            return f"{name} items must be unique"
        case keyword:
            return f"{name} must have {_SIZES[keyword].format(violation.expected)}"
