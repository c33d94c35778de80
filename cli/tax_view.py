"""Tax documents and addresses as a person reads them, from the documents of the REST API."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.value_view import Json, is_some, moment, money

_ADDRESS = ("line1", "line2", "locality", "administrative_area", "postal_code", "region_code")


def documents(found: list[Json]) -> RenderableType:
    """Return a table of documents."""
    if not found:
        return Text("No documents.", style="dim")
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("document", "kind", "state", "tax", "differs by", "order", "recorded"):
        table.add_column(heading, justify="right" if heading in {"tax", "differs by"} else "left", no_wrap=True)
    for each in found:
        difference = each.get("difference")
        table.add_row(
            each["code"],
            each["kind"],
            each["state"],
            money(each.get("total_tax")),
            Text(money(difference), style="yellow") if is_some(difference) else "-",
            each["order_id"] if each["order_id"] != each["code"] else "the same",
            moment(each["create_time"]) if "create_time" in each else "-",
        )
    return table


def address(answer: Json) -> RenderableType:
    """Return what ResolveAddress says of an address."""
    verdict = Text("It can be used as it is.", style="green") if answer["valid"] else Text("It cannot be used.", "red")
    written = [Text(answer["address"][name]) for name in _ADDRESS if answer.get("address", {}).get(name)]
    remarks = [
        Text(f"{each['field'] or 'address'}: {each['message']}", style="red" if each["error"] else "yellow")
        for each in answer["remarks"]
    ]
    return Group(verdict, *remarks, *written)
