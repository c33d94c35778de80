"""docs/errors.md says of every reason what the code does: its gRPC code and its HTTP status."""

import re
from pathlib import Path

from chassis.errors import CODES
from gateway.problem import status_of
from kernel.errors import Reason

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()


def rows() -> dict[str, tuple[str, str]]:
    """Return (gRPC code, REST statuses) by reason, as the page's table has them."""
    found: dict[str, tuple[str, str]] = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for reason in re.findall(r"`([A-Z_]+)`", cells[0]):
            found[reason] = (cells[1], cells[2])
    return found


def test_the_page_has_every_reason_and_no_other() -> None:
    assert set(rows()) == {reason.value for reason in Reason}


def test_the_page_gives_each_reason_the_code_and_status_that_callers_get() -> None:
    for name, (code, statuses) in rows().items():
        reason = Reason(name)
        assert code == CODES[reason].name, name
        assert str(status_of(reason)) in statuses.split(", "), name
