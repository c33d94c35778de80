"""docs/client.md: its examples, which test_page_commands.py runs against its mesh, and its table of errors."""

import re
from pathlib import Path

from ordermesh import client

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

PRINTED = [
    r"ORDER_STATE_PAID\n",
    r"1\n",
    r"VALIDATION_FAILED \['order_id'\]\nORDER_NOT_FOUND 00000000-0000-7000-8000-000000000000\n",
    r"(\d+ ORDER_STATE_\w+\n)+",
]
"""What each prints."""


def test_the_page_names_every_error_and_no_other() -> None:
    errors = {
        name
        for name in client.__all__
        if isinstance(kind := getattr(client, name), type) and issubclass(kind, client.OrdermeshError)
    }
    rows = "".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| ") and "`" in line)

    assert errors - {"OrdermeshError"} == set(re.findall(r"`([A-Z]\w+)`", rows))
