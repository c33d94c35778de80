"""The waterfall in the terminal: a tree of spans on the left, their times in the middle, bars to scale on the right."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from chassis.telemetry.store import StoredSpan
from cli.waterfall import Row, TimeLine, rows

_COLOURS = ("cyan", "green", "blue", "magenta", "yellow", "bright_cyan", "bright_green", "bright_blue")

_NARROWEST_BAR = 12
# service, start and duration with the space between columns
_TIMES_WIDTH = 8 + 11 + 10 + 8


def waterfall(spans: Sequence[StoredSpan], width: int, *, with_attributes: bool) -> RenderableType:
    """Return the drawing.

    Args:
        spans: At least one.
        width: Of the terminal, in characters.
        with_attributes: Whether each span's attributes stand below it.
    """
    tree = rows(spans)
    line = TimeLine(spans)
    names = [_name(row) for row in tree]
    name_width = min(max(cell_len(name.plain) for name in names), max(30, width - _TIMES_WIDTH - 2 * _NARROWEST_BAR))
    bar_width = max(_NARROWEST_BAR, width - _TIMES_WIDTH - name_width)
    services = sorted({span.service for span in spans}, key=lambda name: _first_start(spans, name))
    colours = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(services)}
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=name_width, no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right", style="dim")
    table.add_column(no_wrap=True, justify="right")
    table.add_column(width=bar_width, no_wrap=True)
    for row, name in zip(tree, names, strict=True):
        span = row.span
        colour = "red" if span.status == "error" else colours[span.service]
        table.add_row(
            name,
            Text(span.service, style=colours[span.service]),
            f"+{_duration(span.start_ns - line.start_ns)}",
            _duration(span.end_ns - span.start_ns),
            Text(_bar(span, line, bar_width), style=colour),
        )
        if with_attributes:
            for attribute, value in sorted(span.attributes.items()):
                table.add_row(Text(f"{_margin(row)}  {attribute}={value}", style="dim"))
    return Group(_head(spans), table)


def _head(spans: Sequence[StoredSpan]) -> Text:
    traces = len({span.trace_id for span in spans})
    failed = sum(span.status == "error" for span in spans)
    text = Text(f"{len(spans)} spans in {traces} {'trace' if traces == 1 else 'traces'}", style="dim")
    return text.append(f", {failed} failed", style="red") if failed else text


def _first_start(spans: Sequence[StoredSpan], service: str) -> int:
    return min(span.start_ns for span in spans if span.service == service)


def _name(row: Row) -> Text:
    span = row.span
    tree = ""
    if row.branches:
        above = "".join("│  " if more_follow else "   " for more_follow in row.branches[:-1])
        tree = above + ("├─ " if row.branches[-1] else "└─ ")
    text = Text(tree, style="dim")
    if row.linked:
        text.append("↳ linked ", style="yellow")
    # "package.Service/Method" without the package; an arrow for the calling side of a call.
    name = span.name if "/" not in span.name or " " in span.name else span.name.rsplit(".", 1)[-1]
    text.append(f"→ {name}" if span.kind == "client" else name, style="red" if span.status == "error" else "")
    if span.status == "error" and span.status_message:
        text.append(f" {span.status_message}", style="red")
    return text


def _margin(row: Row) -> str:
    return "".join("│  " if more_follow else "   " for more_follow in row.branches)


def _bar(span: StoredSpan, line: TimeLine, width: int) -> str:
    first = int(line.position(span.start_ns) * width)
    last = round(line.position(span.end_ns) * width)
    first = min(first, width - 1)
    return " " * first + ("█" * (last - first) or "▏")


def _duration(nanoseconds: int) -> str:
    milliseconds = nanoseconds / 1e6
    if milliseconds < 1_000:  # noqa: PLR2004  (from a second on, a person thinks in seconds)
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds / 1_000:.2f} s"
