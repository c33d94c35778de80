"""What became of an order after it was placed, as a person reads it: the payment, shipments, refunds, alerts."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli.value_view import Json, is_some, moment, money, quantities

_REFUND_COLOURS = {"SUCCEEDED": "green", "PENDING": "yellow", "FAILED": "red"}


def payment(document: Json) -> str:
    """Return what was done with the customer's money, from the document of an order's payment; may be empty."""
    parts = []
    if is_some(document.get("captured")):
        parts.append(f"{money(document['captured'])} taken")
    if is_some(document.get("released")):
        parts.append(f"{money(document['released'])} let go")
    if "hold_expire_time" in document:
        parts.append(f"held, can be taken until {moment(document['hold_expire_time'])}")
    if document.get("decline_code"):
        parts.append(f"declined: {document['decline_code']}")
    return ", ".join(parts)


def sections(order: Json) -> Iterator[RenderableType]:
    """Yield a heading and a table for each kind of thing that there is."""
    disputes = order.get("payment", {}).get("disputes", [])
    for name, found, table in (
        ("Shipments", order.get("shipments"), _shipments),
        ("Refunds", order.get("refunds"), _refunds),
        ("Disputes", disputes, _disputes),
        ("Alerts", order.get("alerts"), _alerts),
    ):
        if found:
            yield Text(f"\n{name}", style="bold")
            yield table(found)


def _shipments(shipments: list[Json]) -> Table:
    table = _table("", "items", "carrier", "tracking", "handed over", "arrived")
    for each in shipments:
        tracking = " ".join(filter(None, (each["tracking_number"], each["tracking_url"])))
        arrived = moment(each["deliver_time"]) if "deliver_time" in each else "on its way"
        table.add_row(
            each["shipment_id"],
            quantities(each["items"]),
            each["carrier"] or "-",
            tracking or "-",
            moment(each["ship_time"]) if "ship_time" in each else "-",
            arrived,
        )
    return table


def _refunds(refunds: list[Json]) -> Table:
    table = _table("", "amount", "of it tax", "state", "for", "at Stripe", "asked for", "why")
    for each in refunds:
        why = [each["reason"], each["failure_reason"], "made outside of Ordermesh" if each["external"] else ""]
        table.add_row(
            each["refund_id"],
            money(each.get("amount")),
            money(each.get("tax")),
            Text(each["state"], style=_REFUND_COLOURS.get(each["state"], "")),
            quantities(each["items"]) or "an amount",
            each["provider_refund_id"] or "-",
            moment(each["create_time"]) if "create_time" in each else "-",
            "; ".join(filter(None, why)) or "-",
        )
    return table


def _disputes(disputes: list[Json]) -> Table:
    table = _table("opened", "amount", "state", "why", "evidence until", "at Stripe")
    for each in disputes:
        table.add_row(
            moment(each["create_time"]) if "create_time" in each else "-",
            money(each.get("amount")),
            Text(each["state"], style="" if each["state"] in {"WON", "LOST"} else "yellow"),
            each["reason"] or "-",
            moment(each["evidence_due_time"]) if "evidence_due_time" in each else "-",
            each["provider_dispute_id"],
        )
    return table


def _alerts(alerts: list[Json]) -> Table:
    table = _table("noticed", "what", "about", "")
    for each in alerts:
        table.add_row(
            moment(each["create_time"]) if "create_time" in each else "-",
            Text(each["kind"], style="yellow"),
            each["subject"] or "-",
            each["message"],
        )
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in {"amount", "of it tax"} else "left", vertical="top")
    return table
