"""Every example of docs/client.md, run as it is written there against a real mesh; only ports are replaced."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ordermesh import client

from tests.fakes.mesh_process import MeshProcess, environment

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

PRINTED = [
    r"ORDER_STATE_PAID\n",
    r"1\n",
    r"VALIDATION_FAILED \['order_id'\]\nORDER_NOT_FOUND 00000000-0000-7000-8000-000000000000\n",
    r"(\d+ ORDER_STATE_\w+\n)+",
]


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("client")
    made = environment(folder / "data")
    mesh = MeshProcess(["up"], made, folder / "mesh.log")
    try:
        mesh.wait_until("Data lies in")
        yield made
    finally:
        mesh.kill()


def run(code: str, values: dict[str, str]) -> str:
    code = code.replace("localhost:50051", values["ORDER_ADDR"])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=values, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_prints_what_it_says(values: dict[str, str]) -> None:
    """In their order: the later ones look at what the first one placed."""
    for code, pattern in zip(EXAMPLES, PRINTED, strict=True):
        assert re.fullmatch(pattern, run(code, values)), code


def test_the_page_names_every_error_and_no_other() -> None:
    errors = {
        name
        for name in client.__all__
        if isinstance(kind := getattr(client, name), type) and issubclass(kind, client.OrdermeshError)
    }
    rows = "".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| ") and "`" in line)

    assert errors - {"OrdermeshError"} == set(re.findall(r"`([A-Z]\w+)`", rows))
