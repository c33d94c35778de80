"""`ordermesh webhook`: telling the shop's other systems what becomes of orders."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from cli import webhook_view
from cli.config import CliConfig, environment
from cli.failures import of_refusal
from cli.order_call import key_option, new_key
from cli.output import output_option, show
from cli.progress import progress, waiting
from cli.webhook_calls_grpc import WebhookCalls, run, webhook_calls
from kernel.errors import Refusal

T = TypeVar("T")

_STATES = ("PENDING", "DELIVERED", "FAILED")

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
@key_option
@output_option
def create(url: str, events: tuple[str, ...], description: str, key: str | None, output: str) -> None:
    """Make an endpoint: what happens to orders from now on is posted to URL. Tells the signing secret, once."""
    endpoint = _call(lambda calls: calls.create(url, events, description, key or new_key()))
    show(endpoint, output, webhook_view.endpoint)


@group.command(name="list")
@output_option
def list_endpoints(output: str) -> None:
    """List the endpoints, oldest first."""
    show(_call(lambda calls: calls.endpoints()), output, webhook_view.endpoints)


@group.command()
@click.argument("endpoint_id", metavar="ID")
@click.option("--url", help="Where it is from now on.")
@_events
@click.option("--all-events", is_flag=True, help="Hear of everything from now on.")
@click.option("--enable/--disable", default=None, help="Switch it on or off; what happens meanwhile is held back.")
@key_option
@output_option
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
        lambda calls: calls.update(endpoint_id, key or new_key(), url=url, event_types=wanted, disabled=disabled)
    )
    show(endpoint, output, webhook_view.endpoint)


@group.command()
@click.argument("endpoint_id", metavar="ID")
@key_option
@output_option
def rotate(endpoint_id: str, key: str | None, output: str) -> None:
    """Make a new signing secret, and tell it, once. For a day messages are signed with both."""
    endpoint = _call(lambda calls: calls.rotate(endpoint_id, key or new_key()))
    show(endpoint, output, webhook_view.endpoint)


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
@output_option
def log(endpoint: str, order: str, state: str | None, limit: int, output: str) -> None:
    """Show what was delivered and what was not, newest first."""
    wanted = {"endpoint_id": endpoint, "order_id": order, "state": state or ""}
    with progress() as told:
        found = _call_silently(
            lambda calls: calls.deliveries(**wanted, limit=limit, told=lambda count: told("reading deliveries", count))
        )
    show(found, output, webhook_view.deliveries)


@group.command()
@click.argument("delivery_id", metavar="ID")
@key_option
@output_option
def replay(delivery_id: str, key: str | None, output: str) -> None:
    """Send a message again, with the same message id; ID is that of its delivery, from the log."""
    delivery = _call(lambda calls: calls.replay(delivery_id, key or new_key()))
    show([delivery] if output == "table" else delivery, output, webhook_view.deliveries)


def _call(body: Callable[[WebhookCalls], Awaitable[T]]) -> T:
    with waiting("asking the order service"):
        return _call_silently(body)


def _call_silently(body: Callable[[WebhookCalls], Awaitable[T]]) -> T:
    async def call() -> T:
        config = CliConfig.from_env(environment())
        async with webhook_calls(config.order_address, config) as calls:
            return await body(calls)

    try:
        return run(call())
    except Refusal as refusal:
        raise of_refusal(refusal) from None
