"""What the commands on orders have in common: a call, and a key."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import click

from cli.calls_grpc import Json, OrderCalls, order_calls, run
from cli.config import CliConfig, environment
from cli.failures import Unavailable, of_refusal
from cli.progress import waiting
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.ids import Uuid7Ids

T = TypeVar("T")

key_option = click.option(
    "--key",
    help="The idempotency key: the same key does it once. Made when left out, and told when it is needed again.",
)


def new_key() -> str:
    """Return a new idempotency key."""
    return Uuid7Ids(SystemClock()).new()


def call(body: Callable[[OrderCalls], Awaitable[T]], advice: Mapping[Reason, str] | None = None) -> T:
    """Return what a call to the order service answers; shows on a terminal that it waits.

    Args:
        body: Calls.
        advice: What to do next after a refusal, where this command knows better than the reason alone.

    Raises:
        Failure: It was refused, or nobody answers.
    """
    with waiting("asking the order service"):
        return call_silently(body, advice)


def call_silently(body: Callable[[OrderCalls], Awaitable[T]], advice: Mapping[Reason, str] | None = None) -> T:
    """Return what a call to the order service answers, where the caller shows how far it is.

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
