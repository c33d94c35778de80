"""`ordermesh version`."""

from importlib.metadata import version

import click

from cli.output import output_option, print_json


@click.command()
@output_option
def command(output: str) -> None:
    """Print the version."""
    known = version("ordermesh")
    if output == "json":
        print_json({"version": known})
    else:
        click.echo(f"ordermesh {known}")
