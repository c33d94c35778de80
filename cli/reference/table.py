"""Markdown tables whose cells hold any text."""

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return the table; empty where there are no rows."""
    lines = ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads), *lines]) if lines else ""


def cell(text: str) -> str:
    """Return a text as it may stand in a cell: on one line, and with no bar that would end it."""
    return " ".join(text.split()).replace("|", "\\|")
