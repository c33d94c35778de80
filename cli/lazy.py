"""A click group whose commands are imported only when one of them runs: help and completion stay quick."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from chassis.config import ConfigError
from cli.failures import Failure


class LazyGroup(click.Group):
    """Knows its commands by name, place and one line of help.

    Args:
        lazy: By name: the command as "module:attribute", and its line in the list of commands.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:  # noqa: ANN401  (click's own)
        super().__init__(*args, **kwargs)
        self._places = {name: place for name, (place, _) in lazy.items()}
        for name, (_, line) in lazy.items():
            self.add_command(click.Command(name, short_help=line))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names as they were given, which is in the order that a newcomer needs them."""
        return list(self._places)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command as click does, then import it."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in self._places:
            module, _, attribute = self._places[name].partition(":")
            command = getattr(import_module(module), attribute)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  (click's own)
        """Run the command; an unusable environment ends it with the complaints and no stack."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise Failure(str(error)) from None
