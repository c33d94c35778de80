"""The story of an order as a person reads it: what happened when and why, the money, what is still to be done."""

from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.order_view import money, order, state

Json = dict[str, Any]

# The journal's words, in a sentence. A word that is missing here is shown as it is.
_SENTENCES = {
    "order.placed": "The order was accepted and stored.",
    "tax.quoted": "The tax was worked out.",
    "payment.charged": "The payment went through.",
    "payment.action_required": "The customer has to confirm the payment (3-D Secure).",
    "payment.polled": "The payment was looked at; it still waits for the customer.",
    "payment.expired": "The customer took too long; the payment is given up.",
    "payment.mismatched": "The payment did not match the order; it is given back.",
    "payment.late": "Money had moved after all; it is given back.",
    "order.failed": "The order was given up; nothing stays charged.",
    "quote_tax.retried": "The tax could not be worked out; it is tried again.",
    "charge.retried": "The charge got no clear answer; it is asked for again, under the same key.",
    "read_payment.retried": "The payment could not be looked at; it is tried again.",
    "cancel_payment.retried": "Giving up the payment got no clear answer; it is tried again.",
    "cancel_payment.refused": "The payment could not be given up; a person has to look at it.",
    "refund.retried": "Giving the money back got no clear answer; it is tried again.",
    "refund.refused": "The money could not be given back; a person has to look at it.",
    "mail.accepted": "The confirmation was handed over for sending.",
    "tax.committed": "The tax document was committed.",
}


def story(document: Json) -> RenderableType:
    """Return the whole story of an order, from the document of ExplainOrder."""
    now = Text.assemble("\nNow: ", state(document["order"]))
    if "next_attempt_time" in document:
        now.append(f"; it is looked at next at {clock_time(document['next_attempt_time'])}")
    return Group(
        order(document["order"]),
        Text("\nWhat happened", style="bold"),
        _events(document["events"]),
        now,
        _money(document["order"]),
        Text("\nWork beside the order", style="bold"),
        _tasks(document["tasks"]),
        *_traces(document),
    )


def clock_time(time: str) -> str:
    """Return a time of day to the millisecond: "09:30:05.250Z"."""
    return f"{datetime.fromisoformat(time).time().isoformat('milliseconds')}Z"


def _events(events: list[Json]) -> RenderableType:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("time", "since", "cause", "state", "what"):
        table.add_column(heading, justify="right" if heading == "since" else "left", vertical="top")
    first = datetime.fromisoformat(events[0]["time"]) if events else None
    for event in events:
        since = datetime.fromisoformat(event["time"]) - first if first else None
        facts = "  ".join(f"{name}={value}" for name, value in event["facts"].items())
        what = Text(_SENTENCES.get(event["kind"]) or event["kind"])
        if facts:
            what.append(f"\n{facts}", style="dim")
        table.add_row(
            clock_time(event["time"]),
            f"+{since.total_seconds():.3f} s" if since else "",
            event["cause"],
            event["state"],
            what,
        )
    return table


def _money(order: Json) -> Text:
    if "total" not in order:
        return Text("Money: the total is not worked out yet; nothing was charged.")
    paid = order["payment"].get("state") == "SUCCEEDED"
    what = f"{money(order['total'])} was charged" if paid else f"{money(order['total'])} is due; nothing was charged"
    back = f", {money(order['refunded'])} was given back" if order["refunded"]["minor_units"] else ""
    return Text(f"Money: {what}{back}.")


def _tasks(tasks: list[Json]) -> RenderableType:
    if not tasks:
        return Text("None.", style="dim")
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("task", "tries", "where it stands"):
        table.add_column(heading)
    for task in tasks:
        table.add_row(task["kind"], str(task["attempts"]), _standing(task))
    return table


def _standing(task: Json) -> Text:
    if task["done"]:
        return Text(f"done {task['result']}", style="green")
    when = f"next try at {clock_time(task['next_attempt_time'])}" if "next_attempt_time" in task else "given up"
    error = f" ({task['last_error']})" if task["last_error"] else ""
    return Text(f"{when}{error}", style="yellow" if "next_attempt_time" in task else "red")


def _traces(document: Json) -> list[RenderableType]:
    if not document["trace_ids"]:
        return []
    heading = Text("\nTraces", style="bold").append(
        f" (`ordermesh trace {document['order']['order_id']}` draws them)", style="dim"
    )
    return [heading, *(Text(trace_id, style="dim") for trace_id in document["trace_ids"])]
