"""`ordermesh completion`: what a shell has to read to complete commands and their options."""

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")

# What click's own scripts ask the command by.
_VARIABLE = "_ORDERMESH_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    r"""Print what SHELL has to read to complete commands and their options.

    \b
    bash  eval "$(ordermesh completion bash)" in ~/.bashrc; it needs bash 4.4 or newer
    zsh   eval "$(ordermesh completion zsh)" in ~/.zshrc, after compinit
    fish  ordermesh completion fish >~/.config/fish/completions/ordermesh.fish
    """
    known = get_completion_class(shell)
    assert known is not None, "click brings each of these"
    click.echo(known(context.find_root().command, {}, "ordermesh", _VARIABLE).source())
