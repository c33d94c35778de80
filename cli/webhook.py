"""`ordermesh webhook`: telling the shop's other systems what becomes of orders."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
import orjson

from cli import webhook_view
from cli.config import CliConfig, environment
from cli.console import console
from cli.failures import of_refusal
from cli.webhook_calls_grpc import WebhookCalls, run, webhook_calls
from kernel.clock import SystemClock
from kernel.errors import Refusal
from kernel.ids import Uuid7Ids

T = TypeVar("T")

_STATES = ("PENDING", "DELIVERED", "FAILED")

_output = click.option(
    "--output",
    "-o",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or for programs: the documents of the REST API.",
)
_key = click.option("--key", help="The idempotency key: the same key does it once. Made when left out.")
_events = click.option(
    "--event", "-e", "events", multiple=True, help="Hear of this alone: order.paid. May be repeated."
)


@click.group()
def group() -> None:
    """Make webhook endpoints, change their secrets, read the delivery log, and send again what was not taken."""


@group.command()
@click.argument("url")
@_events
@click.option("--description", default="", help="What the shop calls it.")
@_key
@_output
def create(url: str, events: tuple[str, ...], description: str, key: str | None, output: str) -> None:
    """Make an endpoint: what happens to orders from now on is posted to URL. Tells the signing secret, once."""
    endpoint = _call(lambda calls: calls.create(url, events, description, key or _new_key()))
    _show(endpoint, output, webhook_view.endpoint)


@group.command(name="list")
@_output
def list_endpoints(output: str) -> None:
    """List the endpoints, oldest first."""
    _show(_call(lambda calls: calls.endpoints()), output, webhook_view.endpoints)


@group.command()
@click.argument("endpoint_id", metavar="ID")
@click.option("--url", help="Where it is from now on.")
@_events
@click.option("--all-events", is_flag=True, help="Hear of everything from now on.")
@click.option("--enable/--disable", default=None, help="Switch it on or off; what happens meanwhile is held back.")
@_key
@_output
def update(
    endpoint_id: str,
    url: str | None,
    events: tuple[str, ...],
    all_events: bool,  # noqa: FBT001  (click's way)
    enable: bool | None,  # noqa: FBT001  (click's way)
    key: str | None,
    output: str,
) -> None:
    """Change where an endpoint is, what it hears of, or whether it is switched off. What is not named stays."""
    if all_events and events:
        raise click.UsageError("--all-events and --event exclude each other.")
    wanted = ("*",) if all_events else events
    disabled = None if enable is None else not enable
    endpoint = _call(
        lambda calls: calls.update(endpoint_id, key or _new_key(), url=url, event_types=wanted, disabled=disabled)
    )
    _show(endpoint, output, webhook_view.endpoint)


@group.command()
@click.argument("endpoint_id", metavar="ID")
@_key
@_output
def rotate(endpoint_id: str, key: str | None, output: str) -> None:
    """Make a new signing secret, and tell it, once. For a day messages are signed with both."""
    endpoint = _call(lambda calls: calls.rotate(endpoint_id, key or _new_key()))
    _show(endpoint, output, webhook_view.endpoint)


@group.command()
@click.argument("endpoint_id", metavar="ID")
def delete(endpoint_id: str) -> None:
    """Take an endpoint away, with what was still on its way to it."""
    _call(lambda calls: calls.delete(endpoint_id))
    click.echo(f"{endpoint_id} is gone.", err=True)


@group.command()
@click.option("--endpoint", default="", help="Only deliveries to this endpoint.")
@click.option("--order", default="", help="Only deliveries about this order.")
@click.option("--state", type=click.Choice(_STATES, case_sensitive=False), help="Only deliveries in this state.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at most.")
@_output
def log(endpoint: str, order: str, state: str | None, limit: int, output: str) -> None:
    """Show what was delivered and what was not, newest first."""
    found = _call(lambda calls: calls.deliveries(endpoint_id=endpoint, order_id=order, state=state or "", limit=limit))
    _show(found, output, webhook_view.deliveries)


@group.command()
@click.argument("delivery_id", metavar="ID")
@_key
@_output
def replay(delivery_id: str, key: str | None, output: str) -> None:
    """Send a message again, with the same message id; ID is that of its delivery, from the log."""
    delivery = _call(lambda calls: calls.replay(delivery_id, key or _new_key()))
    _show([delivery] if output == "table" else delivery, output, webhook_view.deliveries)


def _new_key() -> str:
    return Uuid7Ids(SystemClock()).new()


def _call(body: Callable[[WebhookCalls], Awaitable[T]]) -> T:
    async def call() -> T:
        async with webhook_calls(CliConfig.from_env(environment()).order_address) as calls:
            return await body(calls)

    try:
        return run(call())
    except Refusal as refusal:
        raise of_refusal(refusal) from None


def _show(document: Any, output: str, view: Callable[[Any], Any]) -> None:  # noqa: ANN401  (any JSON value)
    if output == "json":
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    else:
        console().print(view(document))
