"""SendGrid's Mail Send, version 3, behind the Mailer port.

It has no idempotency key, so that a lost answer leaves open whether the mail went out. While SendGrid is away nothing
but probes is sent, and a probe is a mail in SendGrid's sandbox mode: it is checked and never sent, so that an outage of
any length costs a mail no more than the one attempt that noticed it.
"""

import logging
import re
from collections.abc import Mapping
from email.utils import parseaddr
from types import MappingProxyType

import orjson

from chassis.breaker import Breaker
from chassis.config import Secret
from chassis.http import Answer, HttpClient, HttpError, NotSent
from kernel.clock import Clock
from kernel.outcome import Done, NotDone, Unknown
from notify_svc.adapters.letters import Letters
from notify_svc.app.ports import Postponed, Refused
from notify_svc.domain.notification import Notification

_logger = logging.getLogger(__name__)

SEND_SECONDS = 10.0

# The first failure is enough: a pause costs a mail a second, an attempt of unknown outcome may cost a duplicate. The
# pauses double up to five seconds, so that mail goes out soon after an outage.
BREAKER_FAILURES = 1
BREAKER_FIRST_SECONDS = 0.5
BREAKER_LONGEST_SECONDS = 5.0

# While SendGrid refuses our key or our sender a person has to act; and the longest wait it is granted when it asks.
_LONG_PAUSE_SECONDS = 60.0

NO_TEMPLATES: Mapping[str, str] = MappingProxyType({})

_ACCEPTED = 202
_OK = 200
_TOO_MANY = 429
_CALLER_FAULT = range(400, 500)
# What is wrong is not this mail but our key, our sender or our address of SendGrid; another day it may be right.
_SETTING_FAULTS = frozenset({401, 403, 404, 405, 407, 408})
_FIELD = re.compile(r"[A-Za-z0-9_.]{1,80}")


def headers(api_key: Secret) -> dict[str, str]:
    """Return the headers that every request carries."""
    return {"authorization": f"Bearer {api_key.reveal()}", "content-type": "application/json"}


