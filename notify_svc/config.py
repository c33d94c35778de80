"""The settings of the notify service: the only module of it that meets the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from babel import UnknownLocaleError

from chassis.access.settings import AccessSettings
from chassis.config import Environment, Secret
from chassis.limits import Limits
from chassis.trust.settings import TransportSettings
from kernel.clock import SystemClock
from notify_svc.adapters.letters import BrokenTemplate, Letters
from notify_svc.adapters.sendgrid_events import BadKey, public_key
from notify_svc.adapters.smtp import SmtpServer
from notify_svc.domain.notification import Kind

# What the sandbox signs its events with; its private half is published in sandbox/sendgrid/signing.py.
_SANDBOX_PUBLIC_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5PiItnh4CcXT+pTmAYwp+mYw9zgw"
    "3rm9snYerrwsdbcZnUUc9Zkg/F1c+Rad3phI1g5AfyKV28b7MTICfWSnHA=="
)

_SANDBOX_KEY = "SG.sandbox"
# The shape of the keys that SendGrid hands out.
_LIVE_KEY = re.compile(r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}")
_TEMPLATE_ID = re.compile(r"d-[0-9a-f]{32}")
_KINDS = [kind.value.lower() for kind in Kind]
# By SMTP_TLS: where each is spoken as a rule.
_SMTP_PORTS = {"starttls": 587, "tls": 465, "off": 25}
_HIGHEST_PORT = 65_535
_ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


@dataclass(frozen=True, slots=True)
class NotifyConfig:
    """What the notify service needs to know."""

    address: str
    """NOTIFY_ADDR: where it listens, host:port."""

    worker: int
    """ORDERMESH_WORKER: which of the processes this is that share its address, from 1 on; 0 where it has it for itself.
    `ordermesh serve --workers` sets it."""

    transport: TransportSettings
    """How it is reached, and by whom."""

    database_url: Secret
    """NOTIFY_DATABASE_URL: where the notify service's tables are; else ORDERMESH_DATABASE_URL, else SQLite in
    ORDERMESH_DATA_DIR."""

    data_dir: Path
    """ORDERMESH_DATA_DIR: where SQLite files and the span store lie."""

    access: AccessSettings
    """Whose word on callers counts, and what certificates of other teams may do."""

    otlp_endpoint: str
    """OTEL_EXPORTER_OTLP_ENDPOINT: the collector; empty exports nothing."""

    metrics_address: str
    """ORDERMESH_METRICS_ADDR: where Prometheus reads /metrics; empty for nowhere."""

    limits: Limits
    """How much it takes on at most."""

    sendgrid_url: str
    """SENDGRID_BASE_URL: https://api.sendgrid.com for the real one; else the sandbox at SANDBOX_ADDR."""

    sendgrid_api_key: Secret
    """SENDGRID_API_KEY: a key that may send mail; the default is the sandbox's."""

    sendgrid_webhook_public_key: str
    """SENDGRID_WEBHOOK_PUBLIC_KEY: the key that SendGrid's events are checked with, base64 as it shows it; empty
    refuses every event."""

    mail_from: str
    """MAIL_FROM: "Name <address>", a sender that the mail provider has verified."""

    sendgrid_templates: Mapping[str, str]
    """MAIL_SENDGRID_TEMPLATES: the shop's own templates at SendGrid, "order_shipped=d-…,order_shipped.de=d-…"; empty
    for none."""

    mail_transport: str
    """MAIL_TRANSPORT: who sends mails: "sendgrid", or "smtp" for any mail server."""

    smtp: SmtpServer
    """SMTP_HOST: the mail server, where MAIL_TRANSPORT is smtp.

    SMTP_PORT: the port of the mail server; 465 where SMTP_TLS is tls, 25 where it is off.

    SMTP_TLS: how the connection to the mail server is secured: starttls, tls, or off for one on this machine.

    SMTP_USERNAME: who logs in at the mail server; empty for nobody.

    SMTP_PASSWORD: the password that SMTP_USERNAME logs in with."""

    mail_locale: str
    """MAIL_LOCALE: the language and region of mails that are asked for in none, or in one without templates."""

    mail_templates_dir: Path | None
    """MAIL_TEMPLATES_DIR: the folder with the shop's own templates, file by file over ours; empty for none."""

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            ConfigError: Something is wrong; every complaint is listed.
        """
        environment = Environment(values)
        data_dir = environment.path("ORDERMESH_DATA_DIR", "./.ordermesh")
        sandbox = environment.address("SANDBOX_ADDR", "127.0.0.1:8090")
        shared = environment.text("ORDERMESH_DATABASE_URL", f"sqlite:///{data_dir / 'notify.db'}")
        url = environment.url("SENDGRID_BASE_URL", f"http://{sandbox}/sendgrid")
        known_key = _SANDBOX_PUBLIC_KEY if url == f"http://{sandbox}/sendgrid" else ""
        address = environment.address("NOTIFY_ADDR", "127.0.0.1:50054")
        config = cls(
            address=address,
            worker=environment.worker(),
            transport=TransportSettings.read(environment, "notify", listens={"NOTIFY_ADDR": address}),
            database_url=environment.secret("NOTIFY_DATABASE_URL", shared),
            data_dir=data_dir,
            access=AccessSettings.read(environment, data_dir),
            otlp_endpoint=environment.url("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
            metrics_address=environment.address("ORDERMESH_METRICS_ADDR", ""),
            limits=environment.limits(),
            sendgrid_url=url,
            sendgrid_api_key=environment.secret("SENDGRID_API_KEY", _SANDBOX_KEY),
            sendgrid_webhook_public_key=environment.text("SENDGRID_WEBHOOK_PUBLIC_KEY", known_key),
            mail_from=environment.text("MAIL_FROM", "Ordermesh <orders@shop.example>"),
            sendgrid_templates=_templates(environment),
            mail_transport=environment.text("MAIL_TRANSPORT", "sendgrid"),
            smtp=_smtp(environment),
            mail_locale=environment.text("MAIL_LOCALE", "en_US"),
            mail_templates_dir=environment.path("MAIL_TEMPLATES_DIR", "") if values.get("MAIL_TEMPLATES_DIR") else None,
        )
        config._check(environment, sandbox)
        config._check_smtp(environment)
        config._check_letters(environment)
        environment.check()
        return config

    @property
    def is_deaf(self) -> bool:
        """Whether SendGrid sends mails and events of them are refused: no key says which events are SendGrid's."""
        with_sendgrid = self.mail_transport == "sendgrid" and self.sendgrid_url.startswith("https://")
        return with_sendgrid and not self.sendgrid_webhook_public_key

    def _check(self, environment: Environment, sandbox: str) -> None:
        """Keep a real key from an address that is not SendGrid's, and SendGrid from a made-up one."""
        key = self.sendgrid_api_key.reveal()
        if self.sendgrid_url.startswith(f"http://{sandbox}") and _LIVE_KEY.fullmatch(key):
            environment.complain("SENDGRID_API_KEY", "is a live key, but SENDGRID_BASE_URL is the sandbox's; set both")
        if self.sendgrid_url.startswith("https://") and key == _SANDBOX_KEY:
            environment.complain("SENDGRID_BASE_URL", "is set, but SENDGRID_API_KEY is not; set both or none")
        if not _ADDRESS.fullmatch(parseaddr(self.mail_from)[1]) or not self.mail_from.isprintable():
            environment.complain("MAIL_FROM", 'is not like "Shop <orders@shop.example>"')
        if self.sendgrid_webhook_public_key:
            try:
                public_key(self.sendgrid_webhook_public_key)
            except BadKey as error:
                environment.complain("SENDGRID_WEBHOOK_PUBLIC_KEY", str(error))

    def _check_smtp(self, environment: Environment) -> None:
        """Have mail handed in where it is wanted, and neither it nor a password told to whoever listens on the way."""
        server = self.smtp
        if self.mail_transport not in {"sendgrid", "smtp"}:
            environment.complain("MAIL_TRANSPORT", f"is {self.mail_transport!r}; it can be sendgrid or smtp")
        if self.mail_transport == "smtp" and not server.host:
            environment.complain("SMTP_HOST", "is not set, but MAIL_TRANSPORT is smtp")
        if self.mail_transport == "smtp" and not parseaddr(self.mail_from)[1].isascii():
            environment.complain("MAIL_FROM", "has letters that not every mail server takes; write its domain as xn--…")
        if server.tls not in _SMTP_PORTS:
            environment.complain("SMTP_TLS", f"is {server.tls!r}; it can be starttls, tls or off")
        if server.host and server.tls == "off" and not _is_loopback(server.host):
            environment.complain("SMTP_TLS", "is off, which is only for a mail server on this machine")
        if bool(server.username) != bool(server.password):
            environment.complain("SMTP_PASSWORD", "and SMTP_USERNAME belong together; set both or none")

    def _check_letters(self, environment: Environment) -> None:
        """Write every mail once with the shop's own templates, so that a broken one costs a start and not a mail."""
        folder = self.mail_templates_dir
        if folder is not None and not folder.is_dir():
            environment.complain("MAIL_TEMPLATES_DIR", f"{str(folder)!r} is not a folder")
            return
        try:
            letters = Letters(self.mail_from, self.mail_locale, folder)
            if folder is not None:
                letters.check(SystemClock())
        except UnknownLocaleError:
            environment.complain("MAIL_LOCALE", f"{self.mail_locale!r} is no locale that there are templates for")
        except BrokenTemplate as error:
            environment.complain("MAIL_TEMPLATES_DIR", str(error))
        except (OSError, UnicodeDecodeError) as error:
            environment.complain("MAIL_TEMPLATES_DIR", f"cannot be read: {error}")


