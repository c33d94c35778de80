"""What SendGrid refuses in a mail: its schema first, then the rules that a schema cannot say."""

from collections.abc import Iterator
from typing import Any

import orjson

from sandbox.schema import SchemaBook
from sandbox.sendgrid.complaints import complaint
from sandbox.sendgrid.errors import Complaint, SendgridError

Json = dict[str, Any]

_MAX_RECIPIENTS = 1000
_MAX_CUSTOM_ARGS_BYTES = 10_000
_MAX_AHEAD_SECONDS = 72 * 60 * 60
_UNVERIFIED_DOMAIN = "unverified.example"
_SUBJECT = (
    "The subject is required. You can get around this requirement if you use a template with a subject defined or if "
    "every personalization has a subject defined."
)
_CONTENT = (
    "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined "
    "content block. We typically suggest both text/plain and text/html blocks are included, but only one block is "
    "required."
)
_CONTENT_ORDER = (
    "If present, text/plain must be the first content block, followed by text/x-amp-html and then text/html; each may "
    "be provided once."
)
_SENDER = (
    "The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved. "
    "Visit https://sendgrid.com/docs/for-developers/sending-email/sender-identity/ to see the Sender Identity "
    "requirements"
)
_CONTENT_ORDERED = ("text/plain", "text/x-amp-html", "text/html")


def check(book: SchemaBook, mail: object, now: int) -> Json:
    """Return the mail if SendGrid would take it.

    Raises:
        SendgridError: naming everything that is wrong.
    """
    complaints = [complaint(violation) for violation in book.violations("mail.send", mail)]
    if complaints:
        raise SendgridError(400, complaints)
    if not isinstance(mail, dict):
        raise TypeError("the schema lets only objects through")
    complaints = list(_rules(mail, now))
    if complaints:
        raise SendgridError(400, complaints)
    if mail["from"]["email"].lower().endswith("@" + _UNVERIFIED_DOMAIN):
        raise SendgridError(403, [Complaint(_SENDER, "from")])
    return mail


def _rules(mail: Json, now: int) -> Iterator[Complaint]:
    template = bool(mail.get("template_id"))
    people = mail["personalizations"]
    if not template and not mail.get("subject") and not all(person.get("subject") for person in people):
        yield Complaint(_SUBJECT, "subject")
    if not template and not mail.get("content"):
        yield Complaint(_CONTENT, "content")
    yield from _content_rules(mail.get("content", []))
    if "reply_to" in mail and "reply_to_list" in mail:
        yield Complaint("reply_to and reply_to_list cannot be used together.", "reply_to")
    recipients = 0
    for index, person in enumerate(people):
        recipients += sum(len(person.get(name, ())) for name in ("to", "cc", "bcc"))
        yield from _person_rules(person, f"personalizations.{index}", mail, now)
    if recipients > _MAX_RECIPIENTS:
        yield Complaint(f"There are too many recipients: at most {_MAX_RECIPIENTS} are allowed.", "personalizations")
    yield from _send_at_rules(mail, "send_at", now)


def _content_rules(content: list[Json]) -> Iterator[Complaint]:
    known = [_CONTENT_ORDERED.index(part["type"]) for part in content if part["type"] in _CONTENT_ORDERED]
    # text/plain, when there is one, comes before everything else.
    plain_late = any(part["type"] == "text/plain" for part in content[1:])
    if known != sorted(set(known)) or plain_late:
        yield Complaint(_CONTENT_ORDER, "content")


def _person_rules(person: Json, field: str, mail: Json, now: int) -> Iterator[Complaint]:
    seen: set[str] = set()
    for name in ("to", "cc", "bcc"):
        for address in person.get(name, ()):
            email = address["email"].lower()
            if email in seen:
                message = (
                    "Each email address in the personalization block should be unique between to, cc, and bcc. We "
                    f"found the first duplicate instance of [{email}] in the {field}.{name} field."
                )
                yield Complaint(message, field)
            seen.add(email)
    custom_args = {**mail.get("custom_args", {}), **person.get("custom_args", {})}
    if len(orjson.dumps(custom_args)) > _MAX_CUSTOM_ARGS_BYTES:
        yield Complaint("custom_args may not exceed 10000 bytes.", f"{field}.custom_args")
    if person.get("substitutions") and mail.get("template_id", "").startswith("d-"):
        message = "Substitutions may not be used with dynamic templating"
        yield Complaint(message, f"{field}.substitutions")
    yield from _send_at_rules(person, f"{field}.send_at", now)


def _send_at_rules(holder: Json, field: str, now: int) -> Iterator[Complaint]:
    if holder.get("send_at", 0) > now + _MAX_AHEAD_SECONDS:
        yield Complaint("Scheduling more than 72 hours in advance is forbidden.", field)
