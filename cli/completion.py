"""`ordermesh completion`: what a shell has to read to complete commands and their options."""

from typing import ClassVar

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

# What click's own scripts ask the command by.
_VARIABLE = "_ORDERMESH_COMPLETE"


class _Fish(FishComplete):
    """Click's own script cuts a help text at its first comma, sorts, and offers nothing for "--state=p"."""

    source_template: ClassVar[str] = """\
function %(complete_func)s
    set -l word (commandline -t)
    # Where a value stands in one word with its option, "--state=p", the whole word is what is completed.
    set -l option (string match -r '^--[^=]+=' -- "$word")
    for line in (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) COMP_CWORD="$word" %(prog_name)s)
        # A kind, a comma, and what is offered with its help, in which there may be more commas.
        set -l offer (string split -m 1 "," -- $line)
        switch $offer[1]
            case dir
                for path in (__fish_complete_directories $offer[2])
                    echo "$option$path"
                end
            case file
                for path in (__fish_complete_path $offer[2])
                    echo "$option$path"
                end
            case plain
                echo "$option$offer[2]"
        end
    end
end

complete --no-files --keep-order --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class _Zsh(ZshComplete):
    """Click's own script writes a value behind what is typed of it in "--state=p"."""

    source_template: ClassVar[str] = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local -a plain described response
    local kind word help option=
    (( ! $+commands[%(prog_name)s] )) && return 1

    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) %(complete_var)s=zsh_complete \
%(prog_name)s)}")
    # Where a value stands in one word with its option, only the value is offered.
    [[ ${words[CURRENT]} == --*=* ]] && option="${words[CURRENT]%%%%=*}=" && compset -P 1 '*='

    for kind word help in ${response}; do
        case $kind in
            plain) if [[ $help == _ ]]; then plain+=("$word"); else described+=("$word:$help"); fi ;;
            dir) _path_files -/ ;;
            file) _path_files -f ;;
        esac
    done
    if (( $#described )); then _describe -V unsorted described -U -p "$option"; fi
    if (( $#plain )); then compadd -U -V unsorted -p "$option" -a plain; fi
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": _Zsh, "fish": _Fish}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    r"""Print what SHELL has to read to complete commands and their options.

    \b
    bash  eval "$(ordermesh completion bash)" in ~/.bashrc; it needs bash 4.4 or newer
    zsh   eval "$(ordermesh completion zsh)" in ~/.zshrc, after compinit
    fish  ordermesh completion fish >~/.config/fish/completions/ordermesh.fish
    """
    click.echo(_SHELLS[shell](context.find_root().command, {}, "ordermesh", _VARIABLE).source())
