"""What a mail says: templates filled with what was true when the notification was asked for."""

from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kernel.address import Address
from kernel.money import Money
from notify_svc.domain.notification import Kind, Notification, one_line

_TEMPLATES = Path(__file__).with_name("templates")

# An older note of SendGrid's API forbids these in the name of a recipient.
_NOT_IN_NAMES = str.maketrans(";,", "  ")


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail, written.

    Attributes:
        recipient_name: As it stands beside the address; may be empty.
        subject: One line.
        text: The plain part.
        html: The part for eyes.
    """

    recipient_name: str
    subject: str
    text: str
    html: str


class Letters:
    """Writes mails.

    Whatever people typed is data here: HTML is escaped, control characters and line ends become blanks, and a template
    that asks for something that is not there fails rather than leave a hole.

    Args:
        sender: "Name <address>", as `MAIL_FROM` says it; the name, else the address's domain, signs the mails.
    """

    def __init__(self, sender: str) -> None:
        name, address = parseaddr(sender)
        self._shop = name or address.rpartition("@")[2]
        environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(_TEMPLATES),
            undefined=StrictUndefined,
            autoescape=select_autoescape(["html"]),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        # Compiled now, so that a broken template stops the service from starting and not a mail from being written.
        self._texts = {kind: environment.get_template(f"{kind.value.lower()}.txt") for kind in Kind}
        self._pages = {kind: environment.get_template(f"{kind.value.lower()}.html") for kind in Kind}

    def write(self, notification: Notification) -> Letter:
        """Return the mail."""
        facts = self._facts(notification)
        name = one_line(notification.recipient_name.translate(_NOT_IN_NAMES))
        return Letter(
            recipient_name=name,
            subject=one_line(f"{self._shop}: order {notification.summary.order_id} is confirmed"),
            text=self._texts[notification.kind].render(facts, name=name),
            html=self._pages[notification.kind].render(facts, name=name),
        )

    def _facts(self, notification: Notification) -> dict[str, object]:
        summary = notification.summary
        return {
            "shop": self._shop,
            "order_id": summary.order_id,
            # Tuples that templates unpack: the sandbox checks every attribute that is asked for, at some cost.
            "lines": [(one_line(line.description), line.quantity, amount(line.amount)) for line in summary.lines],
            "subtotal": amount(summary.subtotal),
            "tax": amount(summary.tax),
            "total": amount(summary.total),
            "address": _address_lines(summary.ship_to),
        }


def amount(money: Money) -> str:
    """Return an amount as English mails write it, with the currency's own digits: "1,234.50 EUR", "500 JPY"."""
    return f"{money.to_decimal():,f} {money.currency_code}"


def _address_lines(address: Address) -> list[str]:
    town = " ".join(filter(None, (address.locality, address.administrative_area, address.postal_code)))
    lines = (address.line1, address.line2, town, address.region_code)
    return [line for line in map(one_line, lines) if line]
