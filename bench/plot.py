"""Plots as inline SVG: bars and lines, each with its numbers in it, so that the page needs no script and no network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH = 720
_LEFT = 130  # where names end and bars begin
_RIGHT = 70  # room for the number behind a bar
_ROW = 26
_BAR = 16
_PLOT_HEIGHT = 220
_BELOW = 40
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of one or more parts.

    Attributes:
        name: What stands before it.
        parts: Its parts by name, in order; the same names have the same colour in a plot.
    """

    name: str
    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        """Return the length of the whole bar."""
        return sum(self.parts.values())


def bars(title: str, rows: Sequence[Bar], *, mark: float | None = None) -> str:
    """Return horizontal bars.

    Args:
        title: What is shown, with its unit.
        rows: From top to bottom.
        mark: Where a line crosses all bars: what they are compared with.
    """
    longest = max([row.total for row in rows] + [mark or 0.0]) or 1.0
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    names = list(dict.fromkeys(name for row in rows for name in row.parts))
    shapes: list[str] = []
    for number, row in enumerate(rows):
        top, left = number * _ROW + 4, float(_LEFT)
        shapes.append(_text(_LEFT - 8, top + 12, row.name, "end"))
        for name, value in row.parts.items():
            shapes.append(
                f'<rect class="c{names.index(name)}" x="{left:.1f}" y="{top}" width="{value * scale:.1f}" '
                f'height="{_BAR}"><title>{escape(name)}: {value:.2f}</title></rect>'
            )
            left += value * scale
        shapes.append(_text(left + 6, top + 12, f"{row.total:.2f}"))
    height = len(rows) * _ROW + 8
    if mark is not None:
        x = _LEFT + mark * scale
        shapes.append(f'<line class="mark" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height}"/>')
    legend = _legend(names) if len(names) > 1 else ""
    return _figure(title, height, shapes) + legend


def lines(title: str, across: Sequence[str], series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return lines over one axis.

    Args:
        title: What is shown, with the unit of the axis that goes up.
        across: What stands below the axis that goes across, evenly spread from its beginning to its end.
        series: By name: points, whose first number is a share of the axis that goes across, 0 to 1.
    """
    highest = max((value for points in series.values() for _, value in points), default=0.0) or 1.0
    width, bottom = _WIDTH - _LEFT - _RIGHT, _PLOT_HEIGHT
    shapes: list[str] = []
    for tick in range(_TICKS + 1):
        y = bottom - tick / _TICKS * (bottom - 10)
        shapes.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_LEFT + width}" y2="{y:.1f}"/>')
        shapes.append(_text(_LEFT - 8, y + 4, f"{highest * tick / _TICKS:.0f}", "end"))
    for number, word in enumerate(across):
        x = _LEFT + width * number / max(1, len(across) - 1)
        shapes.append(_text(x, bottom + 18, word, "middle"))
    for number, (name, points) in enumerate(series.items()):
        places = [(_LEFT + share * width, bottom - value / highest * (bottom - 10)) for share, value in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        shapes.append(f'<polyline class="l{number}" points="{path}"><title>{escape(name)}</title></polyline>')
        shapes += [
            f'<circle class="c{number}" cx="{x:.1f}" cy="{y:.1f}" r="3">'
            f"<title>{escape(name)}: {value:.1f}</title></circle>"
            for (x, y), (_, value) in zip(places, points, strict=True)
        ]
    return _figure(title, _PLOT_HEIGHT + _BELOW, shapes) + _legend(list(series))


def _figure(title: str, height: int, shapes: Sequence[str]) -> str:
    return (
        f'<h2>{escape(title)}</h2>\n<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {_WIDTH} {height}">\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )


def _legend(names: Sequence[str]) -> str:
    keys = "".join(f'<li><span class="k{number}"></span>{escape(name)}</li>' for number, name in enumerate(names))
    return f'<ul class="legend">{keys}</ul>\n'


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
