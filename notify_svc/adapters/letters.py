"""What a mail says: templates filled with what was true when the notification was asked for."""

import logging
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path

from jinja2 import TemplateError, TemplateSyntaxError

from kernel.clock import Clock
from notify_svc.adapters.layers import OURS, Folder, Voice
from notify_svc.adapters.locales import Languages, Tongue
from notify_svc.domain.content import Letter, SummaryLine
from notify_svc.domain.notification import Kind, Notification, one_line
from notify_svc.domain.sample import sample, samples

_logger = logging.getLogger(__name__)

# An older note of SendGrid's API forbids these in the name of a recipient.
_NOT_IN_NAMES = str.maketrans(";,", "  ")


class BrokenTemplate(Exception):
    """A template that a mail cannot be made of; the message names its file, its line and what is wrong."""


@dataclass(frozen=True, slots=True)
class _Set:
    """One way to write mails.

    Attributes:
        folders: Whose templates.
        languages: What they can be written in.
        voices: By language.
    """

    folders: tuple[Folder, ...]
    languages: Languages
    voices: dict[str, Voice]

    def voice(self, language: str) -> Voice:
        voice = self.voices.get(language)
        if voice is None:
            voice = self.voices[language] = Voice(self.folders, language, self.languages.default.language)
        return voice


class Letters:
    """Writes mails.

    Whatever people typed is data here: HTML is escaped, control characters and line ends become blanks, and a template
    that asks for something that is not there fails rather than leave a hole. Where a template of the shop's fails all
    the same, the mail is written with ours.

    Args:
        sender: "Name <address>", as `MAIL_FROM` says it; the name, else the address's domain, signs the mails.
        locale: Of whoever asks for none.
        shop_templates: The shop's own, over ours; None when there are none.

    Raises:
        UnknownLocaleError: There are no templates for the locale.
    """

    def __init__(self, sender: str, locale: str = "en-US", shop_templates: Path | None = None) -> None:
        name, address = parseaddr(sender)
        self._shop = name or address.rpartition("@")[2]
        ours = Folder(OURS)
        own = (Folder(shop_templates),) if shop_templates else ()
        languages = Languages(ours.languages.union(*(each.languages for each in own)), locale)
        self._set = _Set((*own, ours), languages, {})
        self._ours = _Set((ours,), Languages(ours.languages, _nearest_of(ours, locale)), {}) if own else None

    def locale(self, tag: str) -> str:
        """Return the locale that a mail is written for when this one is asked for."""
        return self._set.languages.nearest(tag).tag if tag else self._set.languages.default.tag

    def write(self, notification: Notification) -> Letter:
        """Return the mail."""
        if self._ours is None:
            return self._write(notification, self._set)
        try:
            return self._write(notification, self._set)
        except Exception as error:  # noqa: BLE001  (a template is the shop's own program: it may fail in any way)
            _logger.error("mail.template_failed", extra={"what": _place(error, self._set)})  # noqa: TRY400  (the values in it are personal)
            return self._write(notification, self._ours)

    def facts(self, notification: Notification) -> dict[str, object]:
        """Return what templates are filled with: texts, numbers, and lists and dictionaries of them."""
        return self._facts(notification, self._set.languages.nearest(notification.locale))

    def prepare(self, clock: Clock) -> None:
        """Write a sample, and with it load what the first mail needs."""
        self.write(sample(Kind.ORDER_CONFIRMATION, self._set.languages.default.tag, clock.now()))

    def check(self, clock: Clock) -> None:
        """Write a sample of every kind in every language.

        Raises:
            BrokenTemplate: One cannot be written.
        """
        for language in sorted(set().union(*(folder.languages for folder in self._set.folders))):
            for notification in samples(language, clock.now()):
                try:
                    letter = self._write(notification, self._set)
                except Exception as error:
                    raise BrokenTemplate(_place(error, self._set)) from error
                if not letter.subject:
                    kind = notification.kind.value.lower()
                    raise BrokenTemplate(f"{language}/{kind}: its block subject is missing or empty")

    def _write(self, notification: Notification, templates: _Set) -> Letter:
        tongue = templates.languages.nearest(notification.locale)
        voice, kind = templates.voice(tongue.language), notification.kind.value.lower()
        facts = self._facts(notification, tongue)
        plain, page = voice.text(kind), voice.page(kind)
        for_text = {**facts, "words": voice.text_words, "layout": "layout.txt"}
        return Letter(
            recipient_name=str(facts["name"]),
            subject=one_line(voice.block(plain, "subject", for_text)),
            text=_tidy(plain.render(for_text)),
            html=page.render({**facts, "words": voice.page_words, "layout": "layout.html"}).lstrip(),
        )

    def _facts(self, notification: Notification, tongue: Tongue) -> dict[str, object]:
        summary, details = notification.summary, notification.details
        shipment, refund, payment = details.shipment, details.refund, details.payment
        return {
            "shop": self._shop,
            "kind": notification.kind.value.lower(),
            "locale": tongue.tag,
            "language": tongue.language.replace("_", "-"),
            "name": one_line(notification.recipient_name.translate(_NOT_IN_NAMES)),
            "order_id": summary.order_id,
            "number": one_line(summary.reference) or summary.order_id,
            "lines": _lines(summary.lines, tongue),
            "subtotal": tongue.amount(summary.subtotal),
            "tax": tongue.amount(summary.tax),
            "tax_included": summary.prices_include_tax,
            "total": tongue.amount(summary.total),
            "address": [line for line in map(one_line, tongue.address(summary.ship_to)) if line],
            "shipment": shipment
            and {
                "lines": _lines(shipment.lines, tongue),
                "carrier": one_line(shipment.carrier),
                "tracking_number": one_line(shipment.tracking_number),
                "tracking_url": shipment.tracking_url,
                "more_to_come": shipment.more_to_come,
            },
            "refund": refund
            and {
                "amount": tongue.amount(refund.amount),
                "total": tongue.amount(refund.total),
                "lines": _lines(refund.lines, tongue),
            },
            "payment": payment
            and {
                "message": one_line(payment.message),
                "act_before": "" if payment.act_before is None else tongue.moment(payment.act_before),
            },
        }


def _nearest_of(folder: Folder, locale: str) -> str:
    """Return the locale, or English where our own templates do not have its language."""
    return locale if Languages(folder.languages, "en-US").nearest(locale).language != "en" else "en-US"


def _lines(lines: tuple[SummaryLine, ...], tongue: Tongue) -> list[dict[str, object]]:
    return [
        {
            "description": one_line(line.description),
            "quantity": line.quantity,
            "amount": tongue.amount(line.amount),
        }
        for line in lines
    ]


def _tidy(text: str) -> str:
    """Return the text with one empty line where parts that are not there leave several."""
    kept: list[str] = []
    for line in text.strip("\n").split("\n"):
        if line.strip() or (kept and kept[-1]):
            kept.append(line.rstrip(" "))
    return "\n".join(kept).rstrip("\n") + "\n"


def _place(error: Exception, templates: _Set) -> str:
    """Return where in a template it went wrong, and what; never a value that it was filled with."""
    what = f"{type(error).__name__}: {error}" if isinstance(error, TemplateError) else type(error).__name__
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or error.name}:{error.lineno} {what}"
    roots = tuple(str(folder.path) for folder in templates.folders)
    place, step = "", error.__traceback__
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        if name.startswith(roots) and not name.endswith(".py"):
            place = f"{name}:{step.tb_lineno} "
        step = step.tb_next
    return f"{place}{what}"
