"""Where commands write for people."""

import sys

from rich.console import Console

# What is piped into a file or a pager has no width of its own; ids must not break over two lines there.
_PIPED_WIDTH = 140


def console() -> Console:
    """Return standard output, with colours where it is a terminal.

    What is in square brackets is printed as it is: the words of orders are the shop's, and no markup of ours.
    """
    return Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False, markup=False)
