"""Mails as a person reads of them: what became of each, and why one has not gone out."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.value_view import Json, moment

_WELL = frozenset({"SENT", "DELIVERED"})
_WAITS = frozenset({"ACCEPTED", "DEFERRED"})


def mails(notifications: list[Json]) -> RenderableType:
    """Return a table of mails, from Notification documents."""
    if not notifications:
        return Text("None.", style="dim")
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("mail", "tries", "where it stands"):
        table.add_column(heading, vertical="top")
    for each in notifications:
        table.add_row(_name(each), str(each["attempts"]), _standing(each))
    return table


def mail(document: Json) -> RenderableType:
    """Return a mail and what became of it, from the document of GetNotificationMail."""
    told = [
        Text(f"{moment(each['occur_time'])}  {each['kind']} {each['status']}".rstrip()) for each in document["events"]
    ]
    return Group(
        mails([document["notification"]]),
        Text("\nWhat the mail provider has told", style="bold"),
        *(told or [Text("Nothing yet.", style="dim")]),
        Text(f"\n{document['subject']}", style="bold"),
        Text(document["text"]),
    )


def _name(notification: Json) -> Text:
    name = Text(notification["kind"].replace("_", " ").lower())
    if notification.get("resent_by"):
        name.append(f", sent again by {notification['resent_by']}")
    return name.append(f"\n{notification['notification_id']}", style="dim")


def _standing(notification: Json) -> Text:
    state = notification["state"]
    words = state.replace("_", " ").lower()
    if state == "ACCEPTED":
        words = "not sent yet" if "next_attempt_time" in notification else "not sent, and not tried again"
    if "sent_time" in notification:
        words += f", sent {moment(notification['sent_time'])}"
    if "next_attempt_time" in notification:
        words += f", next try {moment(notification['next_attempt_time'])}"
    style = "green" if state in _WELL else "yellow" if state in _WAITS else "red"
    standing = Text(words, style=style)
    if notification["last_error"]:
        standing.append(f"\n{notification['last_error']}")
    return standing
