"""The page of a bench run: plots that are in proportion, beside their figures, and nothing fetched from anywhere."""

import re
from xml.etree import ElementTree as ET

import pytest

from bench.page import page
from bench.plot import Bar, bars, lines
from bench.report import Figures, Report, Slice, Store

_SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)


def figures(cpu: dict[str, float], seconds: float, began: float) -> Figures:
    latencies = [number / 1000 for number in range(1, 101)]
    return Figures(100, seconds, cpu, latencies, [Slice(began, seconds, 100)])


@pytest.fixture
def report() -> Report:
    variants = {
        "product": figures({"order": 0.9, "tax": 0.3}, 2.0, 0.0),
        "mesh": figures({"order": 0.6}, 1.0, 2.0),
        "floor": figures({"order": 0.6}, 1.0, 3.0),
        "stock": figures({"order": 0.3}, 0.5, 4.0),
    }
    return Report(64, variants, 120, {"order": Store(60, 600, 50), "tax": Store(120, 120, 3)})


def drawn(page: str) -> list[ET.Element]:
    return [ET.fromstring(each) for each in _SVG.findall(page)]


def test_it_has_a_plot_of_each_thing_and_every_figure_as_text(report: Report) -> None:
    written = page(report, "../docs/proof.md")

    titles = [plot.get("aria-label") for plot in drawn(written)]
    assert [title.partition(",")[0] for title in titles if title] == [
        "Throughput over time",
        "Latency of an order by percentile",
        "CPU of an order by process",
        "CPU of an order to the floor's",
        "Group commit: changes that share a transaction of the product",
    ]
    assert '<a href="../docs/proof.md">' in written
    row = '<th scope="row">product</th><td>100</td><td>50</td><td>12.00</td><td>50.5</td><td>100.0</td><td>2.00</td>'
    assert row in written
    assert report.as_json()["ratio_cpu"] == 2.0
    assert report.as_json()["changes_per_commit_by_service"] == {"order": 10.0, "tax": 1.0}


def test_it_fetches_nothing_and_runs_nothing(report: Report) -> None:
    written = page(report, "../docs/proof.md")

    assert not re.findall(r"https?:|//[a-z]|<script|<link|src=|@import|url\(", written)


def test_bars_are_in_proportion_and_end_with_their_sum() -> None:
    (plot,) = drawn(bars("some", [Bar("long", {"a": 2.0, "b": 6.0}), Bar("short", {"a": 4.0})], mark=4.0))

    widths = [float(each.get("width", "")) for each in plot.iter("rect")]
    assert widths == pytest.approx([widths[0], 3 * widths[0], 2 * widths[0]], abs=0.2)
    assert [each.text for each in plot.iter("text")] == ["long", "8.00", "short", "4.00"]
    (mark,) = plot.iter("line")
    (left,) = {each.get("x") for each in plot.iter("rect") if each.get("class") == "c0"}
    assert float(mark.get("x1", "")) == pytest.approx(float(left or "") + widths[2], abs=0.2)


def test_lines_rise_with_their_values_and_names_are_escaped() -> None:
    written = lines("some", ["0", "1"], {"a < b": [(0.0, 0.0), (0.5, 10.0), (1.0, 5.0)]})

    (plot,) = drawn(written)
    heights = [float(each.get("cy", "")) for each in plot.iter("circle")]
    assert heights[1] < heights[2] < heights[0]
    assert (heights[0] - heights[2]) * 2 == pytest.approx(heights[0] - heights[1], abs=0.2)
    assert "a &lt; b" in written
