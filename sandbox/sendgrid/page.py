"""The mailbox as a page for people."""

from collections.abc import Sequence
from typing import Any

import orjson

from sandbox.exchange import Answer
from sandbox.pages.rendering import headers, policy, render

Json = dict[str, Any]

# A mail is somebody else's page: no scripts, no forms, no pictures, and only within a page of ours.
_LETTERS_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"


def page(mails: Sequence[Json]) -> Answer:
    """Return the page; a mail's own markup is a page of its own, in a frame."""
    shown = [{**mail, "title": _title(mail), "data": _data(mail), "envelope": _headers(mail)} for mail in mails]
    return Answer(200, render("mailbox.html", mails=shown), headers(policy(frames=True)))


def letter(mail: Json | None) -> Answer:
    """Return the markup of a mail alone; it may style itself, and do and load nothing."""
    if mail is None:
        return Answer(404, b"", headers(_LETTERS_POLICY))
    return Answer(200, mail["html"].encode(), headers(_LETTERS_POLICY))


def _title(mail: Json) -> str:
    return mail["subject"] or (f"(template {mail['template_id']})" if mail["template_id"] else "(no subject)")


def _data(mail: Json) -> str:
    data = mail["dynamic_template_data"]
    return "" if data is None else orjson.dumps(data, option=orjson.OPT_INDENT_2).decode()


def _headers(mail: Json) -> str:
    """Return who wrote to whom, and what else stands on the envelope, a line each."""
    lines = {
        "From": _person(mail["from"]),
        "To": ", ".join(map(_person, mail["to"])),
        "Cc": ", ".join(map(_person, mail["cc"])),
        **mail.get("headers", {}),
        "X-Message-Id": mail["message_id"],
        "Categories": ", ".join(mail["categories"]),
        **{f"custom_args.{name}": value for name, value in mail["custom_args"].items()},
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items() if value)


def _person(person: Json) -> str:
    return f"{person['name']} <{person['email']}>" if person.get("name") else str(person["email"])
