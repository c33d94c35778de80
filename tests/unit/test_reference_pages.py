"""The pages of docs/ that are made from the code, and the drawings in others, are as the code has them now."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import cli
from cli.reference.command import DRAWN, PAGES, written
from cli.reference.drawings import DRAWINGS, drawn_into
from cli.reference.table import cell
from gateway import contract

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", [*PAGES, *DRAWN])
def test_a_page_is_as_the_code_has_it(name: str) -> None:
    made = PAGES[name]() if name in PAGES else drawn_into((DOCS / name).read_text())

    assert (DOCS / name).read_text() == made, "run `ordermesh reference`"


def test_every_drawing_is_on_a_page() -> None:
    pages = "".join((DOCS / name).read_text() for name in DRAWN)

    assert [name for name in DRAWINGS if f"<!-- drawn: {name} -->" not in pages] == []


def test_every_method_and_every_command_is_on_its_page() -> None:
    rpc, commands = (DOCS / "rpc.md").read_text(), (DOCS / "commands.md").read_text()

    assert all(f"### {each.containing_service.name}.{each.name}\n" in rpc for each in contract.load().methods())
    assert "## ordermesh order place\n" in commands
    assert "## ordermesh completion\n" in commands


def test_a_drawing_that_is_out_of_date_is_drawn_anew() -> None:
    old = "# A\n\n<!-- drawn: states -->\n\n```mermaid\nstateDiagram-v2\n  PAID --> FAILED\n```\n\nB\n"

    new = drawn_into(old)

    assert "PAID --> FAILED" not in new
    assert new.startswith("# A\n\n<!-- drawn: states -->\n\n```mermaid\nstateDiagram-v2\n  accTitle: ")
    assert new.endswith("\n```\n\nB\n")


def test_the_command_writes_what_has_changed_and_nothing_else(tmp_path: Path) -> None:
    for name, text in written(DOCS).items():
        (tmp_path / name).write_text(text)
    (tmp_path / "metrics.md").write_text("old")

    told = CliRunner().invoke(cli, ["reference", str(tmp_path)]).output.splitlines()

    assert [line.split()[0] for line in told if line.endswith("written")] == ["metrics.md"]
    assert (tmp_path / "metrics.md").read_text() == PAGES["metrics.md"]()


def test_a_cell_holds_any_text() -> None:
    assert cell("a |\n b") == "a \\| b"
