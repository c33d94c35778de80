"""`ordermesh serve`: one part of the mesh in a process of its own."""

from collections.abc import Mapping

import click

from cli import mesh
from cli.config import CliConfig, environment
from cli.serving import serve
from cli.workers import input_closed, supervise


@click.command(context_settings={"show_default": True})
@click.argument("name", type=click.Choice(mesh.NAMES))
@click.option("--workers", type=click.IntRange(1, 1000), default=1, help="How many processes: one per core at most.")
@click.option("--until-input-closes", is_flag=True, hidden=True)
def command(name: str, workers: int, *, until_input_closes: bool) -> None:
    """Run one part of the mesh, as `ordermesh up` runs it, until SIGTERM or SIGINT.

    The parts find one another by the *_ADDR variables: ORDER_ADDR, TAX_ADDR, PAYMENT_ADDR, NOTIFY_ADDR, SANDBOX_ADDR,
    ORDERMESH_GATEWAY_ADDR.

    With --workers this process starts so many that serve, starts again what dies, and ends them in good order. They
    need PostgreSQL. On one address the kernel spreads connections over them; a list with one for each,
    ORDER_ADDR=ipv4:///127.0.0.1:50051,127.0.0.1:50061, has clients spread calls.
    """
    values = environment()
    part = mesh.load(name, values)
    if workers > 1:
        supervise(part, workers, values)
        return

    def ready(bound: Mapping[str, str]) -> None:
        click.echo(f"{name} listens on {bound[name]}")

    serve(name, [part], CliConfig.from_env(values), ready, input_closed if until_input_closes else None)