def _templates(environment: Environment) -> Mapping[str, str]:
    """Return SendGrid's ids of the shop's templates by kind, and language where one is named."""
    found: dict[str, str] = {}
    for entry in environment.text("MAIL_SENDGRID_TEMPLATES", "").split(","):
        name, _, template_id = (part.strip() for part in entry.partition("="))
        if not entry.strip():
            continue
        if name.partition(".")[0] not in _KINDS:
            environment.complain(
                "MAIL_SENDGRID_TEMPLATES", f"{name!r} is no kind of mail; those are {', '.join(_KINDS)}"
            )
        elif not _TEMPLATE_ID.fullmatch(template_id):
            environment.complain("MAIL_SENDGRID_TEMPLATES", f"{name}: not like d- and 32 hexadecimal digits")
        else:
            found[name] = template_id
    return found


def _smtp(environment: Environment) -> SmtpServer:
    tls = environment.text("SMTP_TLS", "starttls")
    port = environment.text("SMTP_PORT", str(_SMTP_PORTS.get(tls, 587)))
    if not (port.isascii() and port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT):
        environment.complain("SMTP_PORT", f"{port!r} is not a port")
        port = "587"
    return SmtpServer(
        host=environment.text("SMTP_HOST", ""),
        port=int(port),
        tls=tls,
        username=environment.text("SMTP_USERNAME", ""),
        password=environment.secret("SMTP_PASSWORD"),
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
