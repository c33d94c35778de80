"""SendGrid's front desk: keys, mail/send, the activity feed, and a window into the mailbox."""

import html
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from kernel.clock import Clock
from sandbox.exchange import Answer, Call, Operation, Request, json_answer, parse_json
from sandbox.schema import SchemaBook
from sandbox.sendgrid.activity import Activity
from sandbox.sendgrid.errors import SendgridError, injected, refusal
from sandbox.sendgrid.events import KIND, events_of
from sandbox.sendgrid.mailbox import Mailbox, copies
from sandbox.sendgrid.rules import check
from sandbox.sendgrid.signing import EventKey
from sandbox.storage import Storage
from sandbox.tokens import Tokens
from sandbox.webhooks import Courier

Json = dict[str, Any]

BOUNCING_DOMAIN = "bounce.example"
"""Mail to this domain is accepted and then bounces."""
_MESSAGE_ID_LENGTH = 22
_SHOWN_MAILS = 100


class SendgridProvider:
    """A stand-in for api.sendgrid.com."""

    name = "sendgrid"
    body_limit = 30_000_000  # SendGrid's own

    def __init__(self, storage: Storage, clock: Clock, tokens: Tokens, key: EventKey, courier: Courier) -> None:
        self._storage = storage
        self._clock = clock
        self._tokens = tokens
        self._key = key
        self._courier = courier
        self._schemas = SchemaBook("sendgrid")
        self._mailbox = Mailbox(storage)
        self._activity = Activity(storage)
        self.operations = (
            Operation("mail.send", "POST", "/v3/mail/send"),
            Operation("messages.list", "GET", "/v3/messages", lists=True),
            Operation("sandbox.mailbox", "GET", "/_sandbox/mailbox", lists=True, lever=True),
            Operation("sandbox.mailbox_page", "GET", "/_sandbox/mailbox.html", lists=True, lever=True),
            Operation("sandbox.public_key", "GET", "/_sandbox/public_key", lever=True),
        )

    def admit(self, operation: Operation, request: Request) -> Answer | Call:
        """Check the key and the mail."""
        match operation.name:
            case "sandbox.mailbox":
                return json_answer(200, {"mails": self._found(request)})
            case "sandbox.mailbox_page":
                page = _page(self._found(request))
                return Answer(200, page.encode(), {"content-type": "text/html; charset=utf-8"})
            case "sandbox.public_key":
                return json_answer(200, {"public_key": self._key.public})
            case _:
                return self._admit_call(operation, request)

    def _admit_call(self, operation: Operation, request: Request) -> Answer | Call:
        try:
            _authenticate(request)
            if operation.name == "messages.list":
                messages = self._activity.messages(request.query)
                return _SendgridCall(lambda: json_answer(200, messages))
            mail = check(self._schemas, _document(request), int(self._clock.now().timestamp()))
        except SendgridError as error:
            return json_answer(error.status, error.document)
        return _SendgridCall(lambda: self.accept(mail, request))

    def unknown_route(self, request: Request, *, path_known: bool) -> Answer:
        """Answer an address that SendGrid does not have."""
        error = refusal(405, "method not allowed") if path_known else refusal(404, "not found")
        return json_answer(error.status, error.document)

    def too_large(self, request: Request) -> Answer:
        """Refuse a huge mail."""
        error = refusal(413, "content too large")
        return json_answer(413, error.document)

    def accept(self, mail: Json, request: Request) -> Answer:
        """Take a mail: file it, and tell what became of it."""
        if mail.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
            return Answer(200)
        message_id = self._tokens.text(_MESSAGE_ID_LENGTH)
        timestamp = int(request.received.timestamp())
        for copy in copies(mail, message_id, request.received):
            if copy["recipient"].lower().endswith("@" + BOUNCING_DOMAIN):
                copy["status"] = "bounced"
            self._mailbox.put(copy, request.received)
            if self._courier.enabled:
                self._announce(copy, timestamp)
        return Answer(202, b"", {"x-message-id": message_id})

    def _announce(self, copy: Json, timestamp: int) -> None:
        for event in events_of(copy, timestamp, self._tokens):
            id_ = event["sg_event_id"]
            self._storage.put(KIND, id_, event, created=timestamp, parent=copy["message_id"], pending=True)
            self._courier.post(id_)

    def _found(self, request: Request) -> list[Json]:
        recipient, custom_args, limit = None, {}, _SHOWN_MAILS
        for name, value in parse_qsl(request.query):
            if name == "to":
                recipient = value
            elif name == "custom_arg":
                key, _, wanted = value.partition(":")
                custom_args[key] = wanted
            elif name == "limit" and value.isdecimal():
                limit = int(value)
        return list(self._mailbox.search(recipient, custom_args, limit))


class _SendgridCall:
    """A mail or a question that was let in."""

    def __init__(self, act: Callable[[], Answer]) -> None:
        self._act = act

    def execute(self) -> Answer:
        """Do it."""
        return self._act()

    def fail(self, status: int, *, executed: bool) -> Answer:
        """Return an error of that status."""
        if executed:
            self.execute()
        error = injected(status)
        return json_answer(status, error.document)


def _authenticate(request: Request) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if not key:
        raise refusal(401, "Permission denied, wrong credentials")
    if scheme.lower() != "bearer" or not key.startswith("SG."):
        raise refusal(401, "The provided authorization grant is invalid, expired, or revoked")


def _document(request: Request) -> object:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise refusal(415, "Content-Type should be application/json.")
    try:
        return parse_json(request.body)
    except ValueError:
        raise refusal(400, "Bad Request") from None


def _page(mails: list[Json]) -> str:
    articles = (
        f"<article><h2>{html.escape(mail['subject'])}</h2>"
        f"<p>to {html.escape(mail['recipient'])}, {mail['received']}</p>"
        f"<pre>{html.escape(mail['text'])}</pre></article>"
        for mail in mails
    )
    return (
        "<!doctype html><meta charset=utf-8><title>Sandbox mailbox</title>"
        "<style>body{font:16px/1.5 system-ui;max-width:50rem;margin:2rem auto}pre{white-space:pre-wrap}</style>"
        f"<h1>Sandbox mailbox</h1>{''.join(articles) or '<p>No mail yet.</p>'}"
    )
