"""The mailbox as a page for people."""

import html
from collections.abc import Sequence
from typing import Any

import orjson

Json = dict[str, Any]

_STYLE = (
    "body{font:16px/1.5 system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere}iframe{width:100%;height:32rem;border:1px solid #ccc}"
    "summary{cursor:pointer}article{border-bottom:1px solid #ccc;padding-bottom:1rem}"
)


def page(mails: Sequence[Json]) -> str:
    """Return the page; a mail's own markup is shown in a frame that may run nothing and fetch nothing of ours."""
    return (
        f"<!doctype html><meta charset=utf-8><title>Sandbox mailbox</title><style>{_STYLE}</style>"
        f"<h1>Sandbox mailbox</h1>{''.join(map(_article, mails)) or '<p>No mail yet.</p>'}"
    )


def _article(mail: Json) -> str:
    subject = mail["subject"] or (f"(template {mail['template_id']})" if mail["template_id"] else "(no subject)")
    parts = [
        f"<h2>{html.escape(subject)}</h2>",
        f"<p>to {html.escape(mail['recipient'])}, {mail['received']}</p>",
    ]
    if mail["text"]:
        parts.append(f"<pre>{html.escape(mail['text'])}</pre>")
    if mail["html"]:
        frame = f'<iframe sandbox srcdoc="{html.escape(mail["html"])}" loading=lazy></iframe>'
        parts.append(f"<details><summary>HTML</summary>{frame}</details>")
    if mail["dynamic_template_data"] is not None:
        data = orjson.dumps(mail["dynamic_template_data"], option=orjson.OPT_INDENT_2).decode()
        parts.append(f"<details><summary>Template data</summary><pre>{html.escape(data)}</pre></details>")
    parts.append(f"<details><summary>Headers</summary><pre>{html.escape(_headers(mail))}</pre></details>")
    return f"<article>{''.join(parts)}</article>"


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
