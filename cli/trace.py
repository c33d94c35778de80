"""`ordermesh trace`: where the time of an order went, drawn from the local span store."""

import sqlite3
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from time import sleep

import click

from chassis.telemetry.following import spans_of
from chassis.telemetry.store import StoredSpan
from cli.calls_grpc import Json
from cli.config import CliConfig, environment
from cli.console import console
from cli.failures import Failure
from cli.order import explained
from cli.order_view import state
from cli.output import output_option, print_json
from cli.waterfall_view import waterfall
from kernel.clock import SystemClock

# Services write their spans down every half second; whoever asks right after an order gets all of them so.
_FLUSH_SECONDS = 1.0


@click.command()
@click.argument("order_id", metavar="ORDER_ID")
@click.option("--verbose", "-v", is_flag=True, help="Show the attributes of each span.")
@output_option
def command(order_id: str, verbose: bool, output: str) -> None:  # noqa: FBT001  (click's way)
    """Draw where the time of an order went, over all services, as one connected waterfall.

    Work that went on later, in a trace of its own (mail, tax document, retries), hangs where it came from, marked
    "linked". The spans are read from ORDERMESH_DATA_DIR; it must be the one that the services run with.
    """
    story = explained(order_id)
    spans = stored(story, CliConfig.from_env(environment()).data_dir)
    if output == "json":
        print_json([asdict(span) for span in spans])
    else:
        draw(story, spans, with_attributes=verbose)


def stored(story: Json, data_dir: Path) -> list[StoredSpan]:
    """Return the spans of an order, from the document of ExplainOrder; waits until the latest are written down.

    Raises:
        Failure: There are none, or they cannot be read.
    """
    if not story["trace_ids"]:
        raise Failure(f"Order {story['order']['order_id']} was not traced.")
    newest = max(datetime.fromisoformat(event["time"]) for event in story["events"])
    age = (SystemClock().now() - newest).total_seconds()
    sleep(min(max(0.0, _FLUSH_SECONDS - age), _FLUSH_SECONDS))
    try:
        spans = spans_of(data_dir, story["trace_ids"])
    except sqlite3.Error as error:
        raise Failure(f"The spans in {data_dir} cannot be read: {error}") from None
    if not spans:
        raise Failure(
            f"{data_dir} holds no spans of order {story['order']['order_id']}.\n"
            "They are kept for a week, where the services run: set ORDERMESH_DATA_DIR to their data directory."
        )
    return spans


def draw(story: Json, spans: list[StoredSpan], *, with_attributes: bool) -> None:
    """Print the waterfall of an order."""
    out = console()
    out.print("Order", story["order"]["order_id"], state(story["order"]))
    out.print(waterfall(spans, out.width, with_attributes=with_attributes))
