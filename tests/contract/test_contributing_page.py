"""CONTRIBUTING's worked example is about code that there is: every file that it names has a part of the RPC."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "CONTRIBUTING.md").read_text().partition("## Worked example")[2]
STEPS = re.split(r"^\d+\. ", EXAMPLE, flags=re.MULTILINE)[1:]
# Named for another reason than that the RPC is in it.
OTHERWISE = {"CHANGELOG.md"}


def test_the_contract_that_is_shown_is_the_contract() -> None:
    (shown,) = re.findall(r"```proto\n(.*?)```", EXAMPLE, re.DOTALL)
    proto = (ROOT / "protos/ordermesh/order/v1/order_service.proto").read_text()

    assert _lines(shown) in _lines(proto)


def _lines(text: str) -> str:
    """Return the text without its indentation."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


def test_every_file_that_is_named_has_a_part_of_the_rpc() -> None:
    named = {target for step in STEPS for target in re.findall(r"\]\(([^)#]+)\)", step)} - OTHERWISE

    assert len(named) > len(STEPS)
    for target in named:
        text = (ROOT / target).read_text()
        assert re.search(r"annotate|\bnote\b", text, re.IGNORECASE), target


def test_every_name_in_a_step_about_a_file_is_in_that_file() -> None:
    domain = (ROOT / "order_svc/domain/commands.py").read_text()

    assert "ANNOTATE = " in domain
    assert "Command.ANNOTATE: " in domain.partition("ALLOWED")[2]
    assert "def annotate(" in domain
    assert "Commands" in (ROOT / "order_svc/app/annotate.py").read_text()
