"""Every command of the README, run as it is written there, against a mesh that its own `make up` started.

Only ports are replaced, so that the test does not need the usual ones to be free, and ORDER_ID by an order's id.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.mesh_process import environment

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

USUAL_PORTS = {
    "8080": "ORDERMESH_GATEWAY_ADDR",
    "50051": "ORDER_ADDR",
    "50052": "TAX_ADDR",
    "50053": "PAYMENT_ADDR",
    "50054": "NOTIFY_ADDR",
    "8090": "SANDBOX_ADDR",
}

# `make up` runs for the whole test; `make test` is what runs this test.
RUN_OTHERWISE = {"make up", "make test"}


def commands(language: str) -> list[str]:
    """Return the commands of all fenced blocks of a language: one a line for the shell, else one a block."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    if language != "sh":
        return blocks
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment(tmp_path_factory.mktemp("readme") / "data")


@pytest.fixture(scope="module")
def mesh(values: dict[str, str]) -> Iterator[str]:
    """Run `make up`, and yield the id of an order placed by the README's first curl."""
    process = subprocess.Popen(
        ["make", "up"], cwd=ROOT, env=values, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "Data lies in" in line:
                break
        (curl,) = [command for command in commands("sh") if command.startswith("curl")]
        placed = run(curl, values)
        found = re.search(r'"order_id":"([0-9a-f-]{36})"', placed)
        assert found is not None, placed
        assert '"state":"PAID"' in placed
        yield found.group(1)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


def run(command: str, values: dict[str, str]) -> str:
    """Run one command from the project's root and return what it wrote; it has to succeed."""
    for usual, name in USUAL_PORTS.items():
        command = command.replace(f":{usual}", ":" + values[name].rpartition(":")[2])
    done = subprocess.run(
        command, shell=True, cwd=ROOT, env=values, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("command", [each for each in commands("sh") if each not in RUN_OTHERWISE])
def test_the_readmes_command_does_what_it_says(command: str, mesh: str, values: dict[str, str]) -> None:
    output = run(command.replace("ORDER_ID", mesh), values)

    assert output.strip(), f"{command} said nothing"


@pytest.mark.usefixtures("mesh")
def test_the_readmes_python_prints_an_order_id(values: dict[str, str]) -> None:
    (code,) = commands("python")
    code = code.replace("50051", values["ORDER_ADDR"].rpartition(":")[2])

    printed = subprocess.run(
        [ROOT / ".venv/bin/python", "-W", "error", "-c", code],
        env=values,
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    ).stdout

    assert re.fullmatch(r"[0-9a-f-]{36}\n", printed)


@pytest.mark.usefixtures("mesh")
def test_the_faults_that_the_readme_invites_to_try_are_accepted(values: dict[str, str]) -> None:
    put, clear = re.findall(r"`(curl -X (?:PUT|DELETE) [^`]+)`", README)

    assert "outage" in run(put, values)
    run(clear, values)


def test_every_make_target_that_is_mentioned_exists() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = {line.split()[0] for line in listed.splitlines()}
    pages = [README, (ROOT / "CONTRIBUTING.md").read_text(), (ROOT / "ARCHITECTURE.md").read_text()]

    mentioned = {name for page in pages for name in re.findall(r"(?:`|^)make ([a-z-]+)", page, re.MULTILINE)}

    assert mentioned
    assert mentioned <= targets


def test_every_link_of_the_pages_leads_somewhere() -> None:
    for page in [
        ROOT / "README.md",
        ROOT / "ARCHITECTURE.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
    ]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
