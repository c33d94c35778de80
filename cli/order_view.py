"""Orders as a person reads them, from the documents of the REST API."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kernel.money import Money

Json = dict[str, Any]

_COLOURS = {
    "PAID": "green",
    "PROCESSING": "green",
    "SHIPPED": "green",
    "DELIVERED": "green",
    "PENDING": "yellow",
    "PAYMENT_ACTION_REQUIRED": "yellow",
    "FAILED": "red",
    "CANCELLED": "red",
    "REFUNDED": "magenta",
}


def money(document: Json | None) -> str:
    """Return an amount as a person writes it: "10.99 EUR"; a dash where there is none."""
    return "-" if document is None else str(Money(document["currency_code"], document["minor_units"]))


def moment(time: str) -> str:
    """Return a time to the second: "2026-03-01 09:30:05Z"."""
    return f"{time[:10]} {time[11:19]}Z"


def state(order: Json) -> Text:
    """Return the state in its colour; marked where a person has to look at the order."""
    text = Text(order["state"], style=_COLOURS.get(order["state"], ""))
    return text.append(" needs review", style="bold red") if order["needs_review"] else text


def orders(documents: Sequence[Json]) -> RenderableType:
    """Return a table of orders."""
    if not documents:
        return Text("No orders.", style="dim")
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("order", no_wrap=True)
    for heading in ("state", "total", "tax", "customer", "reference", "placed"):
        table.add_column(heading, justify="right" if heading == "total" else "left")
    for each in documents:
        table.add_row(
            each["order_id"],
            state(each),
            money(each.get("total")),
            each["tax"]["source"] if "tax" in each else "-",
            each["customer"]["customer_id"],
            each["reference"] or "-",
            moment(each["create_time"]),
        )
    return table


def line(order: Json) -> RenderableType:
    """Return the order in one line."""
    return Text.assemble(
        (moment(order["update_time"]), "dim"), f"  version {order['version']}  ", state(order), f"  {outline(order)}"
    )


def outline(order: Json) -> str:
    """Return what the order costs, or why it failed."""
    failure = order.get("failure")
    return _failure(failure) if failure else money(order.get("total"))


def order(document: Json) -> RenderableType:
    """Return one order in full: head, items, sums."""
    head = Table.grid(padding=(0, 2))
    for name, value in _facts(document):
        head.add_row(Text(name, style="dim"), value)
    return Group(head, "", _items(document))


def _facts(order: Json) -> list[tuple[str, RenderableType]]:
    payment = order.get("payment", {})
    facts: list[tuple[str, RenderableType]] = [
        ("order", Text(order["order_id"], style="bold")),
        ("state", state(order)),
        ("placed", moment(order["create_time"])),
        ("changed", f"{moment(order['update_time'])} (version {order['version']})"),
        ("customer", order["customer"]["customer_id"]),
        ("payment", " ".join(filter(None, (payment.get("payment_method"), payment.get("provider_payment_id"))))),
    ]
    if order.get("reference"):
        facts.append(("reference", order["reference"]))
    if "failure" in order:
        facts.append(("failed", Text(_failure(order["failure"]), style="red")))
    return facts


def _failure(failure: Json) -> str:
    code = f" ({failure['decline_code']})" if failure["decline_code"] else ""
    return f"{failure['reason']}{code}: {failure['message']}"


def _items(order: Json) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("sku")
    table.add_column("item")
    for heading in ("quantity", "each", "amount"):
        table.add_column(heading, justify="right")
    for item in order["items"]:
        price = Money(item["unit_price"]["currency_code"], item["unit_price"]["minor_units"])
        quantity = item["quantity"]
        table.add_row(item["sku"], item["description"], str(quantity), str(price), str(price * quantity))
    table.add_row("", "subtotal", "", "", money(order["subtotal"]))
    if "tax" in order:
        table.add_row("", f"tax ({order['tax']['source']})", "", "", money(order["tax"]["amount"]))
        table.add_row("", Text("total", style="bold"), "", "", Text(money(order["total"]), style="bold"))
    if order["refunded"]["minor_units"]:
        table.add_row("", "refunded", "", "", money(order["refunded"]))
    return table
