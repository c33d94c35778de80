"""How every page of the sandbox is made: one set of templates, one policy for browsers, one way to write amounts."""

from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader

from kernel.money import UnknownCurrency, exponent
from sandbox.stripe.money import Sum

HTML = "text/html; charset=utf-8"

_USUAL_DIGITS = 2


def at_stripe(amount: int, currency: str) -> str:
    """Return an amount of Stripe's, in its own minor units, as people write it: "$12.50"."""
    return str(Sum(amount, currency))


def at_avatax(amount: float, currency: str) -> str:
    """Return an amount of AvaTax's, in whole units, with the digits that its currency has: "1,204.50 EUR"."""
    try:
        digits = exponent(currency)
    except UnknownCurrency:
        digits = _USUAL_DIGITS
    return f"{Decimal(str(amount)):,.{digits}f} {currency}"


def moment(unix_seconds: int) -> str:
    """Return a time of Stripe's: "2026-03-01 09:30:05 UTC"."""
    return f"{datetime.fromtimestamp(unix_seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def policy(*, frames: bool = False, leads_to: str = "") -> str:
    """Return what a browser lets a page do: load our styles, send forms to us, and run nothing.

    Args:
        frames: Whether it shows others of our pages.
        leads_to: The origin that a form's answer sends the browser on to; browsers hold redirects to it, too.
    """
    framed = "frame-src 'self'; " if frames else ""
    forms = f"'self' {leads_to}".rstrip()
    return f"default-src 'none'; style-src 'self'; {framed}form-action {forms}; base-uri 'none'; frame-ancestors 'none'"


def headers(content_security_policy: str) -> dict[str, str]:
    """Return what goes out with a page."""
    return {
        "content-type": HTML,
        "content-security-policy": content_security_policy,
        "cache-control": "no-store",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }


_TEMPLATES = Environment(
    loader=PackageLoader("sandbox.pages", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_TEMPLATES.filters |= {"moment": moment}
_TEMPLATES.globals |= {"at_stripe": at_stripe, "at_avatax": at_avatax}


def render(template: str, **shown: object) -> bytes:
    """Return a page."""
    return _TEMPLATES.get_template(template).render(**shown).encode()


def is_of_another_site(site: str | None, origin: str | None, host: str | None) -> bool:
    """Say whether a form was sent from a page that is not ours: another site must not press our buttons.

    Args:
        site: The header Sec-Fetch-Site, which browsers send; None where it is missing.
        origin: The header Origin.
        host: The header Host.
    """
    if site is not None:
        return site != "same-origin"
    return origin is not None and urlsplit(origin).netloc != host
