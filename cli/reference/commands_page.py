"""docs/commands.md: every command of `ordermesh`, as `--help` tells it."""

from collections.abc import Iterator

import click

from cli import __main__ as entry
from cli.lazy import LazyGroup

_HEADING = """\
# Command reference

<!-- Written by `ordermesh reference` from what `--help` says. -->

What `ordermesh` can do, as each command's own `--help` tells it. `ordermesh completion --help` says how to have a shell
complete all of it.
"""

# As wide as a page shows without a bar to scroll by.
_WIDTH = 100


def page() -> str:
    """Return the page."""
    sections = (f"## {path}\n\n```text\n{told}\n```" for path, told in _commands(entry.cli, "ordermesh", None))
    return "\n\n".join([_HEADING.rstrip("\n"), *sections]) + "\n"


def _commands(command: click.Command, name: str, above: click.Context | None) -> Iterator[tuple[str, str]]:
    """Yield each command's path and help, those of a group after its own."""
    # Every command has --help, which need not be told of each.
    context = click.Context(
        command, above, info_name=name, terminal_width=_WIDTH, max_content_width=_WIDTH, help_option_names=[]
    )
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.resolve_command(context, [each])[1] if isinstance(command, LazyGroup) else None
            inner = found or command.get_command(context, each)
            if inner is not None and not inner.hidden:
                yield from _commands(inner, each, context)
