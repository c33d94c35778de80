"""The table fault x point: how often each thing that can go wrong did, everywhere where it can, as Markdown."""

from collections.abc import Iterable, Mapping

from tests.simulation.chaos import (
    BANK,
    CAPTURES,
    COMMIT,
    CUSTOMER,
    EVENT,
    HOLD,
    KILL,
    PROVIDER,
    READ,
    REFUND,
    SERVICE,
    SHOP,
)

# A kind of fault and the place where it happens.
Cell = tuple[str, str]

_PROVIDERS = ("avatax", "listener", "sendgrid", "stripe")
_POINTS = (f"{KILL} before", f"{KILL} after", f"{HOLD} before", f"{HOLD} after")
_BLOCKS = (
    ("Calls of providers", (*_POINTS, *PROVIDER)),
    ("Calls of services", (*_POINTS, *SERVICE)),
    ("Databases", (*_POINTS, *dict.fromkeys((*COMMIT, *READ)))),
    ("Stripe's events", EVENT),
    ("What others do", (*REFUND, *CUSTOMER, *SHOP, *CAPTURES, *BANK)),
)


def tables(cells: Iterable[Cell], hits: Mapping[Cell, int]) -> str:
    """Return the tables: a row for each place, a column for each fault; "-" where it cannot happen."""
    known = {*cells, *hits}
    rows: dict[str, dict[str, int]] = {}
    for kind, place in known:
        name, _, point = place.partition(":")
        rows.setdefault(name, {})[f"{kind} {point}".strip()] = hits.get((kind, place), 0)
    blocks: dict[int, dict[str, dict[str, int]]] = {}
    for name, row in rows.items():
        blocks.setdefault(_block(name, row), {})[name] = row
    return "\n".join(_table(*_BLOCKS[number], blocks[number]) for number in sorted(blocks))


def _block(place: str, row: Mapping[str, int]) -> int:
    """Return which table a row is in: the first that has all its columns; the last takes what is in no other."""
    if place.partition(".")[0] in _PROVIDERS and not row.keys() - {*_BLOCKS[0][1]}:
        return 0
    last = len(_BLOCKS) - 1
    return next((number for number in range(1, last) if not row.keys() - {*_BLOCKS[number][1]}), last)


def _table(title: str, columns: tuple[str, ...], rows: Mapping[str, Mapping[str, int]]) -> str:
    columns = (*columns, *sorted({column for row in rows.values() for column in row} - {*columns}))
    lines = [
        "| " + " | ".join((title, *(column.replace("_", " ") for column in columns))) + " |",
        "| " + " | ".join(("---", *("---:" for _ in columns))) + " |",
    ]
    for name in sorted(rows):
        counts = [str(rows[name].get(column, "-")) for column in columns]
        lines.append("| " + " | ".join((f"`{name}`", *counts)) + " |")
    return "\n".join(lines) + "\n"
