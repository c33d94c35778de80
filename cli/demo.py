"""`ordermesh demo`: four orders on a running mesh, and what becomes of each."""

from collections.abc import Sequence

import click
from rich.table import Table
from rich.text import Text

from cli.config import CliConfig, environment
from cli.console import console
from cli.demo_mesh import DemoMesh
from cli.demo_scenes import SCENES, Told
from cli.failures import Failure
from cli.order_view import state
from cli.progress import progress
from cli.trace import draw, stored
from cli.value_view import money
from kernel.money import Money


@click.command()
def command() -> None:
    """Place four orders on a running mesh with its sandbox, and show what becomes of each.

    One goes through, one is declined, one is placed while AvaTax cannot be reached, one needs 3-D Secure. The waterfall
    of the first is drawn below. Faults that were switched on are switched off again, also on Ctrl-C.
    """
    config = CliConfig.from_env(environment())
    mesh = DemoMesh(config)
    out = console()
    try:
        mesh.check()
        told = placed(mesh)
        out.print(_table(told))
        story = mesh.story(told[0].order["order_id"])
    finally:
        mesh.close()
    out.print("\nWhere the time of the first one went:")
    try:
        spans = stored(story, config.data_dir)
    except Failure as failure:
        out.print(failure.message, style="dim")
    else:
        draw(story, spans, with_attributes=False)


def placed(mesh: DemoMesh) -> list[Told]:
    """Place the orders, one after the other, and return what became of each."""
    done: list[Told] = []
    with progress() as shown:
        for scene in SCENES:
            shown("placing orders", len(done), len(SCENES))
            done.append(scene(mesh))
    return done


def _table(told: Sequence[Told]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("order", "HTTP", "state", "total", "tax from", "charged", "mails"):
        right = heading in {"total", "charged", "mails"}
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading == "order")
    for each in told:
        order = each.order
        table.add_row(
            Text(each.title).append(f"\n{order['order_id']}", style="dim"),
            str(each.status),
            _states(each),
            money(order.get("total")),
            order["tax"]["source"] if "tax" in order else "-",
            _charged(each),
            str(len(each.ledger["mails"])),
        )
    return table


def _states(each: Told) -> Text:
    now = state(each.order)
    if each.first_state != each.order["state"]:
        return Text.assemble((f"{each.first_state}\n", "yellow"), ("then ", "dim"), now)
    if "failure" in each.order:
        now.append(f"\n{each.order['failure']['decline_code'] or each.order['failure']['reason']}", style="dim")
    return now


def _charged(each: Told) -> str:
    charges = [Money(charge["currency"].upper(), charge["amount"]) for charge in each.ledger["charges"]]
    return " + ".join(map(str, charges)) or "nothing"
