"""What the commands on orders have in common: a call, a key, and an answer for a person or a program."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import click
import orjson

from cli.calls_grpc import Json, OrderCalls, order_calls, run
from cli.config import CliConfig, environment
from cli.console import console
from cli.failures import Unavailable, of_refusal
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.ids import Uuid7Ids

T = TypeVar("T")

output_option = click.option(
    "--output",
    "-o",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or for programs: the documents of the REST API.",
)
key_option = click.option(
    "--key",
    help="The idempotency key: the same key does it once. Made when left out, and told when it is needed again.",
)


def new_key() -> str:
    """Return a new idempotency key."""
    return Uuid7Ids(SystemClock()).new()


def call(body: Callable[[OrderCalls], Awaitable[T]], advice: Mapping[Reason, str] | None = None) -> T:
    """Return what a call to the order service answers.

    Args:
        body: Calls.
        advice: What to do next after a refusal, where this command knows better than the reason alone.

    Raises:
        Failure: It was refused, or nobody answers.
    """

    async def work() -> T:
        config = CliConfig.from_env(environment())
        async with order_calls(config.order_address, config) as calls:
            return await body(calls)

    try:
        return run(work())
    except Refusal as refusal:
        raise of_refusal(refusal, advice) from None


def command(rpc: str, members: Json, key: str | None, advice: Mapping[Reason, str] | None = None) -> Json:
    """Give a command on an order and return the order afterwards.

    Args:
        rpc: The command, by its RPC: "CancelOrder".
        members: The request, without its key; empty members are left out.
        key: The idempotency key; made when None, and told when it is not sure whether the command was done.
        advice: As for `call`.

    Raises:
        Failure: It was refused, or nobody answers.
    """
    used = key or new_key()
    request = {name: value for name, value in members.items() if value} | {"request_id": used}
    try:
        return call(lambda calls: calls.command(rpc, request), advice)
    except Unavailable as failure:
        if key is None:
            again = f"The same command with `--key {used}` does it once, whatever became of this try."
            raise Unavailable(f"{failure.message}\n{again}") from None
        raise
    except KeyboardInterrupt:
        click.echo(f"\nIt may go on. The same command with `--key {used}` does it once.", err=True)
        raise


def show(document: Any, output: str, view: Callable[[Any], Any]) -> None:  # noqa: ANN401  (any JSON value)
    """Print an answer."""
    if output == "json":
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    else:
        console().print(view(document))
