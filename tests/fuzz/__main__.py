"""`python -m tests.fuzz grpc --cases 100000`: hostile bytes on every port of a real mesh; see docs/security.md."""

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fakes.whole_mesh import running_mesh
from tests.fuzz import raw, rest, targets

# How many calls at least before memory is looked at for the first time.
_WARM_UP = 2_000
_MOST_GROWTH_KIB = 32 * 1024


def main() -> int:
    """Run what the command line asks for; 1 when anything was answered wrongly."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    calls = kinds.add_parser("grpc", help="raw bytes to every method of every service")
    calls.add_argument("--cases", type=int, default=100_000, help="how many calls")
    calls.add_argument("--seed", type=int, default=1, help="what all draws come from")
    requests = kinds.add_parser("rest", help="requests from the OpenAPI document, by schemathesis with all checks")
    requests.add_argument("--examples", type=int, default=100, help="of each kind for each operation, at most")
    requests.add_argument("--seed", type=int, default=1, help="what all draws come from")
    requests.add_argument("--phases", default="coverage,fuzzing,stateful", help="of schemathesis")
    parsers = kinds.add_parser("parsers", help="the parsers under atheris (requirements/fuzz.txt)")
    parsers.add_argument("--minutes", type=float, default=10.0, help="for all of them together")
    wanted = parser.parse_args()
    if wanted.kind == "grpc":
        return _grpc(wanted.cases, wanted.seed)
    if wanted.kind == "rest":
        return _rest(wanted.examples, wanted.seed, wanted.phases)
    return _parsers(wanted.minutes)


def _grpc(cases: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder, running_mesh(Path(folder)) as mesh:
        services = ("order", "tax", "payment", "notify")
        addresses = {name: mesh.values[f"{name.upper()}_ADDR"] for name in services}
        # The first calls fill pools, caches and the allocator; what grows from there on would grow for ever.
        asyncio.run(raw.fuzz(addresses, max(_WARM_UP, cases // 4), seed + 1))
        before = {name: raw.resident_kib(mesh.parts[name].pid) for name in services}
        found = asyncio.run(raw.fuzz(addresses, cases, seed))
        for name in services:
            found.memory[name] = before[name], raw.resident_kib(mesh.parts[name].pid)
            if found.memory[name][1] - before[name] > _MOST_GROWTH_KIB:
                found.wrong.append(f"{name} has grown by more than {_MOST_GROWTH_KIB // 1024} MiB")
            found.wrong += [f"{name}: {line}" for line in raw.defects(mesh.parts[name].log())]
    sys.stdout.write(f"{raw.report(found)}\n")
    return 1 if found.wrong else 0


def _rest(examples: int, seed: int, phases: str) -> int:
    with tempfile.TemporaryDirectory() as folder, running_mesh(Path(folder)) as mesh:
        gateway = f"http://{mesh.values['ORDERMESH_GATEWAY_ADDR']}"
        ran = asyncio.run(rest.fuzz(gateway, Path(folder), examples, seed, phases))
        wrong = [f"{name}: {line}" for name, part in mesh.parts.items() for line in raw.defects(part.log())]
    sys.stdout.write(f"{ran.said}\n{ran.cases:,} requests\n" + "".join(f"WRONG {line}\n" for line in wrong))
    return 0 if ran.passed and not wrong else 1


def _parsers(minutes: float) -> int:
    """Run each target for its part of the time, in a process of its own: atheris ends the process that it runs in."""
    failed = []
    for name in targets.TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            for place, seed in enumerate(targets.seeds(name)):
                (Path(folder) / f"seed-{place}").write_bytes(seed)
            seconds = max(1, round(minutes * 60 / len(targets.TARGETS)))
            bounds = [
                f"-max_total_time={seconds}",
                "-max_len=4096",
                "-timeout=10",
                "-rss_limit_mb=2048",
                "-verbosity=0",
            ]
            command = [sys.executable, "-m", "tests.fuzz.parsers", name, *bounds, "-print_final_stats=1", folder]
            ran = subprocess.run(command, check=False, capture_output=True, text=True)
        executed = re.search(r"number_of_executed_units: (\d+)", ran.stderr)
        peak = re.search(r"peak_rss_mb: (\d+)", ran.stderr)
        figures = f"{executed[1] if executed else '?'} inputs, peak {peak[1] if peak else '?'} MiB"
        sys.stdout.write(f"{name}: {figures} in {seconds} s: {'nothing found' if ran.returncode == 0 else 'FOUND'}\n")
        if ran.returncode:
            failed.append(name)
            sys.stdout.write(ran.stderr[-4_000:])
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
