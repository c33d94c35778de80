"""A psql that stays: starting one, and a session for it, costs more than most statements do."""

import subprocess
from contextlib import suppress
from pathlib import Path

# What psql says by itself after all that it was given; no answer has such a line.
_ALL_SAID = "-- all said --"


class Psql:
    """A session of the administrator of a server.

    Args:
        command: The program.
        socket_directory: Where the server's socket is.
        user: Who runs it; None for whoever runs the tests.
        group: Likewise.
    """

    def __init__(self, command: Path, socket_directory: Path, user: int | None, group: int | None) -> None:
        arguments = ["-qXAt", "-v", "ON_ERROR_STOP=1", "-h", str(socket_directory), "-U", "postgres", "-d", "postgres"]
        self._process = subprocess.Popen(
            [str(command), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            user=user,
            group=group,
        )

    def run(self, statement: str) -> None:
        """Return once a statement has ended.

        Args:
            statement: With its semicolon.

        Raises:
            RuntimeError: It failed, or there is no server. This session has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        answer = ""
        with suppress(BrokenPipeError):  # then it says why
            self._process.stdin.write(f"{statement}\n\\echo {_ALL_SAID}\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            if line.rstrip("\n") == _ALL_SAID:
                return
            answer += line
        self.close()
        raise RuntimeError(f"psql failed: {answer}")

    def close(self) -> None:
        """End it."""
        with suppress(BrokenPipeError):  # it has ended by itself
            self._process.communicate()  # closes its input
