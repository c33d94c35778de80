"""The table fault x point: how often each thing that can go wrong did, everywhere where it can, as Markdown."""

from collections.abc import Iterable, Mapping

from tests.simulation.chaos import COMMIT, CUSTOMER, EVENT, HOLD, KILL, PROVIDER, READ, REFUND, SERVICE, SHOP

# A kind of fault and the place where it happens.
Cell = tuple[str, str]

_PROVIDERS = ("avatax", "sendgrid", "stripe")
_POINTS = (f"{KILL} before", f"{KILL} after", f"{HOLD} before", f"{HOLD} after")
_BLOCKS = (
    ("Calls of providers", (*_POINTS, *PROVIDER)),
    ("Calls of services", (*_POINTS, *SERVICE)),
    ("Databases", (*_POINTS, *dict.fromkeys((*COMMIT, *READ)))),
    ("Stripe's events", EVENT),
    ("Refunds, and what others do unasked", (*REFUND, *CUSTOMER, *SHOP)),
)
_OTHERS = ("stripe.refund.fate", "stripe.customer", "stripe.dashboard")


def tables(cells: Iterable[Cell], hits: Mapping[Cell, int]) -> str:
    """Return the tables: a row for each place, a column for each fault; "-" where it cannot happen."""
    known = {*cells, *hits}
    rows: dict[str, dict[str, int]] = {}
    for kind, place in known:
        name, _, point = place.partition(":")
        rows.setdefault(name, {})[f"{kind} {point}".strip()] = hits.get((kind, place), 0)
    parts = []
    for number, (title, columns) in enumerate(_BLOCKS):
        ours = {name: row for name, row in rows.items() if _block(name) == number}
        if ours:
            parts.append(_table(title, columns, ours))
    return "\n".join(parts)


def _block(place: str) -> int:
    service, _, what = place.partition(".")
    if service == "event":
        return 3
    if place in _OTHERS:
        return 4
    if service in _PROVIDERS:
        return 0
    return 2 if what in {"commit", "read"} else 1


def _table(title: str, columns: tuple[str, ...], rows: Mapping[str, Mapping[str, int]]) -> str:
    lines = [
        "| " + " | ".join((title, *(column.replace("_", " ") for column in columns))) + " |",
        "| " + " | ".join(("---", *("---:" for _ in columns))) + " |",
    ]
    for name in sorted(rows):
        counts = [str(rows[name].get(column, "-")) for column in columns]
        lines.append("| " + " | ".join((f"`{name}`", *counts)) + " |")
    return "\n".join(lines) + "\n"
