"""What `ordermesh up` says once it is ready: where everything listens, how to place an order, where data lies."""

from collections.abc import Mapping
from pathlib import Path

from rich.table import Table
from rich.text import Text

from cli.console import console

_SERVICES = ("order", "tax", "payment", "notify")


def welcome(
    bound: Mapping[str, str], data_dir: Path, development_key: str, scheme: str = "http", *, has_shop: bool = False
) -> None:
    """Print it.

    Args:
        bound: The address of each part by its name; no sandbox when the providers are real.
        data_dir: Where the data lies.
        development_key: Opens everything from this machine; empty where the gateway listens beyond it.
        scheme: What the gateway speaks.
        has_shop: Whether it serves the demo shop.
    """
    gateway = f"{scheme}://{bound['gateway']}"
    places = Table.grid(padding=(0, 3))
    places.add_row("REST", gateway, Text.assemble(("documentation at ", "dim"), f"{gateway}/docs"))
    places.add_row("console", f"{gateway}/console", _dim("every order, its story, and what can be done about it"))
    if has_shop:
        places.add_row("shop", f"{gateway}/shop", _dim("a demo shop: order something as a buyer would"))
    for name in _SERVICES:
        places.add_row("gRPC", bound[name], _dim(f"{name} service, with reflection and health"))
    if "sandbox" in bound:
        sandbox = f"http://{bound['sandbox']}"
        places.add_row("sandbox", sandbox, _dim("Stripe, AvaTax and SendGrid as they would answer"))
        places.add_row("", f"{sandbox}/ledger.html", _dim("every payment, refund, dispute and tax document"))
        places.add_row("", f"{sandbox}/faults.html", _dim("switches that have a provider misbehave"))
        places.add_row("", f"{sandbox}/sendgrid/_sandbox/mailbox.html", _dim("the mails, to read"))
    out = console()
    out.print("\nOrdermesh is ready.\n", style="bold green")
    out.print(places)
    out.print("\nPlace an order (from the project's folder):\n")
    # Not through the console: it is to be copied, so it must not be wrapped.
    out.out(
        f"  curl -sS -X POST {gateway}/api/v1/orders -H 'Idempotency-Key: k1' "
        "-H 'content-type: application/json' -d @examples/order.json\n",
    )
    if development_key:
        out.print(
            'From this machine you need no key; to try one (-H "Authorization: Bearer $ORDERMESH_API_KEY"):\n',
            soft_wrap=True,
        )
        out.out(f"  export ORDERMESH_API_KEY={development_key}\n")
    stop = _dim("Ctrl-C stops everything in good order.")
    out.print(Text.assemble(f"Data lies in {data_dir}. ", stop, "\n"), soft_wrap=True)
    out.file.flush()


def _dim(words: str) -> Text:
    return Text(words, style="dim")
