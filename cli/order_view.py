"""Orders as a person reads them, from the documents of the REST API."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli import fulfilment_view
from cli.value_view import Json, is_some, moment, money
from kernel.money import Money

_COLOURS = {
    "AUTHORIZED": "cyan",
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


def state(order: Json) -> Text:
    """Return the state in its colour; marked where a person has to look at the order, or should know something."""
    text = Text(order["state"], style=_COLOURS.get(order["state"], ""))
    if order["needs_review"]:
        text.append(" needs review", style="bold red")
    if order.get("alerts"):
        text.append(" alert", style="yellow")
    return text


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
    """Return what the order costs and what became of it since, or why it failed."""
    failure = order.get("failure")
    if failure:
        return _failure(failure)
    parts = [money(order.get("total"))]
    if shipments := order.get("shipments"):
        arrived = sum("deliver_time" in each for each in shipments)
        parts.append(f"{len(shipments)} shipped" + (f", {arrived} arrived" if arrived else ""))
    if is_some(order["refunded"]):
        parts.append(f"{money(order['refunded'])} given back")
    return ", ".join(parts)


def order(document: Json) -> RenderableType:
    """Return one order in full: head, items, sums, and what became of it since."""
    head = Table.grid(padding=(0, 2))
    for name, value in _facts(document):
        head.add_row(Text(name, style="dim"), value)
    return Group(head, "", sums(document), *fulfilment_view.sections(document))


def _facts(order: Json) -> Iterator[tuple[str, RenderableType]]:
    payment = order.get("payment", {})
    # What `--if-version` takes: the version itself, unless the service names its versions otherwise.
    etag = f", etag {order['etag']}" if order.get("etag", "") not in {"", str(order["version"])} else ""
    yield "order", Text(order["order_id"], style="bold")
    yield "state", state(order)
    yield "placed", moment(order["create_time"])
    yield "changed", f"{moment(order['update_time'])} (version {order['version']}{etag})"
    yield "customer", order["customer"]["customer_id"]
    yield "payment", " ".join(filter(None, (payment.get("payment_method"), payment.get("provider_payment_id"))))
    if money_moved := fulfilment_view.payment(payment):
        yield "money", money_moved
    if "expire_time" in order:
        yield "expires", f"{moment(order['expire_time'])}, unless the customer acts"
    if order.get("reference"):
        yield "reference", order["reference"]
    if order.get("metadata"):
        yield "metadata", "  ".join(f"{name}={value}" for name, value in sorted(order["metadata"].items()))
    if order.get("note"):
        yield "note", order["note"]
    if "failure" in order:
        yield "failed", Text(_failure(order["failure"]), style="red")


def _failure(failure: Json) -> str:
    code = f" ({failure['decline_code']})" if failure["decline_code"] else ""
    return f"{failure['reason']}{code}: {failure['message']}"


def sums(order: Json) -> Table:
    """Return the lines of an order or a quote, and what they come to."""
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
        included = ", included" if order.get("prices_include_tax") else ""
        table.add_row("", f"tax ({order['tax']['source']}{included})", "", "", money(order["tax"]["amount"]))
        table.add_row("", Text("total", style="bold"), "", "", Text(money(order["total"]), style="bold"))
    if is_some(order.get("refunded")):
        table.add_row("", "refunded", "", "", money(order["refunded"]))
    return table
