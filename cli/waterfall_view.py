"""The waterfall in the terminal: a tree of spans on the left, their times in the middle, bars to scale on the right."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from chassis.telemetry.store import StoredSpan
from chassis.telemetry.waterfall import Row, TimeLine, rows

_COLOURS = ("cyan", "green", "blue", "magenta", "yellow", "bright_cyan", "bright_green", "bright_blue")
_GAP = "  "
_NARROWEST_NAME = 20
_NARROWEST_BAR = 12


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
    starts = [f"+{_duration(row.span.start_ns - line.start_ns)}" for row in tree]
    durations = [_duration(row.span.end_ns - row.span.start_ns) for row in tree]
    colours = _colours(tree)
    service_width, start_width, duration_width = (max(map(len, column)) for column in (colours, starts, durations))
    left = width - service_width - start_width - duration_width - 4 * len(_GAP)
    name_width = min(max(name.cell_len for name in names), max(_NARROWEST_NAME, left - _NARROWEST_BAR))
    bar_width = max(_NARROWEST_BAR, left - name_width)
    drawn: list[Text] = []
    for row, name, start, duration in zip(tree, names, starts, durations, strict=True):
        service = row.span.service
        name.truncate(name_width, overflow="ellipsis", pad=True)
        times = Text.assemble(
            (service.ljust(service_width), colours[service]),
            (f"{_GAP}{start:>{start_width}}", "dim"),
            f"{_GAP}{duration:>{duration_width}}{_GAP}",
            (_bar(row.span, line, bar_width), "red" if row.span.status == "error" else colours[service]),
        )
        drawn.append(name.append(_GAP).append_text(times))
        if with_attributes:
            drawn += _attributes(row)
    return Group(_head(spans), *drawn)


def _head(spans: Sequence[StoredSpan]) -> Text:
    traces = len({span.trace_id for span in spans})
    failed = sum(span.status == "error" for span in spans)
    text = Text.assemble((f"{len(spans)} spans in {traces} {'trace' if traces == 1 else 'traces'}", "dim"))
    return text.append(f", {failed} failed", style="red") if failed else text


def _colours(tree: Sequence[Row]) -> dict[str, str]:
    services = dict.fromkeys(row.span.service for row in tree)
    return {service: _COLOURS[index % len(_COLOURS)] for index, service in enumerate(services)}


def _name(row: Row) -> Text:
    span = row.span
    failed = span.status == "error"
    text = Text()
    if row.branches:
        text.append(_stems(row.branches[:-1]) + ("├─ " if row.branches[-1] else "└─ "), style="dim")
    if row.linked:
        text.append("↳ linked ", style="yellow")
    # "package.Service/Method" goes without its package; an arrow marks the calling side of a call.
    name = span.name if " " in span.name else span.name.rsplit(".", 1)[-1]
    text.append(f"→ {name}" if span.kind == "client" else name, style="red" if failed else "")
    if failed and span.status_message:
        text.append(f" {span.status_message}", style="red")
    return text.append("".join(f" · {mark}" for mark in row.marks), style="yellow")


def _attributes(row: Row) -> list[Text]:
    margin = f"{_stems(row.branches)}  "
    return [Text.assemble((f"{margin}{name}={value}", "dim")) for name, value in sorted(row.span.attributes.items())]


def _stems(branches: Sequence[bool]) -> str:
    return "".join("│  " if more_follow else "   " for more_follow in branches)


def _bar(span: StoredSpan, line: TimeLine, width: int) -> str:
    first = min(int(line.position(span.start_ns) * width), width - 1)
    last = round(line.position(span.end_ns) * width)
    return " " * first + ("█" * (last - first) or "▏")


def _duration(nanoseconds: int) -> str:
    milliseconds = nanoseconds / 1e6
    if milliseconds < 1_000:  # noqa: PLR2004  (from a second on, a person thinks in seconds)
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds / 1_000:.2f} s"
