"""Webhooks as a person reads them, from the documents of the REST API."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.value_view import Json, moment

_COLOURS = {"DELIVERED": "green", "PENDING": "yellow", "FAILED": "red"}


def endpoint(document: Json) -> RenderableType:
    """Return one endpoint in full; its secret, in the answer that made it."""
    grid = Table.grid(padding=(0, 2))
    facts = [
        ("endpoint", Text(document["endpoint_id"], style="bold")),
        ("url", Text(document["url"])),
        ("hears of", Text(_events(document))),
        ("state", _state(document)),
        ("made", Text(moment(document["create_time"]))),
    ]
    if document["description"]:
        facts.append(("called", Text(document["description"])))
    if document["secret"]:
        facts.append(("secret", Text(document["secret"], style="bold")))
    for name, value in facts:
        grid.add_row(Text(name, style="dim"), value)
    if not document["secret"]:
        return grid
    return Group(grid, "", Text("Keep the secret now: it is not told again.", style="yellow"))


def endpoints(documents: Sequence[Json]) -> RenderableType:
    """Return a table of endpoints."""
    if not documents:
        return Text("No webhook endpoints.", style="dim")
    table = _table("endpoint", "state", "url", "hears of", "called")
    for each in documents:
        table.add_row(
            each["endpoint_id"], _state(each), Text(each["url"]), _events(each), Text(each["description"] or "-")
        )
    return table


def deliveries(documents: Sequence[Json]) -> RenderableType:
    """Return the delivery log as a table."""
    if not documents:
        return Text("No webhook deliveries.", style="dim")
    table = _table("delivery", "state", "event", "order", "tries", "answer", "next try or error")
    for each in documents:
        table.add_row(
            each["delivery_id"],
            Text(each["state"], style=_COLOURS.get(each["state"], "")),
            each["event_type"],
            each["order_id"],
            str(each["attempts"]),
            str(each["response_status"] or "-"),
            _what_next(each),
        )
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=heading in {"endpoint", "delivery", "order"})
    return table


def _events(document: Json) -> str:
    return ", ".join(document["event_types"]) or "everything"


def _state(document: Json) -> Text:
    return Text("switched off", style="red") if document["disabled"] else Text("on", style="green")


def _what_next(document: Json) -> str:
    planned = f"{moment(document['next_attempt_time'])} " if "next_attempt_time" in document else ""
    return f"{planned}{document['last_error']}".strip() or "-"
