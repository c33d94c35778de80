"""`ordermesh order get`, `list`, `explain` and `watch`: what becomes of orders."""

from typing import Any

import click

from cli import mail_calls_grpc, order_view, story_view
from cli.calls_grpc import Json, OrderCalls
from cli.failures import Failure
from cli.order_call import call, call_silently
from cli.order_options import Moment
from cli.output import output_option, show
from cli.progress import Told, progress

_STATES = (
    "PENDING",
    "PAYMENT_ACTION_REQUIRED",
    "AUTHORIZED",
    "PAID",
    "PROCESSING",
    "SHIPPED",
    "DELIVERED",
    "FAILED",
    "CANCELLED",
    "REFUNDED",
)


@click.command()
@click.argument("order_id", metavar="ID")
@output_option
def get(order_id: str, output: str) -> None:
    """Show one order as it stands."""
    show(call(lambda calls: calls.get(order_id)), output, order_view.order)


@click.command(name="list")
@click.option("--state", type=click.Choice(_STATES, case_sensitive=False), help="Only orders in this state.")
@click.option("--customer", "customer_id", metavar="ID", help="Only orders of this customer id.")
@click.option(
    "--reference", "reference_prefix", metavar="PREFIX", help="Only orders whose reference begins so; capitals count."
)
@click.option("--from", "create_time_from", type=Moment(), help="Only orders placed then or later: 2026-03-01, UTC.")
@click.option("--before", "create_time_before", type=Moment(), help="Only orders placed before then.")
@click.option("--needs-review", is_flag=True, help="Only orders that a person has to look at.")
@click.option("--tax-differs", is_flag=True, help="Only orders of which AvaTax recorded another tax than was charged.")
@click.option("--alerted", is_flag=True, help="Only orders with alerts.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at most.")
@output_option
def list_orders(limit: int, output: str, **filters: Any) -> None:  # noqa: ANN401  (click hands each filter over as it is)
    """List orders, newest first. Filters add up."""
    explained = filters["needs_review"] and output == "table"

    wanted = {name: value for name, value in filters.items() if value}
    with progress() as told:
        found = call_silently(lambda calls: _found(calls, wanted, limit, told, explained=explained))
    show(found, output, story_view.reviews if explained else order_view.orders)


async def _found(calls: OrderCalls, wanted: Json, limit: int, told: Told, *, explained: bool) -> list[Json]:
    """Return the orders that are wanted, or the story of each."""
    found = await calls.find(wanted, limit, lambda count: told("reading orders", count))
    if not explained:
        return found
    stories = []
    for number, order in enumerate(found):
        told("reading their stories", number, len(found))
        stories.append(await calls.explain(order["order_id"]))
    return stories


@click.command()
@click.argument("order_id", metavar="ID")
@output_option
def explain(order_id: str, output: str) -> None:
    """Tell the whole story of an order: what happened when and why, the money, the mails, what is still to be done."""
    show(_with_mails(explained(order_id)), output, story_view.story)


@click.command()
@click.argument("order_id", metavar="ID")
@click.option(
    "--until-final", is_flag=True, help="Until it is DELIVERED, FAILED, CANCELLED or REFUNDED, past waits for the shop."
)
@output_option
def watch(order_id: str, until_final: bool, output: str) -> None:  # noqa: FBT001  (click's way)
    """Follow an order, move by move, until it can change no more by itself.

    Services may restart meanwhile: it goes on with the order as it is then.
    """

    async def follow(calls: OrderCalls) -> None:
        async for order in calls.watch(order_id, until_final=until_final):
            show(order, output, order_view.line)

    call_silently(follow)


def explained(order_id: str) -> Json:
    """Return the story of an order.

    Raises:
        Failure: There is no such order, or nobody answers.
    """
    return call(lambda calls: calls.explain(order_id))


def _with_mails(story: Json) -> Json:
    """Return the story with the order's mails, or with why they cannot be told: it is of use without them."""
    try:
        return {**story, "mails": mail_calls_grpc.call(lambda calls: calls.of_order(story["order"]["order_id"]))}
    except Failure as failure:
        return {**story, "mails_untold": failure.message.splitlines()[0]}


COMMANDS: tuple[click.Command, ...] = (get, list_orders, explain, watch)
