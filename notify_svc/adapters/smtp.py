"""Any mail server behind the Mailer port, by SMTP (RFC 5321).

SMTP has no idempotency key either: once the content is on its way, a cut connection leaves open whether the server took
it. Each copy of a mail has the same Message-ID, by which mail programs and many servers show one of them.

A mail has a connection of its own. One that was kept open may have been closed by the server meanwhile, which looks
like an outage; and a shop's mails are some a second at most.
"""

import asyncio
import logging
import re
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as WIRE_FORMAT
from email.utils import format_datetime, formataddr, parseaddr

import aiosmtplib

from chassis.breaker import Breaker
from chassis.config import Secret
from kernel.clock import Clock
from kernel.outcome import Done, NotDone, Unknown
from notify_svc.adapters.letters import Letters
from notify_svc.app.ports import FeedDenied, Postponed, Refused
from notify_svc.domain.feed import FeedPage, FeedPlace
from notify_svc.domain.notification import Notification

_logger = logging.getLogger(__name__)

# As long as for SendGrid: half of an attempt's lease.
SEND_SECONDS = 10.0

# Few, because mail servers count the connections of a client: Postfix lets 50 in, hosted ones often 10.
CONNECTIONS = 8

# While the server refuses our name, our password or our sender a person has to act.
_LONG_PAUSE_SECONDS = 60.0

