"""The report as one HTML page that needs nothing else: plots, and the figures behind them as a table."""

from html import escape

from bench.plot import Bar, bars, lines
from bench.report import Report

_MILLI = 1000.0
_PERCENTILES = (10, 25, 50, 75, 90, 95, 99)

# Told apart by people who see no red and green (Okabe and Ito, 2008).
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")

_STYLE = """\
:root { color-scheme: light dark; --ink: #1d2129; --soft: #5d6470; --line: #d6dae1; --paper: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e7e9ee; --soft: #a4abb8; --line: #3b414c; --paper: #14171c } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 760px;
  margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.05rem; margin: 2.2rem 0 .4rem }
p, .legend { color: var(--soft) }
svg { width: 100%; height: auto; overflow: visible } svg text { font-size: 12px; fill: var(--ink) }
.grid { stroke: var(--line) } .mark { stroke: var(--ink); stroke-dasharray: 4 3 }
polyline { fill: none; stroke-width: 2 }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; font-size: .85rem }
.legend span { display: inline-block; width: .8rem; height: .8rem; margin-right: .4rem }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--line) }
th:first-child { text-align: left }
""" + "\n".join(
    f".c{number} {{ fill: {colour} }} .l{number} {{ stroke: {colour} }} .k{number} {{ background: {colour} }}"
    for number, colour in enumerate(_COLOURS)
)


def page(report: Report, proof: str) -> str:
    """Return the page.

    Args:
        report: What was measured.
        proof: Where `make prove` writes its page, as seen from this one.
    """
    plots = (_throughput, _latencies, _cpu, _ratios, _batches)
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Ordermesh: what an order costs</title>\n<style>\n{_STYLE}\n</style>\n"
        "<h1>What an order costs</h1>\n"
        f"<p>{report.in_flight} orders in flight, each part a process of its own. The variants are loaded in short "
        "slices, one after the other, so that whatever else the machine did falls on all of them alike: compare them "
        "with each other, not with another machine's.</p>\n"
        "<p>That no order and no money is lost meanwhile is shown by <code>make prove</code>: "
        f'<a href="{escape(proof)}">its last page</a>.</p>\n'
        + _table(report)
        + "".join(plot(report) for plot in plots)
        + "</html>\n"
    )


def _table(report: Report) -> str:
    heads = ("", "orders", "orders/s", "CPU ms/order", "p50 ms", "p99 ms", "CPU to the floor's")
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{each.orders}</td><td>{each.orders / each.seconds:.0f}</td>'
        f"<td>{each.cpu_ms_per_order:.2f}</td><td>{each.percentile(50):.1f}</td><td>{each.percentile(99):.1f}</td>"
        f"<td>{each.cpu_ms_per_order / report.floor:.2f}</td></tr>\n"
        for name, each in report.variants.items()
    )
    return (
        "<table><thead><tr>"
        + "".join(f'<th scope="col">{head}</th>' for head in heads)
        + f"</tr></thead><tbody>\n{rows}</tbody></table>\n"
    )


def _throughput(report: Report) -> str:
    """Show each slice in the middle of its time."""
    slices = [each for figures in report.variants.values() for each in figures.slices]
    end = max((each.began + each.seconds for each in slices), default=0.0) or 1.0
    across = [f"{end * quarter / 4:.0f} s" for quarter in range(5)]
    series = {
        name: [((each.began + each.seconds / 2) / end, each.orders / each.seconds) for each in figures.slices]
        for name, figures in report.variants.items()
    }
    return lines("Throughput over time, orders per second", across, series)


def _latencies(report: Report) -> str:
    last = len(_PERCENTILES) - 1
    series = {
        name: [(number / last, figures.percentile(each)) for number, each in enumerate(_PERCENTILES)]
        for name, figures in report.variants.items()
    }
    return lines("Latency of an order by percentile, milliseconds", [f"p{each}" for each in _PERCENTILES], series)


def _cpu(report: Report) -> str:
    rows = [
        Bar(name, {process: seconds * _MILLI / each.orders for process, seconds in each.cpu.items()})
        for name, each in report.variants.items()
    ]
    return bars("CPU of an order by process, milliseconds", rows)


def _ratios(report: Report) -> str:
    rows = [
        Bar(name, {"CPU to the floor's": each.cpu_ms_per_order / report.floor})
        for name, each in report.variants.items()
    ]
    return bars("CPU of an order to the floor's, as a ratio", rows, mark=1.0)


def _batches(report: Report) -> str:
    rows = []
    for service, store in report.stores.items():
        rows.append(Bar(f"{service}, mean", {"mean": store.changes / max(1, store.commits)}))
        rows.append(Bar(f"{service}, largest", {"largest": float(store.largest_batch)}))
    return bars("Group commit: changes that share a transaction of the product", rows)
