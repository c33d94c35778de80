"""SendGrid's front desk: keys, mail/send, the activity feed, and a window into the mailbox."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from kernel.clock import Clock
from sandbox.exchange import Answer, Call, Operation, Request, json_answer, parse_json
from sandbox.schema import SchemaBook
from sandbox.sendgrid.activity import Activity
from sandbox.sendgrid.errors import SendgridError, injected, refusal
from sandbox.sendgrid.events import KIND, event_of
from sandbox.sendgrid.fates import EVENTS, STATUS_AFTER, fate_of
from sandbox.sendgrid.mailbox import KIND as MAIL
from sandbox.sendgrid.mailbox import Mailbox, copies
from sandbox.sendgrid.page import letter, page
from sandbox.sendgrid.rules import check
from sandbox.sendgrid.signing import EventKey
from sandbox.storage import Storage
from sandbox.tokens import Tokens
from sandbox.webhooks import Courier

Json = dict[str, Any]

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
            Operation("sandbox.letter", "GET", "/_sandbox/mailbox/{id}/letter.html", lists=True, lever=True),
            Operation("sandbox.tell", "POST", "/_sandbox/events", lists=True, lever=True),
            Operation("sandbox.public_key", "GET", "/_sandbox/public_key", lever=True),
        )

    def admit(self, operation: Operation, request: Request) -> Answer | Call:
        """Check the key and the mail."""
        match operation.name:
            case "sandbox.mailbox":
                return json_answer(200, {"mails": self._found(request)})
            case "sandbox.mailbox_page":
                return page(self._found(request))
            case "sandbox.letter":
                return letter(self._storage.get(MAIL, request.args["id"]))
            case "sandbox.tell":
                return self._tell(request)
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
            fate = fate_of(copy["recipient"])
            copy["status"] = fate.status
            self._mailbox.put(copy, request.received)
            for name in fate.events if self._courier.enabled else ():
                self._announce(name, copy, timestamp)
        return Answer(202, b"", {"x-message-id": message_id})

    def _announce(self, name: str, copy: Json, timestamp: int) -> Json:
        event = event_of(name, copy, timestamp, self._tokens)
        id_ = event["sg_event_id"]
        self._storage.put(KIND, id_, event, created=timestamp, parent=copy["message_id"], pending=True)
        self._courier.post(id_)
        return event

    def _tell(self, request: Request) -> Answer:
        """Have something happen to mails that were sent already: {"custom_args": {…}, "events": ["spamreport"]}."""
        try:
            wanted = parse_json(request.body)
        except ValueError:
            return json_answer(400, {"error": "the body is not JSON"})
        names = wanted.get("events") if isinstance(wanted, dict) else None
        if not isinstance(names, list) or not names or any(name not in EVENTS for name in names):
            return json_answer(400, {"error": f"events is a list of {', '.join(EVENTS)}"})
        custom_args = wanted.get("custom_args")
        if not isinstance(custom_args, dict) or not custom_args:
            return json_answer(400, {"error": 'custom_args names the mails, {"notification_id": "…"} for instance'})
        told = []
        for copy in self._mailbox.find(custom_args):
            for name in names:
                copy["status"] = STATUS_AFTER.get(name, copy["status"])
                told.append(self._announce(name, copy, int(request.received.timestamp())))
            self._mailbox.put(copy, datetime.fromisoformat(copy["received"]))
        return json_answer(200, {"events": told}) if told else json_answer(404, {"error": "there is no such mail"})

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
