"""`ordermesh top`: how the mesh is doing, in a terminal, brought up to date until it is stopped."""

import asyncio
import sys
from contextlib import suppress

import click
from rich.live import Live

from cli import board_view
from cli.board_grpc import BoardCalls, board_calls
from cli.config import CliConfig, environment
from cli.console import console
from cli.dial_grpc import run
from cli.output import output_option, print_json


@click.command()
@click.option("--every", type=click.FloatRange(min=0.5), default=2.0, show_default=True, help="Seconds between looks.")
@click.option("--once", is_flag=True, help="Look once and end, as it does where the output is no terminal.")
@output_option
def command(every: float, output: str, *, once: bool) -> None:
    """Show how the mesh is doing: orders by state, what waits, the providers, how long steps take.

    It asks every service by itself; the figures of steps and providers are those of the replica that answers. Ctrl-C
    ends it.
    """
    once = once or output == "json" or not sys.stdout.isatty()
    with suppress(KeyboardInterrupt):
        run(_once(output) if once else _live(every))


async def _once(output: str) -> None:
    async with board_calls(CliConfig.from_env(environment())) as calls:
        answers = await calls.board()
    if output == "json":
        print_json(answers)
    else:
        console().print(board_view.board(answers))


async def _live(every: float) -> None:
    async with board_calls(CliConfig.from_env(environment())) as calls:
        with Live(console=console(), screen=True, auto_refresh=False) as screen:
            while True:
                await _draw(screen, calls)
                await asyncio.sleep(every)


async def _draw(screen: Live, calls: BoardCalls) -> None:
    screen.update(board_view.board(await calls.board()), refresh=True)
