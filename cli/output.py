"""What a command prints: for people, or with `--output json` for programs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
import orjson

from cli.progress import waiting

output_option = click.option(
    "--output",
    "-o",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or for programs; what the REST API knows is told as its document.",
)

Line = Callable[[str, Mapping[str, object]], None]
"""Prints one of several things: the line for people, and the document for programs."""


def show(document: Any, output: str, view: Callable[[Any], Any]) -> None:  # noqa: ANN401  (any JSON value)
    """Print one thing, as JSON or as the view makes it."""
    if output == "json":
        print_json(document)
        return
    from cli.console import console  # noqa: PLC0415  (rich is slow to import, and probes ask for one line)

    out = console()
    # Thousands of rows take a while: all of them are measured before the first is printed.
    with waiting("drawing"), out.capture() as drawn:
        out.print(view(document))
    out.file.write(drawn.get())
    out.file.flush()


def print_json(document: object) -> None:
    """Print any JSON value; times may be in it."""
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


@contextmanager
def listed(output: str) -> Iterator[Line]:
    """Print several things that take their time: a line each at once, or all of them as one array in the end.

    The array is printed too where the work fails half-way: what was done was done.
    """
    documents: list[Mapping[str, object]] = []

    def line(words: str, document: Mapping[str, object]) -> None:
        documents.append(document)
        if output != "json":
            click.echo(words)

    try:
        yield line
    finally:
        if output == "json":
            print_json(documents)
