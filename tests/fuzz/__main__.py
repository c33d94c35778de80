"""`python -m tests.fuzz`: hostile bytes on every port of a real mesh, on REST and in parsers; see docs/security.md."""

import argparse
import asyncio
import itertools
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.fakes.whole_mesh import Mesh, running_mesh
from tests.fuzz import raw, rest, targets
from tests.fuzz.memory import Memory

_SERVICES = ("order", "tax", "payment", "notify")
_LEAST_REQUESTS = 10_000


def main() -> int:
    """Run what the command line asks for, or all of it; 1 when anything was answered wrongly."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", help="everything, unless told")
    calls = kinds.add_parser("grpc", help="raw bytes to every method of every service")
    calls.add_argument("--cases", type=int, default=100_000, help="how many calls")
    calls.add_argument("--seed", type=int, default=1, help="what all draws come from")
    requests = kinds.add_parser("rest", help="requests from the OpenAPI document, by schemathesis with all checks")
    requests.add_argument("--examples", type=int, default=150, help="of each kind for each operation, at most")
    requests.add_argument("--seed", type=int, default=1, help="what all draws come from")
    requests.add_argument("--phases", default=rest.PHASES, help="of schemathesis")
    requests.add_argument("--least", type=int, default=_LEAST_REQUESTS, help="how many requests are enough")
    parsers = kinds.add_parser("parsers", help="the parsers under atheris (requirements/fuzz.txt)")
    parsers.add_argument("--minutes", type=float, default=10.0, help="for all of them together")
    parsers.add_argument(
        "--only", nargs="+", choices=list(targets.TARGETS), default=list(targets.TARGETS), help="which"
    )
    wanted = parser.parse_args()
    if wanted.kind is None:
        # All three, whatever the first has found.
        every = [parser.parse_args([kind]) for kind in kinds.choices]
        return max([_run(each) for each in every])
    return _run(wanted)


def _run(wanted: argparse.Namespace) -> int:
    if wanted.kind == "grpc":
        return _grpc(wanted.cases, wanted.seed)
    if wanted.kind == "rest":
        return _rest(wanted)
    return _parsers(wanted.only, wanted.minutes)


def _grpc(cases: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder, running_mesh(Path(folder)) as mesh:
        addresses = {name: mesh.values[f"{name.upper()}_ADDR"] for name in _SERVICES}
        with Memory({name: mesh.parts[name].pid for name in _SERVICES}) as memory:
            found = asyncio.run(raw.fuzz(addresses, cases, seed))
        found.wrong += [*memory.grown(), *_defects(mesh)]
    sys.stdout.write("\n".join([raw.report(found), *memory.report(), ""]))
    return 1 if found.wrong else 0


def _rest(wanted: argparse.Namespace) -> int:
    """Make runs with one seed after the other until there were enough requests, or one has found something."""
    made, passed = 0, True
    with tempfile.TemporaryDirectory() as folder, running_mesh(Path(folder)) as mesh:
        gateway = f"http://{mesh.values['ORDERMESH_GATEWAY_ADDR']}"
        with Memory({name: mesh.parts[name].pid for name in ("gateway", *_SERVICES)}) as memory:
            for seed in itertools.count(wanted.seed):
                ran = asyncio.run(rest.fuzz(gateway, Path(folder), wanted.examples, seed, wanted.phases))
                made, passed = made + ran.cases, ran.passed
                sys.stdout.write(f"{ran.said}\n{rest.table(ran.answers)}\n")
                sys.stdout.flush()
                if not passed or not ran.cases or made >= wanted.least:
                    break
        wrong = [*memory.grown(), *_defects(mesh)]
    lines = [f"{made:,} requests", *memory.report(), *(f"WRONG {line}" for line in wrong), ""]
    sys.stdout.write("\n".join(lines))
    return 0 if passed and made >= wanted.least and not wrong else 1


def _defects(mesh: Mesh) -> list[str]:
    return [f"{name}: {line}" for name, part in mesh.parts.items() for line in raw.defects(part.log())]


def _parsers(names: Sequence[str], minutes: float) -> int:
    """Run each target for its part of the time, in a process of its own: atheris ends the process that it runs in."""
    failed = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            for place, seed in enumerate(targets.seeds(name)):
                (Path(folder) / f"seed-{place}").write_bytes(seed)
            seconds = max(1, round(minutes * 60 / len(names)))
            bounds = [
                f"-max_total_time={seconds}",
                "-max_len=4096",
                "-timeout=10",
                "-rss_limit_mb=2048",
                "-verbosity=0",
                # What it finds is printed, in Base64 too, and needs no file beside the sources.
                f"-artifact_prefix={folder}/",
            ]
            command = [sys.executable, "-m", "tests.fuzz.parsers", name, *bounds, "-print_final_stats=1", folder]
            ran = subprocess.run(command, check=False, capture_output=True, text=True)
        executed = re.search(r"number_of_executed_units: (\d+)", ran.stderr)
        peak = re.search(r"peak_rss_mb:\s+(\d+)", ran.stderr)
        figures = f"{executed[1] if executed else '?'} inputs, peak {peak[1] if peak else '?'} MiB"
        sys.stdout.write(f"{name}: {figures} in {seconds} s: {'nothing found' if ran.returncode == 0 else 'FOUND'}\n")
        if ran.returncode:
            failed.append(name)
            sys.stdout.write(ran.stdout[-4_000:] + ran.stderr[-4_000:])
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
