"""How pages write amounts, times and states."""

from datetime import datetime
from typing import Any

from kernel.money import Money

# In colours that mean the same everywhere: under way, well, ended badly.
STATES = {
    "PENDING": "waits",
    "PAYMENT_ACTION_REQUIRED": "waits",
    "AUTHORIZED": "waits",
    "PROCESSING": "waits",
    "PAID": "well",
    "SHIPPED": "well",
    "DELIVERED": "well",
    "FAILED": "badly",
    "CANCELLED": "over",
    "REFUNDED": "over",
}

_MAILS = {
    "SENT": "well",
    "DELIVERED": "well",
    "BOUNCED": "badly",
    "DROPPED": "badly",
    "UNDELIVERABLE": "badly",
    "SPAM_REPORTED": "badly",
}

_SECOND, _SECONDS_SHOWN, _MINUTES_SHOWN = 1.0, 100.0, 120


def money(amount: dict[str, Any] | None) -> str:
    """Return an amount of the API: "53.24 USD"; a dash for none."""
    if not amount or not amount.get("currency_code"):
        return "-"
    return str(Money(amount["currency_code"], int(amount["minor_units"])))


def moment(time: str | None) -> str:
    """Return a time of the API: "2026-03-01 09:30:05 UTC"; a dash for none."""
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M:%S} UTC" if time else "-"


def clock_time(time: str) -> str:
    """Return the time of day, to the millisecond: "09:30:05.250"."""
    return datetime.fromisoformat(time).time().isoformat("milliseconds")


def state_kind(state: str) -> str:
    """Return what a state of an order means for it: "waits", "well", "badly" or "over"."""
    return STATES.get(state, "over")


def spoken(word: str) -> str:
    """Return a word of the contract as people write it: "payment action required"."""
    return word.replace("_", " ").lower()


def distance(later: str, earlier: str) -> str:
    """Return how long one time is after another: "+1.250 s"."""
    seconds = (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    return f"+{seconds:.3f} s"


def mail_kind(state: str) -> str:
    """Return what a state of a mail means for it: "well", "badly" or "waits"."""
    return _MAILS.get(state, "waits")


def lasting(duration: str | None) -> str:
    """Return a length of time of the API, "93.250s", as people write it: "80 ms", "1.25 s", "2 min", "3 h"."""
    seconds = float((duration or "0s").removesuffix("s"))
    if seconds < _SECOND:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _SECONDS_SHOWN:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < _MINUTES_SHOWN else f"{minutes // 60} h"
