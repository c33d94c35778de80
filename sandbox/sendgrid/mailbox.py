"""The mails that were accepted, one copy for each recipient, and how to look into them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sandbox.storage import OF_ORDER, Storage

Json = dict[str, Any]

KIND = "mail"


class Mailbox:
    """All mailboxes of the world, as the sandbox sees it."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def put(self, copy: Json, received: datetime) -> None:
        """Keep one recipient's copy."""
        self._storage.put(
            KIND,
            copy["id"],
            copy,
            created=int(received.timestamp()),
            parent=copy["recipient"].lower(),
            order_id=copy["custom_args"].get("order_id", ""),
        )

    def search(self, recipient: str | None, custom_args: Mapping[str, str], limit: int) -> Sequence[Json]:
        """Return delivered mails, newest first. Wait for `committed` first."""
        where, values = "kind = ?", [KIND]
        if recipient is not None:
            where, values = f"{where} AND parent = ?", [*values, recipient.lower()]
        if "order_id" in custom_args:
            where, values = f"{where} AND {OF_ORDER}", [*values, custom_args["order_id"]]
        found = self._storage.select(f"{where} ORDER BY seq DESC", values)
        wanted = custom_args.items()
        return [mail for mail in found if mail["status"] == "delivered" and wanted <= mail["custom_args"].items()][
            :limit
        ]

    def find(self, custom_args: Mapping[str, str]) -> Sequence[Json]:
        """Return every copy with these custom arguments, whatever became of it, newest first."""
        found = self._storage.select("kind = ? ORDER BY seq DESC", [KIND])
        return [mail for mail in found if custom_args.items() <= mail["custom_args"].items()]


def copies(mail: Json, message_id: str, received: datetime) -> list[Json]:
    """Return a copy of an accepted mail for each recipient, as it would look in the mailbox."""
    result = []
    for number, person in enumerate(mail["personalizations"]):
        contents = {part["type"]: part["value"] for part in mail.get("content", [])}
        swaps = person.get("substitutions", {})
        recipients = [address for name in ("to", "cc", "bcc") for address in person.get(name, ())]
        for position, address in enumerate(recipients):
            result.append(
                {
                    "id": f"{message_id}.{number}.{position}",
                    "message_id": message_id,
                    "recipient": address["email"],
                    "from": person.get("from", mail["from"]),
                    "to": person["to"],
                    "cc": person.get("cc", []),
                    "subject": _swapped(person.get("subject") or mail.get("subject", ""), swaps),
                    "text": _swapped(contents.get("text/plain", ""), swaps),
                    "html": _swapped(contents.get("text/html", ""), swaps),
                    "template_id": mail.get("template_id"),
                    "dynamic_template_data": person.get("dynamic_template_data"),
                    "headers": {**mail.get("headers", {}), **person.get("headers", {})},
                    "attachments": [part["filename"] for part in mail.get("attachments", [])],
                    "custom_args": {**mail.get("custom_args", {}), **person.get("custom_args", {})},
                    "categories": mail.get("categories", []),
                    "received": received.isoformat(),
                    "status": "delivered",
                }
            )
    return result


def _swapped(text: str, swaps: Mapping[str, str]) -> str:
    for tag, value in swaps.items():
        text = text.replace(tag, value)
    return text
