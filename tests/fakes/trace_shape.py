"""What a trace looks like, whatever took how long: an indented tree of spans to write down in a test, and to draw.

A line is a span: its service, its side, what was done; after a colon why it failed; after a dot what else is marked.
`linked` begins another trace, which goes on from the span above. Lines with a question mark may be there or not, with
all below them. Equal siblings are one line, and siblings stand in the order of the alphabet: which of those that go on
at once comes first, and how often a provider tells of the same thing, is luck.
"""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import dedent

from chassis.telemetry.waterfall import Row

_INDENT = "  "
_MAYBE = "? "

Shape = dict[str, "Shape"]


def shape_of(rows: Sequence[Row]) -> Shape:
    """Return the shape of a waterfall."""
    return _shape((len(row.branches), _line(row)) for row in rows)


def shape_in(text: str) -> Shape:
    """Return the shape that a test has written down."""
    lines = dedent(text).strip().splitlines()
    return _shape((len(line) - len(line.lstrip(" ")), line.strip()) for line in lines)


def drawn(shape: Shape) -> str:
    """Return the shape as text."""
    return "\n".join(_drawn(shape, ""))


def without_what_may_be(shape: Shape, wanted: Shape) -> tuple[Shape, Shape]:
    """Return both shapes without the lines that the second has a question mark at."""
    maybe = {name.removeprefix(_MAYBE) for name in wanted if name.startswith(_MAYBE)}
    kept = {name: below for name, below in shape.items() if name not in maybe}
    needed = {name: below for name, below in wanted.items() if not name.startswith(_MAYBE)}
    for name in kept.keys() & needed.keys():
        kept[name], needed[name] = without_what_may_be(kept[name], needed[name])
    return kept, needed


def _shape(lines: Iterable[tuple[int, str]]) -> Shape:
    """Return the shape whose lines these are, each with how far it is indented."""
    whole: Shape = {}
    open_: list[tuple[int, Shape]] = [(-1, whole)]
    for depth, line in lines:
        while open_[-1][0] >= depth:
            open_.pop()
        open_.append((depth, open_[-1][1].setdefault(line, {})))
    return whole


def _line(row: Row) -> str:
    span = row.span
    name = span.name if " " in span.name else span.name.rsplit(".", 1)[-1]
    failed = f": {span.status_message}" if span.status == "error" else ""
    # Which try came through is luck as well.
    marks = "".join(f" · {'again' if mark.startswith('attempt') else mark}" for mark in row.marks)
    return f"{'linked ' if row.linked else ''}{span.service} {span.kind} {name}{failed}{marks}"


def _drawn(shape: Shape, margin: str) -> Iterator[str]:
    for name, below in sorted(shape.items()):
        yield f"{margin}{name}"
        yield from _drawn(below, margin + _INDENT)
