"""Regenerates the Python stubs from protos/, and answers whether they are up to date or break callers.

Third-party .proto files are not ours to keep: they are collected from the pinned packages into .third_party/, which git
ignores. google.api and google.rpc ship with googleapis-common-protos; buf.validate is only in protovalidate's source
archive, which `unearth` finds on whatever index pip is set up for.

Run from anywhere:
    python stubs/generate.py                 regenerate
    python stubs/generate.py --check         fail when the committed stubs differ from what protos/ generates
    python stubs/generate.py --breaking      fail when protos/ breaks callers of the main branch
    python stubs/generate.py --collect-only  only fill .third_party/
"""

import argparse
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STUBS = ROOT / "stubs"
THIRD_PARTY = ROOT / ".third_party"
AREAS = sorted(path.name for path in (ROOT / "protos" / "ordermesh").iterdir() if path.is_dir())
CONTRACT = STUBS / "ordermesh" / "contract.binpb"
FROM_GOOGLEAPIS = ("google/api/annotations.proto", "google/api/http.proto")
VALIDATE = "buf/validate/validate.proto"


def run(*command: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run a tool of this virtual environment in the project's root."""
    environment = dict(os.environ)  # noqa: TID251  (a build tool: it hands the shell's environment on)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(command, cwd=ROOT, check=check, env=environment)


def collect_third_party() -> None:
    """Fill .third_party/ from the installed packages, once per version of protovalidate."""
    version = importlib.metadata.version("protovalidate")
    stamp = THIRD_PARTY / f".protovalidate-{version}"
    if stamp.exists():
        return
    shutil.rmtree(THIRD_PARTY, ignore_errors=True)
    site_packages = Path(str(importlib.metadata.distribution("googleapis-common-protos").locate_file("")))
    for name in FROM_GOOGLEAPIS:
        target = THIRD_PARTY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(site_packages / name, target)
    with tempfile.TemporaryDirectory() as folder:
        run("unearth", "--no-binary", "--link-only", "--download", folder, f"protovalidate=={version}")
        (archive,) = Path(folder).glob("protovalidate-*.tar.gz")
        with tarfile.open(archive) as tar:
            member = tar.extractfile(f"protovalidate-{version}/proto/{VALIDATE}")
            if member is None:
                sys.exit(f"protovalidate {version} ships no {VALIDATE}")
            target = THIRD_PARTY / VALIDATE
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(member.read())
    stamp.touch()


def generated_folders() -> list[Path]:
    """Return the folders that hold nothing but generated code; ordermesh/client is written by hand and none of them."""
    if "client" in AREAS:
        sys.exit(
            "protos/ordermesh/client would be generated over the client that is written by hand: name it otherwise"
        )
    return [*(STUBS / "ordermesh" / area for area in AREAS), STUBS / "buf"]


def generate() -> None:
    """Write the stubs anew."""
    collect_third_party()
    for folder in generated_folders():
        shutil.rmtree(folder, ignore_errors=True)
    run("buf", "generate")
    for folder in generated_folders():
        for directory in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
            (directory / "__init__.py").touch()
        (folder / "py.typed").touch()
    # The whole contract with its comments, for clients in other languages and for the gateway's documentation.
    run("buf", "build", "protos", "--as-file-descriptor-set", "-o", str(CONTRACT))


def check() -> int:
    """Regenerate and return 1 when that changed anything that git knows."""
    generate()
    difference = subprocess.run(
        ["git", "status", "--porcelain", "--", *generated_folders(), CONTRACT],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    if difference:
        print("stubs/ is not what protos/ generates: run `make protos` and commit the result", file=sys.stderr)
        print(difference.decode(), file=sys.stderr)
        return 1
    return 0


def breaking() -> int:
    """Return buf's verdict against main; 0 as long as main has no protos."""
    collect_third_party()
    for branch in ("origin/main", "main"):
        found = subprocess.run(
            ["git", "cat-file", "-e", f"{branch}:buf.yaml"], cwd=ROOT, check=False, capture_output=True
        )
        if found.returncode == 0:
            break
    else:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", branch, "protos", "buf.yaml"], cwd=ROOT, check=True, capture_output=True
        ).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        shutil.copytree(THIRD_PARTY, Path(folder) / ".third_party")
        return run("buf", "breaking", "--against", folder, check=False).returncode


def main() -> int:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true")
    mode.add_argument("--breaking", action="store_true")
    mode.add_argument("--collect-only", action="store_true")
    arguments = parser.parse_args()
    if arguments.collect_only:
        collect_third_party()
        return 0
    if arguments.breaking:
        return breaking()
    if arguments.check:
        return check()
    generate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