_LATER = range(400, 500)
_NEVER = range(500, 600)
_CLOSING = 421
_TOO_LARGE = 552
# RFC 3463's code, which says more than the three digits: "5.1.1". The words behind it may repeat the address.
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
_LONGEST_ID = 100


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed in.

    Attributes:
        host: Its name, which its certificate has to be for.
        port: Usually 587, or 465 with TLS from the first byte.
        tls: "starttls", "tls", or "off".
        username: Empty when it asks for none.
        password: Likewise.
    """

    host: str
    port: int
    tls: str
    username: str
    password: Secret


class Smtp:
    """Hands mails to a mail server.

    Args:
        server: Where.
        sender: "Name <address>", as `MAIL_FROM` says it.
        letters: Writes the mails.
        breaker: Keeps mails back while the server is away.
        clock: For the Date of a mail.
        tls_context: What certificates are trusted; the machine's own choice when None.
        timeout_seconds: For one mail, from the connection to the answer.
    """

    def __init__(
        self,
        server: SmtpServer,
        sender: str,
        letters: Letters,
        breaker: Breaker,
        clock: Clock,
        tls_context: ssl.SSLContext | None = None,
        timeout_seconds: float = SEND_SECONDS,
    ) -> None:
        name, address = parseaddr(sender)
        self._server = server
        self._from = formataddr((name, address))
        self._address = address
        self._domain = address.rpartition("@")[2]
        self._letters = letters
        self._breaker = breaker
        self._clock = clock
        self._tls_context = tls_context
        self._timeout_seconds = timeout_seconds

    @property
    def is_up(self) -> bool:
        """Whether the last that was heard of the server was good."""
        return self._breaker.is_closed

    def pause_seconds(self) -> float:
        """Return how long to leave it alone; 0.0 when it may be asked."""
        return self._breaker.wait_seconds()

    async def probe(self) -> None:
        """Say hello, and our name and password, and nothing more."""
        if not self._breaker.admit():
            return
        connection = self._connection()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await connection.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            self._judge(error, handed_over=False)
        else:
            self._breaker.succeeded()
        finally:
            _leave(connection)

    async def send(self, notification: Notification) -> Done[str] | NotDone[Refused | Postponed] | Unknown:
        """Hand the mail in and return its Message-ID."""
        if not self._breaker.is_closed:
            return NotDone(Postponed("The mail server was away a moment ago"))
        message_id = self._message_id(notification)
        content = self._message(notification, message_id).as_bytes(policy=WIRE_FORMAT)
        connection = self._connection()
        handed_over = False
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await connection.connect()
                await connection.mail(self._address)
                await connection.rcpt(notification.recipient_email)
                # From here on it is the server's, unless it says otherwise. A connection that is cut between DATA and
                # its answer counts as a mail that may have been, which is the safe side.
                handed_over = True
                await connection.data(content)
        except (aiosmtplib.SMTPException, OSError) as error:
            return self._judge(error, handed_over=handed_over)
        finally:
            _leave(connection)
        self._breaker.succeeded()
        return Done(message_id[:_LONGEST_ID])

    def _connection(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password.reveal() or None,
            local_hostname=self._domain,
            timeout=self._timeout_seconds,
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",
            tls_context=self._tls_context,
        )

    def _message_id(self, notification: Notification) -> str:
        return f"{notification.notification_id}@{self._domain}"

    def _message(self, notification: Notification, message_id: str) -> EmailMessage:
        letter = self._letters.write(notification)
        message = EmailMessage()
        message["From"] = self._from
        message["To"] = formataddr((letter.recipient_name, notification.recipient_email))
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = f"<{message_id}>"
        # RFC 3834: no machine answers it with "out of office".
        message["Auto-Submitted"] = "auto-generated"
        message["X-Ordermesh-Notification-Id"] = notification.notification_id
        message["X-Ordermesh-Order-Id"] = notification.summary.order_id
        # In ASCII, whatever is written: not every server on the way takes more.
        message.set_content(letter.text, cte="quoted-printable")
        message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
        return message

    def _judge(
        self, error: aiosmtplib.SMTPException | OSError, *, handed_over: bool
    ) -> NotDone[Refused | Postponed] | Unknown:
        """Return what became of a mail, and note what that says of the server."""
        if _is_setting(error):
            self._breaker.failed(_LONG_PAUSE_SECONDS)
            why = _words(error)
            _logger.error("smtp.misconfigured", extra={"what": why})
            return NotDone(Postponed(why, _LONG_PAUSE_SECONDS))
        if isinstance(error, aiosmtplib.SMTPResponseException):
            return self._answered(error, handed_over=handed_over)
        self._breaker.failed()
        if handed_over:
            return Unknown(_words(error))
        return NotDone(Postponed(_words(error)))

    def _answered(
        self, error: aiosmtplib.SMTPResponseException, *, handed_over: bool
    ) -> NotDone[Refused | Postponed] | Unknown:
        about_the_mail = isinstance(
            error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError | aiosmtplib.SMTPSenderRefused
        )
        if about_the_mail and error.code != _CLOSING:
            self._breaker.succeeded()
        else:
            self._breaker.failed()
        if error.code in _NEVER and about_the_mail:
            return NotDone(Refused(_words(error)))
        if error.code in _LATER or not handed_over:
            return NotDone(Postponed(_words(error)))
        return Unknown(_words(error))


class NoFeed:
    """The Feed port of a transport that keeps no list."""

    async def page(self, after: FeedPlace | None, limit: int) -> Done[FeedPage] | NotDone[FeedDenied] | Unknown:
        """Say that there is none."""
        why = "Mail goes out by SMTP (MAIL_TRANSPORT), and a mail server keeps no list of what it took"
        return NotDone(FeedDenied(why, "smtp"))


def _is_setting(error: Exception) -> bool:
    """Say whether what is wrong is no mail but our settings, which another day may be right."""
    match error:
        case aiosmtplib.SMTPSenderRefused(code=code):
            return code in _NEVER and code != _TOO_LARGE
        case aiosmtplib.SMTPAuthenticationError(code=code):
            return code in _NEVER
        case _ if _is_not_offered(error):
            return True
        case _:
            return isinstance(error.__cause__ or error, ssl.SSLCertVerificationError)


def _is_not_offered(error: Exception) -> bool:
    """Say whether the server does not know STARTTLS, or logging in; the library has no error of its own for that."""
    return type(error) in {aiosmtplib.SMTPNotSupported, aiosmtplib.SMTPException}


def _words(error: Exception) -> str:
    """Return what happened, in our own words: those of a server may repeat the address."""
    match error:
        case aiosmtplib.SMTPResponseException(code=code, message=message):
            found = _ENHANCED.match(str(message))
            return f"The mail server answered {code}{' ' + found[0] if found else ''}{_about(error)}"
        case _ if _is_not_offered(error):
            return "The mail server does not offer what SMTP_TLS or SMTP_USERNAME ask for"
        case TimeoutError():
            return "The mail server did not answer in time"
        case aiosmtplib.SMTPConnectError() | ssl.SSLError():
            return f"The mail server could not be reached: {type(error.__cause__ or error).__name__}"
        case _:
            return f"The connection to the mail server broke: {type(error).__name__}"


def _about(error: Exception) -> str:
    match error:
        case aiosmtplib.SMTPRecipientRefused():
            return " about the recipient"
        case aiosmtplib.SMTPSenderRefused():
            return " about MAIL_FROM"
        case aiosmtplib.SMTPAuthenticationError():
            return " about SMTP_USERNAME and SMTP_PASSWORD"
        case _:
            return ""


def _leave(connection: aiosmtplib.SMTP) -> None:
    """Say goodbye without waiting for an answer: what happened to the mail is known, and is to be stored at once."""
    transport = connection.transport
    if isinstance(transport, asyncio.WriteTransport) and not transport.is_closing():
        transport.write(b"QUIT\r\n")
    connection.close()
