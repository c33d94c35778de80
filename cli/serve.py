"""`ordermesh serve`: one part of the mesh in a process of its own."""

from collections.abc import Mapping

import click

from cli import mesh
from cli.config import CliConfig, environment
from cli.serving import serve


@click.command()
@click.argument("name", type=click.Choice(mesh.NAMES))
def command(name: str) -> None:
    """Run one part of the mesh in this process, as `ordermesh up` runs it, until SIGTERM or SIGINT.

    The parts find one another by the *_ADDR variables: ORDER_ADDR, TAX_ADDR, PAYMENT_ADDR, NOTIFY_ADDR, SANDBOX_ADDR,
    ORDERMESH_GATEWAY_ADDR.
    """
    values = environment()
    part = mesh.load(name, values)

    def ready(bound: Mapping[str, str]) -> None:
        click.echo(f"{name} listens on {bound[name]}")

    serve(name, [part], CliConfig.from_env(values), ready)
