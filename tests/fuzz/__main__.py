"""`python -m tests.fuzz grpc --cases 100000`: hostile bytes on every port of a real mesh; see docs/security.md."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.fakes.whole_mesh import running_mesh
from tests.fuzz import raw

# How many calls before memory is looked at for the first time: pools fill and caches warm up.
_WARM_UP = 2_000
_MOST_GROWTH_KIB = 32 * 1024


def main() -> int:
    """Run what the command line asks for; 1 when anything was answered wrongly."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    calls = kinds.add_parser("grpc", help="raw bytes to every method of every service")
    calls.add_argument("--cases", type=int, default=100_000, help="how many calls")
    calls.add_argument("--seed", type=int, default=1, help="what all draws come from")
    wanted = parser.parse_args()
    return _grpc(wanted.cases, wanted.seed)


def _grpc(cases: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder, running_mesh(Path(folder)) as mesh:
        services = ("order", "tax", "payment", "notify")
        addresses = {name: mesh.values[f"{name.upper()}_ADDR"] for name in services}
        asyncio.run(raw.fuzz(addresses, min(_WARM_UP, cases), seed + 1))
        before = {name: raw.resident_kib(mesh.parts[name].pid) for name in services}
        found = asyncio.run(raw.fuzz(addresses, cases, seed))
        for name in services:
            found.memory[name] = before[name], raw.resident_kib(mesh.parts[name].pid)
            if found.memory[name][1] - before[name] > _MOST_GROWTH_KIB:
                found.wrong.append(f"{name} has grown by more than {_MOST_GROWTH_KIB // 1024} MiB")
            found.wrong += [f"{name}: {line}" for line in raw.defects(mesh.parts[name].log())]
    sys.stdout.write(f"{raw.report(found)}\n")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