class SendGrid:
    """Sends mail through SendGrid.

    Args:
        client: Of SendGrid's base address, with `headers(api_key)`.
        sender: "Name <address>", as `MAIL_FROM` says it.
        letters: Writes the mails.
        breaker: Keeps mails back while SendGrid is away.
        clock: For SendGrid's own waits, which are moments.
        templates: SendGrid's dynamic templates by kind, "order_shipped", or by kind and language, "order_shipped.de".
            What is not named is written by us.
    """

    def __init__(
        self,
        client: HttpClient,
        sender: str,
        letters: Letters,
        breaker: Breaker,
        clock: Clock,
        templates: Mapping[str, str] = NO_TEMPLATES,
    ) -> None:
        name, address = parseaddr(sender)
        self._templates = templates
        self._client = client
        self._sender = {"email": address, "name": name} if name else {"email": address}
        self._letters = letters
        self._breaker = breaker
        self._clock = clock

    @property
    def is_up(self) -> bool:
        """Whether the last that was heard of SendGrid was good."""
        return self._breaker.is_closed

    def pause_seconds(self) -> float:
        """Return how long to leave it alone; 0.0 when it may be asked."""
        return self._breaker.wait_seconds()

    async def probe(self) -> None:
        """Have SendGrid check a mail to ourselves that it does not send."""
        if not self._breaker.admit():
            return
        body: dict[str, object] = {
            "personalizations": [{"to": [{"email": self._sender["email"]}]}],
            "from": self._sender,
            "subject": "Probe",
            "content": [{"type": "text/plain", "value": "Never sent."}],
            "mail_settings": {"sandbox_mode": {"enable": True}},
        }
        try:
            answer = await self._post(body, "probe")
        except HttpError:
            self._breaker.failed()
            return
        if answer.status == _OK:
            self._breaker.succeeded()
        else:
            self._breaker.failed(self._pause(answer))

    async def send(self, notification: Notification) -> Done[str] | NotDone[Refused | Postponed] | Unknown:
        """Send the mail and return SendGrid's id of it."""
        if not self._breaker.is_closed:
            return NotDone(Postponed("SendGrid was away a moment ago"))
        body = self._mail(notification)
        try:
            answer = await self._post(body, "send_mail")
        except NotSent as error:
            self._breaker.failed()
            return NotDone(Postponed(f"SendGrid could not be reached: {error}"))
        except HttpError as error:
            self._breaker.failed()
            return Unknown(str(error))
        return self._judge(answer)

    async def _post(self, body: dict[str, object], operation: str) -> Answer:
        return await self._client.request("POST", "/v3/mail/send", operation=operation, content=orjson.dumps(body))

    def _mail(self, notification: Notification) -> dict[str, object]:
        person: dict[str, object] = {
            # Echoed in every event. No personal data: SendGrid does not treat these as such.
            "custom_args": {
                "notification_id": notification.notification_id,
                "order_id": notification.summary.order_id,
            },
        }
        what = self._by_template(notification, person) or self._written(notification, person)
        return {
            "personalizations": [person],
            "from": self._sender,
            **what,
            "categories": [notification.kind.value.lower().replace("_", "-")],
            # A receipt is nobody's occasion to follow a customer's clicks.
            "tracking_settings": {
                "click_tracking": {"enable": False, "enable_text": False},
                "open_tracking": {"enable": False},
            },
        }

    def _by_template(self, notification: Notification, person: dict[str, object]) -> dict[str, object] | None:
        """Return what names the shop's own template at SendGrid, which has the subject too; None when there is none."""
        kind = notification.kind.value.lower()
        if not self._templates:
            return None
        facts = self._letters.facts(notification)
        template_id = self._templates.get(f"{kind}.{facts['language']}") or self._templates.get(kind)
        if template_id is None:
            return None
        person["to"] = [_recipient(notification, str(facts["name"]))]
        person["dynamic_template_data"] = facts
        return {"template_id": template_id}

    def _written(self, notification: Notification, person: dict[str, object]) -> dict[str, object]:
        """Return the mail as we write it."""
        letter = self._letters.write(notification)
        person["to"] = [_recipient(notification, letter.recipient_name)]
        return {
            "subject": letter.subject,
            "content": [
                {"type": "text/plain", "value": letter.text},
                {"type": "text/html", "value": letter.html},
            ],
        }

    def _judge(self, answer: Answer) -> Done[str] | NotDone[Refused | Postponed] | Unknown:
        status = answer.status
        if status == _ACCEPTED:
            self._breaker.succeeded()
            return Done(answer.header(b"x-message-id"))
        why = f"SendGrid answered {status}{_fields(answer)}"
        if status in _CALLER_FAULT and status != _TOO_MANY and status not in _SETTING_FAULTS:
            self._breaker.succeeded()
            return NotDone(Refused(why))
        pause = self._pause(answer)
        self._breaker.failed(pause)
        if status in _SETTING_FAULTS:
            _logger.error("sendgrid.misconfigured", extra={"status": status})
        if status in _CALLER_FAULT or status >= _CALLER_FAULT.stop:
            return NotDone(Postponed(why, pause))
        return Unknown(why)

    def _pause(self, answer: Answer) -> float | None:
        """Return how long SendGrid wants to be left alone."""
        return _LONG_PAUSE_SECONDS if answer.status in _SETTING_FAULTS else asked_wait(answer, self._clock)


def _recipient(notification: Notification, name: str) -> dict[str, str]:
    recipient = {"email": notification.recipient_email}
    return {**recipient, "name": name} if name else recipient


def asked_wait(answer: Answer, clock: Clock) -> float | None:
    """Return the seconds that SendGrid asks to wait, when it does."""
    wait, reset = answer.header(b"retry-after"), answer.header(b"x-ratelimit-reset")
    if wait.isdecimal():
        return min(float(wait), _LONG_PAUSE_SECONDS)
    if answer.status == _TOO_MANY and reset.isdecimal():
        return min(max(0.0, int(reset) - clock.now().timestamp()), _LONG_PAUSE_SECONDS)
    return None


def _fields(answer: Answer) -> str:
    """Return which fields SendGrid complained about; its sentences may repeat the address."""
    try:
        errors = orjson.loads(answer.body)["errors"]
        fields = {str(error.get("field")) for error in errors if error.get("field")}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return ""
    named = sorted(field for field in fields if _FIELD.fullmatch(field))
    return f" about {', '.join(named[:5])}" if named else ""
