"""docs/orders.md does what it says: every command is run as it is written there, in order, and answers as is written.

Only ports are replaced, ORDER_ID by the id of the order placed last, and PAYMENT_INTENT by its payment's at Stripe. In
an answer `…` stands for anything; ids and times differ from run to run.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from order_svc.domain.commands import ALLOWED
from order_svc.domain.order import State
from tests.fakes.mesh_process import MeshProcess, environment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "orders.md").read_text()

USUAL_PORTS = {"8080": "ORDERMESH_GATEWAY_ADDR", "50051": "ORDER_ADDR", "8090": "SANDBOX_ADDR"}

_BLOCK = re.compile(
    r"```sh(?: exit=(?P<exit>\d))?\n(?P<command>.*?)```(?:\n\n```(?:text|json|http)\n(?P<answer>.*?)```)?", re.DOTALL
)
# What differs from run to run, by what stands for it when answers are compared.
_VARIABLE = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"(pi|re)_[0-9a-f]{24}", "<id at Stripe>"),
)


@dataclass(frozen=True)
class Block:
    """A command of the page.

    Attributes:
        command: As it stands there.
        answer: What it is said to answer; empty where that is left open.
        exit_code: What it is said to end with.
    """

    command: str
    answer: str
    exit_code: int


BLOCKS = [
    Block(found["command"].strip(), found["answer"] or "", int(found["exit"] or 0)) for found in _BLOCK.finditer(PAGE)
]


class Reader:
    """Somebody who types what the page says, from its beginning to its end."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self._order_id = self._payment = ""

    def run(self, block: Block) -> "subprocess.CompletedProcess[str]":
        """Run a command; what it says on standard error comes after the rest."""
        command = block.command.replace("ORDER_ID", self._order_id).replace("PAYMENT_INTENT", self._payment)
        for usual, name in USUAL_PORTS.items():
            command = command.replace(f":{usual}", ":" + self._values[name].rpartition(":")[2])
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=ROOT,
            env=self._values,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        if "/api/v1/orders -H" in command or "order place" in command:
            self._order_id = _first(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", done.stdout)
            self._payment = _first(r"pi_[0-9a-f]{24}", done.stdout)
        return done


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, text
    return found[0]


def plain(text: str) -> str:
    """Return an answer without what differs from run to run, and without the blanks that pad lines and columns."""
    for pattern, name in _VARIABLE:
        text = re.sub(pattern, name, text)
    return "\n".join(re.sub(r" +", " ", line.strip()) for line in text.strip().splitlines())


def is_told(answer: str, said: str) -> bool:
    """Return whether what was said is what the page tells."""
    parts = [re.escape(part.strip()) for part in plain(answer).split("…")]
    return re.fullmatch(r"\s*.*?".join(parts), plain(said), re.DOTALL) is not None


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment(tmp_path_factory.mktemp("orders") / "data")


@pytest.fixture(scope="module")
def reader(values: dict[str, str]) -> Iterator[Reader]:
    process = MeshProcess(["up"], values, Path(values["ORDERMESH_DATA_DIR"]).with_name("up.log"))
    process.wait_until("Data lies in")
    try:
        yield Reader(values)
    finally:
        process.kill()


@pytest.mark.long
def test_the_pages_commands_do_what_it_says(reader: Reader) -> None:
    """All in one test: each command goes on from what the ones before it have done."""
    for block in BLOCKS:
        done = reader.run(block)
        said = done.stdout + (done.stderr if block.exit_code else "")
        assert done.returncode == block.exit_code, f"{block.command}\n{done.stdout}\n{done.stderr}"
        if block.answer:
            assert is_told(block.answer, said), f"{block.command}\n{said}\nis not what the page tells:\n{block.answer}"


def test_every_command_is_shown_over_rest_grpc_and_on_the_command_line() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `POST …/\{order_id\}(:\w+)` \| `(\w+)` \|", PAGE, re.MULTILINE)
    commands = [block.command for block in BLOCKS]

    assert [rpc for rpc, _, _ in rows] == [command.value for command in ALLOWED]
    for rpc, verb, typed in rows:
        assert any(f"ORDER_ID{verb} " in each for each in commands if each.startswith("curl")), verb
        assert any(each.endswith(f"OrderService/{rpc}") for each in commands), rpc
        assert any(f"ordermesh order {typed} ORDER_ID" in each for each in commands), typed


def test_the_table_says_of_every_command_when_it_is_allowed() -> None:
    for command, states in ALLOWED.items():
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{command.value}` |")]
        told = row.rstrip("|").rpartition("|")[2]
        named = set(State) if "any state" in told else {State(word) for word in re.findall(r"[A-Z_]{4,}", told)}
        assert named == states, command


def test_a_difference_is_noticed() -> None:
    assert is_told("a …\nstate: PAID", "a b\nstate:   PAID ")
    assert not is_told("state: PAID", "state: FAILED")
    assert not is_told("state: PAID", "state: PAID\nmore")
