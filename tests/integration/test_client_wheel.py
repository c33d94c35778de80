"""The stubs as other teams get them: a wheel that stands on what it declares, and on nothing of ours."""

import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Runs without the project in sight: whatever the wheel does not declare cannot be imported.
IMPORTS = """
import importlib.abc, importlib.util, pkgutil, sys

wheel, allowed = sys.argv[1], set(sys.argv[2].split(","))
sys.path.insert(0, wheel)

class Wall(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        top = name.partition(".")[0]
        if top not in allowed and top not in sys.stdlib_module_names:
            raise ImportError(f"{name} is not what the wheel declares")
        return None

sys.meta_path.insert(0, Wall())
import ordermesh
assert ordermesh.__file__.startswith(wheel), ordermesh.__file__
names = [each.name for each in pkgutil.walk_packages(ordermesh.__path__, "ordermesh.")]
for name in names:
    importlib.import_module(name)
from ordermesh.client import AsyncClient, Client
with Client() as client:
    assert client.orders.PlaceOrder
print(len(names))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it from a copy, so that nothing is left behind in the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(["git", "checkout-index", "-a", f"--prefix={folder}/source/"], cwd=ROOT, check=True)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", folder, folder / "source" / "stubs"], cwd=folder, check=True)
    (made,) = folder.glob("ordermesh_protos-*.whl")
    return made


def requirements(wheel: Path) -> set[str]:
    """Return the names of the distributions that it declares, without those of its extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        declared = Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", [])
    return {re.split(r"[ <>=;]", each)[0] for each in declared if "extra" not in each}


def test_it_declares_four_distributions(wheel: Path) -> None:
    assert requirements(wheel) == {"googleapis-common-protos", "grpcio", "grpcio-status", "protobuf"}


def test_it_imports_from_a_folder_of_its_own_with_what_it_declares(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    # What the four bring: google, grpc, grpc_status; typing_extensions is what grpcio itself needs.
    allowed = "ordermesh,buf,google,grpc,grpc_status,typing_extensions"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-I", "-c", IMPORTS, str(tmp_path / "installed"), allowed],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30


def test_type_checkers_find_it_typed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    assert {
        "ordermesh/py.typed",
        "ordermesh/client/__init__.py",
        "ordermesh/order/v1/order_service_pb2_grpc.pyi",
    } <= names
