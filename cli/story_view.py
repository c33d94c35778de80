"""The story of an order as a person reads it: what happened when and why, the money, what is still to be done."""

from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.mail_view import mails
from cli.order_view import order, state
from cli.value_view import Json, is_some, moment, money

# The last of these says why a person has to look at an order.
_REASONS_FOR_REVIEW = (
    ".refused",
    "refund.failed",
    "payment.differs",
    "payment.disputed",
    "hold.expiring",
    "mail.bounced",
)


def reviews(documents: list[Json]) -> RenderableType:
    """Return a table of orders that a person has to look at, with the reason, from documents of ExplainOrder."""
    if not documents:
        return Text("No orders.", style="dim")
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("order", no_wrap=True)
    for heading in ("state", "total", "since", "what is wrong"):
        table.add_column(heading, justify="right" if heading == "total" else "left")
    for document in documents:
        each, reason = document["order"], _reason_for_review(document)
        since = moment(reason["time"]) if reason else "-"
        table.add_row(each["order_id"], each["state"], money(each.get("total")), since, _what_is_wrong(reason))
    return table


def story(document: Json) -> RenderableType:
    """Return the whole story of an order, from the document of ExplainOrder."""
    now = Text.assemble("\nNow: ", state(document["order"]))
    if "next_attempt_time" in document:
        # With its date: a refund that failed is sent again the next day.
        next_at = document["next_attempt_time"]
        now.append(f"; it is looked at next at {next_at[:10]} {clock_time(next_at)}")
    if document["order"]["needs_review"]:
        now.append(f"\n{_what_is_wrong(_reason_for_review(document))}")
        now.append(f"\n`ordermesh order retry {document['order']['order_id']}` takes it up again.")
    return Group(
        order(document["order"]),
        Text("\nWhat happened", style="bold"),
        _events(document["events"]),
        now,
        _money(document["order"]),
        Text("\nWork beside the order", style="bold"),
        _tasks(document["tasks"]),
        Text("\nMails", style="bold"),
        _mails(document),
        *_traces(document),
    )


def _reason_for_review(document: Json) -> Json | None:
    reasons = [event for event in document["events"] if event["kind"].endswith(_REASONS_FOR_REVIEW)]
    return reasons[-1] if reasons else None


def _what_is_wrong(event: Json | None) -> str:
    if event is None:
        return "A person has to look at it."
    reason = event["facts"].get("reason")
    return f"{event['summary']} ({reason})" if reason else str(event["summary"])


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
        what = Text(event["summary"])
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
    payment = order["payment"]
    if is_some(payment.get("captured")):
        what = f"{money(payment['captured'])} was charged"
    elif payment.get("state") == "SUCCEEDED":
        what = f"{money(order['total'])} was charged"
    elif "hold_expire_time" in payment:
        what = f"{money(order['total'])} is held until {moment(payment['hold_expire_time'])}; nothing was charged"
    else:
        what = f"{money(order['total'])} is due; nothing was charged"
    let_go = f", {money(payment['released'])} was let go" if is_some(payment.get("released")) else ""
    back = f", {money(order['refunded'])} was given back" if is_some(order["refunded"]) else ""
    return Text(f"Money: {what}{let_go}{back}.")


def _tasks(tasks: list[Json]) -> RenderableType:
    if not tasks:
        return Text("None.", style="dim")
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("task", "tries", "where it stands"):
        table.add_column(heading)
    for task in tasks:
        table.add_row(task["kind"], str(task["attempts"]), _standing(task))
    return table


def _mails(document: Json) -> RenderableType:
    if "mails_untold" in document:
        return Text(f"They cannot be told: {document['mails_untold']}", style="yellow")
    return mails(document.get("mails", []))


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
