"""docs/access.md says who may call what, as the contract has it."""

from pathlib import Path

from cli.access_page import page
from gateway.contract import load

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_contract_says() -> None:
    assert (ROOT / "docs" / "access.md").read_text() == page(load()), (
        "run `ordermesh keys scopes --markdown > docs/access.md`"
    )


def test_every_method_is_on_it() -> None:
    contract = load()
    lines = page(contract).splitlines()

    assert all(any(line.startswith(f"| {method.name} |") for line in lines) for method in contract.methods())
