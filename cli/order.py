"""`ordermesh order`: placing and reading orders over gRPC."""

from collections.abc import Awaitable, Callable
from typing import IO, Any, TypeVar

import click
import orjson

from cli import order_view, story_view
from cli.calls_grpc import Json, OrderCalls, order_calls, run
from cli.config import CliConfig, environment
from cli.console import console
from cli.failures import of_refusal
from gateway.json_text import parse_object
from kernel.clock import SystemClock
from kernel.errors import Refusal
from kernel.ids import Uuid7Ids

T = TypeVar("T")

_STATES = (
    "PENDING",
    "PAYMENT_ACTION_REQUIRED",
    "PAID",
    "PROCESSING",
    "SHIPPED",
    "DELIVERED",
    "FAILED",
    "CANCELLED",
    "REFUNDED",
)

_HINTS = {
    "PENDING": "It goes on by itself",
    "PAYMENT_ACTION_REQUIRED": "The customer has to confirm the payment (3-D Secure)",
}

_output = click.option(
    "--output",
    "-o",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or for programs: the documents of the REST API.",
)


@click.group()
def group() -> None:
    """Place, get, list, explain, watch and retry orders; ORDER_ADDR says where the order service listens."""


@group.command()
@click.option("--file", "-f", type=click.File("rb"), required=True, help="The order as JSON; - reads standard input.")
@click.option("--key", help="The idempotency key: the same key never orders twice. Made and told when left out.")
@click.option("--payment-method", help="Replaces the document's: pm_card_visa, pm_card_chargeDeclined …")
@_output
def place(file: IO[bytes], key: str | None, payment_method: str | None, output: str) -> None:
    """Place an order, for instance the one in examples/order.json."""
    try:
        document = parse_object(file.read())
    except Refusal as refusal:
        raise of_refusal(refusal) from None
    if payment_method is not None:
        document["payment_method"] = payment_method
    key = key or document.get("request_id")
    if key is None:
        key = Uuid7Ids(SystemClock()).new()
        click.echo(f"Idempotency key {key}, made for this order; --key repeats it without ordering twice.", err=True)
    order = _call(lambda calls: calls.place(document, key))
    _show(order, output, order_view.order)
    if order["state"] in _HINTS:
        click.echo(f"{_HINTS[order['state']]}; `ordermesh order watch {order['order_id']}` follows it.", err=True)


@group.command()
@click.argument("order_id", metavar="ID")
@_output
def get(order_id: str, output: str) -> None:
    """Show one order as it stands."""
    _show(_call(lambda calls: calls.get(order_id)), output, order_view.order)


@group.command(name="list")
@click.option("--state", type=click.Choice(_STATES, case_sensitive=False), help="Only orders in this state.")
@click.option("--customer", default="", help="Only orders of this customer id.")
@click.option("--needs-review", is_flag=True, help="Only orders that a person has to look at.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at most.")
@_output
def list_orders(state: str | None, customer: str, needs_review: bool, limit: int, output: str) -> None:  # noqa: FBT001  (click's way)
    """List orders, newest first."""

    async def find(calls: OrderCalls) -> list[Json]:
        found = await calls.find(state=state or "", customer_id=customer, needs_review=needs_review, limit=limit)
        if needs_review and output == "table":
            return [await calls.explain(order["order_id"]) for order in found]
        return found

    _show(_call(find), output, story_view.reviews if needs_review else order_view.orders)


@group.command()
@click.argument("order_id", metavar="ID")
@_output
def explain(order_id: str, output: str) -> None:
    """Tell the whole story of an order: what happened when and why, the money, what is still to be done."""
    _show(_call(lambda calls: calls.explain(order_id)), output, story_view.story)


@group.command()
@click.argument("order_id", metavar="ID")
@click.option("--key", help="The idempotency key: the same key takes the order up once. Made when left out.")
@_output
def retry(order_id: str, key: str | None, output: str) -> None:
    """Take an order up again at once: what waits for its next try, and what a person had to look at first.

    Nothing is done twice by it.
    """
    key = key or Uuid7Ids(SystemClock()).new()
    order = _call(lambda calls: calls.retry(order_id, key))
    _show(order, output, order_view.order)
    click.echo(f"What is left to do goes on by itself; `ordermesh explain {order_id}` tells how.", err=True)


@group.command()
@click.argument("order_id", metavar="ID")
@_output
def watch(order_id: str, output: str) -> None:
    """Follow an order until it can change no more by itself."""

    async def follow(calls: OrderCalls) -> None:
        async for order in calls.watch(order_id):
            _show(order, output, order_view.line)

    _call(follow)


def explained(order_id: str) -> Json:
    """Return the story of an order.

    Raises:
        Failure: There is no such order, or nobody answers.
    """
    return _call(lambda calls: calls.explain(order_id))


def _call(body: Callable[[OrderCalls], Awaitable[T]]) -> T:
    async def call() -> T:
        async with order_calls(CliConfig.from_env(environment()).order_address) as calls:
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
