"""The law of the house, read from the source: who may import whom, and who may meet the machine.

A file's room follows from its path. The verdicts name file and line, and what to do instead.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SERVICES = ("order_svc", "tax_svc", "payment_svc", "notify_svc")
PACKAGES = ("kernel", "chassis", *SERVICES, "gateway", "sandbox", "cli", "bench")

# Names under which everything and nothing can be found.
DUMPS = frozenset({"utils", "util", "helpers", "helper", "common", "base", "misc"})

# The one place each where product code meets time and chance, and why it has to.
MEET_THE_MACHINE = {
    "cli/keys.py": "makes API keys out of the machine's chance",
    "cli/up.py": "makes the development key, likewise",
    "kernel/clock.py": "implements the clock",
    "kernel/ids.py": "implements the ids",
    "chassis/telemetry/setup.py": "hands nanoseconds and chance to the tracer",
    "chassis/storage/committer.py": "takes chance as an argument, the machine's by default",
    "notify_svc/__main__.py": "hands chance to the use cases",
    "order_svc/__main__.py": "hands chance to the use cases",
    "sandbox/app.py": "takes chance as an argument, the machine's by default",
}

# grpc reads its own switches from the environment alone.
MEET_THE_ENVIRONMENT = frozenset({"chassis/process.py"})

_MACHINE = frozenset(
    {
        "time.time",
        "time.time_ns",
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "date.today",
        "datetime.date.today",
        "uuid.uuid1",
        "uuid.uuid4",
        "uuid4",
        "os.urandom",
        "random.random",
        "random.randint",
        "random.choice",
        "random.uniform",
        "random.getrandbits",
        "random.shuffle",
        "random.sample",
        "random.Random()",
        "random.SystemRandom()",
        "secrets.token_hex",
        "secrets.token_urlsafe",
        "secrets.token_bytes",
        "secrets.randbelow",
    }
)
_ENVIRONMENT = frozenset({"os.environ", "os.getenv", "os.environb", "os.putenv"})

# Foreign libraries that only some rooms of a service know.
_PROTOBUF = frozenset({"ordermesh", "google", "grpc_status"})
_AT_THE_EDGE = frozenset({"grpc", "sqlalchemy", "alembic", "asyncpg", "sqlite3", "httpx", "stripe", "aiohttp"})


@dataclass(frozen=True)
class Verdict:
    """One breach."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.what}"


def judge_tree(root: Path) -> list[Verdict]:
    """Return every breach in the packages under the root."""
    verdicts = []
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            verdicts += judge(file.relative_to(root).as_posix(), file.read_text())
    return verdicts


def judge(path: str, source: str) -> list[Verdict]:
    """Return every breach in one file.

    Args:
        path: Where it is, from the root of the repository.
        source: What it says.
    """
    room = Room(path)
    verdicts = [Verdict(path, 1, f"is called {word}, which says nothing") for word in sorted(room.words & DUMPS)]
    for node in ast.walk(ast.parse(source)):
        for line, imported in _imports(node):
            if complaint := room.complaint(imported):
                verdicts.append(Verdict(path, line, f"imports {imported}: {complaint}"))
        if (name := _dotted(node)) and (complaint := room.complaint_about_use(name)):
            verdicts.append(Verdict(path, getattr(node, "lineno", 0), f"uses {name}: {complaint}"))
    return verdicts


class Room:
    """Where a file stands in the house.

    Attributes:
        words: The names of its folders and its own.
    """

    def __init__(self, path: str) -> None:
        parts = PurePosixPath(path).with_suffix("").parts
        self.words = set(parts)
        self._path = path
        self._package = parts[0]
        self._part = parts[1] if len(parts) > 1 else ""
        self._name = parts[-1]

    def complaint(self, imported: str) -> str:
        """Return why this room may not import that, or nothing."""
        top = imported.split(".", maxsplit=1)[0]
        if _within(imported, "ordermesh.client") and self._package in {*SERVICES, "gateway"}:
            return "ordermesh.client is for other teams: our calls carry deadline and trace by chassis/channel.py"
        match self._package:
            case "kernel":
                allowed = top in sys.stdlib_module_names or top == "kernel"
                return "" if allowed else "kernel knows the standard library alone"
            case "chassis":
                return self._complaint_of_chassis(imported, top)
            case "sandbox":
                ours = {*PACKAGES, "ordermesh"} - {"kernel", "chassis", "sandbox"}
                return "the sandbox stands for the outside world and knows no service" if top in ours else ""
            case "gateway":
                return "the gateway knows services by their contract alone" if top in (*SERVICES, "cli") else ""
            case service if service in SERVICES:
                return self._complaint_of_service(imported, top)
            case _:
                return ""

    def complaint_about_use(self, name: str) -> str:
        """Return why this room may not use that name, or nothing."""
        if name in _ENVIRONMENT:
            allowed = self._name in {"config", "__main__"} or self._path in MEET_THE_ENVIRONMENT
            return "" if allowed else "only a config.py meets the environment"
        if name in _MACHINE and self._package != "bench" and self._path not in MEET_THE_MACHINE:
            return "take a Clock, Ids or a source of chance as an argument"
        return ""

    def _complaint_of_chassis(self, imported: str, top: str) -> str:
        if top == "ordermesh":
            words = imported.startswith("ordermesh.type") and self._path == "chassis/wire.py"
            rights = _within(imported, "ordermesh.access") and self._path == "chassis/access/rules.py"
            return "" if words or rights else "the chassis knows no business noun"
        return "the chassis knows the kernel at most" if top in {*PACKAGES} - {"kernel", "chassis"} else ""

    def _complaint_of_service(self, imported: str, top: str) -> str:
        if top in {*PACKAGES} - {"kernel", "chassis", self._package}:
            return "a service knows no other service, and nothing that stands on it"
        inner = self._part if self._part in {"domain", "app"} else ""
        if inner:
            own = [f"{self._package}.domain"] + ([f"{self._package}.app"] if inner == "app" else [])
            known = top in sys.stdlib_module_names or top == "kernel" or any(_within(imported, each) for each in own)
            return "" if known and top not in _AT_THE_EDGE else f"{inner} knows {' and '.join(['kernel', *own])} alone"
        if top in _PROTOBUF and not self._speaks_protobuf():
            return "protobuf stops at servicer.py, wire.py and adapters/*_grpc.py"
        if top in _AT_THE_EDGE - {"grpc"} and self._part not in {"adapters", "migrations", "__main__"}:
            return "providers and databases stop at adapters/"
        return ""

    def _speaks_protobuf(self) -> bool:
        in_adapters = self._part == "adapters" and self._name.endswith("_grpc")
        # A service that hosts a second area of the contract has files of their own for it: webhook_servicer.py.
        return in_adapters or self._part == "__main__" or self._part.split("_")[-1] in {"servicer", "wire"}


def _within(imported: str, package: str) -> bool:
    return imported == package or imported.startswith(f"{package}.")


def _imports(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything that a statement imports."""
    if isinstance(node, ast.Import):
        yield from ((node.lineno, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def _dotted(node: ast.AST) -> str:
    """Return the dotted name that an expression spells out: "os.environ", and "random.Random()" for a call."""
    if isinstance(node, ast.Call):
        called = _dotted(node.func)
        return f"{called}()" if called else ""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = _dotted(node.value)
        return f"{left}.{node.attr}" if left else ""
    return ""
