"""One part of the mesh as a process that can be killed, frozen, starved of disk and started again."""

import asyncio
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.failure.words import FULL, ROOM

# A start takes about a second on an idle machine; this only says that something hangs.
START_SECONDS = 180.0

# In bytes: what a process with a broken disk has to say must still fit into its log.
_SHORTEST_LIMIT = 16_384
_NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

_ROOT = Path(__file__).parents[2]


class Part:
    """One part, as processes that follow each other.

    Args:
        name: What `ordermesh serve` calls it, and for another replica of it a dash and a number.
        values: Its environment.
        log: Where its standard error goes.
        options: What `ordermesh serve` is told besides.

    Attributes:
        may_end: Whether its disk was broken: it then ends by itself at the next commit.
        ended: How often it has done so.
    """

    def __init__(self, name: str, values: Mapping[str, str], log: Path, options: Sequence[str] = ()) -> None:
        self.name = name
        self._options = options
        self.values = values
        self.log = log
        self._process: asyncio.subprocess.Process | None = None
        self._killed = False
        self.may_end = False
        self.ended = 0
        self._forgiven = 0

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has a process that has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self, tries: int = 1) -> None:
        """Start a process, and return once it listens.

        Args:
            tries: How often to start it when it ends instead, as one does that finds its database away.

        Raises:
            AssertionError: It ended each time.
        """
        for _ in range(tries):
            if await self._start():
                return
        raise AssertionError(f"{self.name} ended with {self.exit_code}:\n{self.log.read_text()[-3000:]}")

    async def _start(self) -> bool:
        """Start a process, and return whether it listens or has ended."""
        self._killed = self.may_end = False
        with self.log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.failure.part", self.name.partition("-")[0], *self._options),
                cwd=_ROOT,
                env=self.values,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            while line := await self._process.stdout.readline():
                if b"listens on" in line:
                    return True
        await self._process.wait()
        return False

    def forgive(self) -> None:
        """Take no word of a process that has ended because its disk failed for a defect: calls broke off with it."""
        self._forgiven = self.log.stat().st_size

    def defects(self) -> list[str]:
        """Return what it logged of defects of its own: a fault, whatever it is, is no reason for one."""
        lines = self.log.read_bytes()[self._forgiven :].decode(errors="replace").splitlines()
        return [line for line in lines if '.defect"' in line or line.startswith("Traceback")]

    def freeze(self) -> None:
        """Let it stand still, with all its connections open."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def fill_disk(self, *, full: bool) -> None:
        """Let the disk under its SQLite file be full, or have room again."""
        if self.running and self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(FULL if full else ROOM)

    def break_disk(self) -> None:
        """Let writes fail that make a file of its longer than its write-ahead log is: not with "full", with EIO.

        The process ends by itself at a commit that hits this, or it is mended before.
        """
        if self.running:
            wal = Path(self.values["ORDERMESH_DATA_DIR"], f"{self.name}.db-wal")
            length = max(_SHORTEST_LIMIT, wal.stat().st_size) if wal.exists() else _SHORTEST_LIMIT
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (length, resource.RLIM_INFINITY))
            self.may_end = True

    def mend(self) -> None:
        """Take all of this back."""
        self.thaw()
        self.fill_disk(full=False)
        if self.may_end and self.running:
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, _NO_LIMIT)

    def _send(self, number: signal.Signals) -> None:
        if self.running and self._process is not None:
            self._process.send_signal(number)

    async def wait(self) -> int:
        """Return its exit code, once it has ended."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> int:
        """End it as an orchestrator does, with SIGTERM, and return its exit code once it has ended."""
        self._send(signal.SIGTERM)
        return await self.wait()

    async def kill(self) -> None:
        """End it at once, when it still runs."""
        if self.running and self._process is not None:
            self._killed = True
            self._process.kill()
            await self._process.wait()

    @property
    def exit_code(self) -> int | None:
        """The exit code of a process that has ended by itself."""
        return None if self._process is None or self._killed else self._process.returncode


def children_of(pid: int) -> list[int]:
    """Return the processes that a process's first thread has started and that still are."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
