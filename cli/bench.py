"""`ordermesh bench`: what an order costs, against its floor."""

from pathlib import Path

import click

from bench import console
from bench.__main__ import main


@click.command(context_settings={"show_default": True})
@click.option("--rounds", type=click.IntRange(min=1), default=6, help="How often each variant is loaded.")
@click.option("--slice-orders", type=click.IntRange(min=1), default=400, help="Orders per round.")
@click.option("--in-flight", type=click.IntRange(min=1), default=64, help="Orders at once.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("bench/report.json"),
    help="Where the figures go; beside them a page with plots, as .html.",
)
@click.option("--tls", is_flag=True, help="Measure the product with mutual TLS as well.")
@click.option(
    "--console",
    "watched",
    is_flag=True,
    help="Instead, measure what an open console and a Prometheus add; writes no report.",
)
def command(rounds: int, slice_orders: int, in_flight: int, report: Path, *, tls: bool, watched: bool) -> None:
    """Measure the mesh in separate processes, its floor, and four empty hops on stock gRPC; write the report."""
    if watched:
        console.main(rounds, slice_orders, in_flight)
        return
    main(rounds, slice_orders, in_flight, report, tls=tls)
