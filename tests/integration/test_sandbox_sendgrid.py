"""SendGrid as an HTTP client sees it, and the mailbox behind it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.fakes.sandbox_world import SENDGRID_KEY, World, mail, sandbox_world
from tests.fakes.webhook_sink import WebhookSink, webhook_sink


@pytest.fixture(scope="module")
async def refusing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world for tests whose requests are all refused: they leave no trace, so one is enough for all of them."""
    async with sandbox_world(tmp_path_factory.mktemp("refusing")) as running:
        yield running


def person(*addresses: str, **more: object) -> dict[str, Any]:
    return {"to": [{"email": address} for address in addresses], **more}


async def test_an_accepted_mail_lies_in_the_mailbox(world: World) -> None:
    answer = await world.send_mail(mail(categories=["confirmation"]))

    assert (answer.status_code, answer.content) == (202, b"")
    [received] = await world.mails(to="Buyer@shop.example")
    assert received["message_id"] == answer.headers["x-message-id"]
    assert (received["subject"], received["text"], received["html"]) == (
        "Your order",
        "Thank you.",
        "<p>Thank you.</p>",
    )
    assert received["custom_args"] == {"order_id": "order-1", "message_id": "m-1"}
    assert received["categories"] == ["confirmation"]
    assert received["received"]
    [entry] = (await world.ledger("order-1"))["mails"]
    assert (entry["recipient"], entry["status"]) == ("buyer@shop.example", "delivered")


async def test_the_mailbox_is_searched_by_recipient_and_custom_args(world: World) -> None:
    for number in range(3):
        people = [person(f"buyer{number % 2}@shop.example", custom_args={"order_id": f"o{number}", "shop": "north"})]
        await world.send_mail(mail(personalizations=people))

    assert len(await world.mails()) == 3
    assert [found["custom_args"]["order_id"] for found in await world.mails(to="buyer0@shop.example")] == ["o2", "o0"]
    assert len(await world.mails(custom_arg="order_id:o1")) == 1
    assert len(await world.mails(custom_arg="shop:north", limit="2")) == 2
    assert await world.mails(custom_arg="order_id:o9") == []
    page = await world.http.get("/sendgrid/_sandbox/mailbox.html", params={"to": "buyer1@shop.example"})
    assert ("buyer1@shop.example" in page.text, "buyer0@shop.example" in page.text) == (True, False)


async def test_the_mailbox_page_shows_mails_as_text_not_as_markup(world: World) -> None:
    await world.send_mail(mail(subject="<script>alert(1)</script>"))

    page = await world.http.get("/sendgrid/_sandbox/mailbox.html")

    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


async def test_each_recipient_has_a_copy(world: World) -> None:
    people = [
        person("a@shop.example", cc=[{"email": "b@shop.example"}], substitutions={"-name-": "A"}),
        person("c@shop.example", subject="For C", substitutions={"-name-": "C"}),
    ]
    await world.send_mail(mail(personalizations=people, content=[{"type": "text/plain", "value": "Dear -name-"}]))

    copies = {found["recipient"]: found for found in await world.mails()}

    assert {name: (found["subject"], found["text"]) for name, found in copies.items()} == {
        "a@shop.example": ("Your order", "Dear A"),
        "b@shop.example": ("Your order", "Dear A"),
        "c@shop.example": ("For C", "Dear C"),
    }


async def test_sandbox_mode_only_validates(world: World) -> None:
    settings = {"sandbox_mode": {"enable": True}}

    answer = await world.send_mail(mail(mail_settings=settings))
    bad = await world.send_mail(mail(mail_settings=settings, personalizations=[]))

    assert (answer.status_code, bad.status_code) == (200, 400)
    assert await world.mails() == []


async def test_a_bounced_mail_does_not_arrive(world: World) -> None:
    answer = await world.send_mail(mail("nobody@bounce.example"))

    assert answer.status_code == 202
    assert await world.mails(to="nobody@bounce.example") == []
    assert [entry["status"] for entry in (await world.ledger())["mails"]] == ["bounced"]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"personalizations": []}, "personalizations", "at least one personalization"),
        ({"personalizations": [{"to": []}]}, "personalizations.0.to", "to array is required"),
        ({"personalizations": [{}]}, "personalizations.0.to", "to array is required"),
        ({"personalizations": [person("nonsense")]}, "personalizations.0.to.0.email", "valid address"),
        ({"personalizations": [person("a@b.example", "A@b.example")]}, "personalizations.0", "unique"),
        (
            {"personalizations": [person("a@b.example", custom_args={"order_id": 1})]},
            "personalizations.0.custom_args.order_id",
            "Invalid type. Expected: string, given: integer.",
        ),
        (
            {"personalizations": [person("a@b.example", custom_args={"k": "v" * 10_000})]},
            "personalizations.0.custom_args",
            "10000 bytes",
        ),
        (
            {"personalizations": [person(*(f"a{n}@b.example" for n in range(600))) for _ in range(2)]},
            "personalizations",
            "too many recipients",
        ),
        ({"from": {"email": "nobody"}}, "from.email", "valid address"),
        ({"from": None}, "from", "Invalid type"),
        ({"subject": ""}, "subject", "at least 1 characters"),
        ({"content": [{"type": "text/plain", "value": ""}]}, "content.0.value", "at least one character"),
        ({"content": []}, "content", "content parameter is required"),
        (
            {"content": [{"type": "text/html", "value": "a"}, {"type": "text/plain", "value": "b"}]},
            "content",
            "text/plain must be the first",
        ),
        ({"content": [{"type": "text/plain", "value": "a"}] * 2}, "content", "provided once"),
        ({"categories": ["a", "a"]}, "categories", "unique"),
        ({"categories": [str(n) for n in range(11)]}, "categories", "at most 10 items"),
        ({"send_at": 4_000_000_000}, "send_at", "72 hours"),
        ({"sbuject": "x"}, None, "Additional property sbuject is not allowed"),
        (
            {"reply_to": {"email": "a@b.example"}, "reply_to_list": [{"email": "c@b.example"}]},
            "reply_to",
            "together",
        ),
        (
            {
                "template_id": "d-1",
                "personalizations": [person("a@b.example", substitutions={"-a-": "b"})],
            },
            "personalizations.0.substitutions",
            "dynamic templating",
        ),
    ],
)
async def test_what_sendgrid_refuses_is_refused_the_same_way(
    refusing: World, change: dict[str, Any], field: str | None, words: str
) -> None:
    answer = await refusing.send_mail(mail(**change))

    first = answer.json()["errors"][0]
    assert (answer.status_code, first["field"]) == (400, field)
    assert words in first["message"]
    assert await refusing.mails() == []


async def test_subject_and_content_may_come_from_elsewhere(world: World) -> None:
    without = {name: part for name, part in mail().items() if name not in {"subject", "content"}}

    bare = await world.send_mail(without)
    template = await world.send_mail({**without, "template_id": "d-1"})

    assert [error["field"] for error in bare.json()["errors"]] == ["subject", "content"]
    assert template.status_code == 202


async def test_an_unverified_sender_is_forbidden(refusing: World) -> None:
    answer = await refusing.send_mail({**mail(), "from": {"email": "shop@unverified.example"}})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (403, "from")


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer sk_test_1"}, {"authorization": "Basic SG.x"}])
async def test_only_a_sendgrid_key_opens_the_door(refusing: World, headers: dict[str, str]) -> None:
    answer = await refusing.http.post("/sendgrid/v3/mail/send", json=mail(), headers=headers)

    assert answer.status_code == 401
    assert answer.json()["errors"][0]["field"] is None


async def test_what_is_no_mail_at_all_is_refused(refusing: World) -> None:
    json = {**SENDGRID_KEY, "content-type": "application/json"}
    broken = await refusing.http.post("/sendgrid/v3/mail/send", content=b"{", headers=json)
    text = await refusing.http.post("/sendgrid/v3/mail/send", content=b"hello", headers=SENDGRID_KEY)
    not_mails: list[object] = [[], 3, "text"]
    bare = [await refusing.send_mail(value) for value in not_mails]
    wrong_method = await refusing.http.get("/sendgrid/v3/mail/send", headers=SENDGRID_KEY)
    nowhere = await refusing.http.get("/sendgrid/v3/nothing", headers=SENDGRID_KEY)

    statuses = [answer.status_code for answer in (broken, text, *bare, wrong_method, nowhere)]
    assert statuses == [400, 415, 400, 400, 400, 405, 404]


async def test_a_huge_mail_is_refused(refusing: World) -> None:
    content = [{"type": "text/plain", "value": "x" * 30_000_000}]

    answer = await refusing.send_mail(mail(content=content))

    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (413, "content too large")


async def test_the_activity_feed_lists_mails_newest_first_and_by_time(world: World) -> None:
    sent = (await world.send_mail(mail())).headers["x-message-id"]
    await world.send_mail(mail("buyer@bounce.example"))

    async def messages(**query: str) -> list[dict[str, Any]]:
        answer = await world.http.get("/sendgrid/v3/messages", params=query, headers=SENDGRID_KEY)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["messages"]
        return found

    bounced, delivered = await messages(limit="10")
    assert (delivered["to_email"], delivered["status"]) == ("buyer@shop.example", "delivered")
    assert delivered["msg_id"].startswith(f"{sent}.")
    assert bounced["status"] == "not_delivered"
    assert len(await messages(limit="1")) == 1
    moment = delivered["last_event_time"]
    assert delivered in await messages(query=f'last_event_time BETWEEN TIMESTAMP "{moment}" AND TIMESTAMP "{moment}"')
    assert await messages(query=f'last_event_time < TIMESTAMP "{moment}"') == []


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"query": "colour=red"}])
async def test_a_feed_query_that_cannot_be_understood_is_refused(world: World, query: dict[str, str]) -> None:
    answer = await world.http.get("/sendgrid/v3/messages", params=query, headers=SENDGRID_KEY)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"]


async def test_the_mailbox_page_shows_markup_in_a_frame_that_may_do_nothing_and_the_headers(world: World) -> None:
    content = [{"type": "text/html", "value": '<b>bold</b>"><script>alert(1)</script>'}]
    await world.send_mail(mail(content=content, headers={"X-Shop": "<north>"}, categories=["confirmation"]))

    page = (await world.http.get("/sendgrid/_sandbox/mailbox.html")).text
    [frame] = re.findall(r'<iframe[^>]* sandbox src="([^"]+)"', page)
    letter = await world.http.get(frame)

    assert "<script>" not in page
    assert "bold" not in page
    assert letter.text == '<b>bold</b>"><script>alert(1)</script>'
    assert letter.headers["content-security-policy"].startswith(
        "default-src 'none'; style-src 'unsafe-inline'; sandbox;"
    )
    assert (await world.http.get("/sendgrid/_sandbox/mailbox/none/letter.html")).status_code == 404
    assert "X-Shop: &lt;north&gt;" in page
    assert "custom_args.order_id: order-1" in page
    assert "From: The shop &lt;orders@shop.example&gt;" in page


async def test_a_dynamic_template_is_taken_and_its_data_shown(world: World) -> None:
    without = {name: part for name, part in mail().items() if name not in {"subject", "content"}}
    people = [person("buyer@shop.example", dynamic_template_data={"total": "€10.99", "lines": [{"quantity": 2}]})]
    answer = await world.send_mail({**without, "personalizations": people, "template_id": "d-1"})

    [received] = await world.mails()
    page = (await world.http.get("/sendgrid/_sandbox/mailbox.html")).text
    assert answer.status_code == 202
    assert (received["template_id"], received["dynamic_template_data"]["total"]) == ("d-1", "€10.99")
    assert "(template d-1)" in page
    assert "€10.99" in page


@pytest.mark.parametrize(
    ("domain", "events", "status"),
    [
        ("shop.example", ["processed", "delivered"], "delivered"),
        ("bounce.example", ["processed", "bounce"], "bounced"),
        ("blocked.example", ["processed", "bounce"], "bounced"),
        ("dropped.example", ["dropped"], "dropped"),
        ("deferred.example", ["processed", "deferred", "deferred", "delivered"], "delivered"),
        ("spam.example", ["processed", "delivered", "spamreport"], "delivered"),
        ("reader.example", ["processed", "delivered", "open", "click"], "delivered"),
    ],
)
async def test_what_becomes_of_a_mail_follows_from_its_domain(
    tmp_path: Path, domain: str, events: list[str], status: str
) -> None:
    async with webhook_sink() as (sink, url), sandbox_world(tmp_path, sendgrid_webhook_url=url) as world:
        await world.send_mail(mail(f"Buyer@{domain.upper()}"))
        told = await told_by(sink, len(events))

        [entry] = (await world.ledger("order-1"))["mails"]
        assert sorted(event["event"] for event in told) == sorted(events)
        assert entry["status"] == status
        if domain in {"bounce.example", "blocked.example"}:
            assert [event["type"] for event in told if "type" in event] == [domain.partition(".")[0]]


async def test_anything_can_happen_to_a_mail_afterwards(tmp_path: Path) -> None:
    async with webhook_sink() as (sink, url), sandbox_world(tmp_path, sendgrid_webhook_url=url) as world:
        sent = (await world.send_mail(mail())).headers["x-message-id"]
        await told_by(sink, 2)
        wanted = {"custom_args": {"message_id": "m-1"}, "events": ["unsubscribe", "bounce"]}
        answer = await world.http.post("/sendgrid/_sandbox/events", json=wanted)
        told = await told_by(sink, 2)

        assert answer.status_code == 200
        assert {event["event"] for event in told} == {"unsubscribe", "bounce"}
        assert {event["sg_message_id"].partition(".")[0] for event in told} == {sent}
        assert await world.mails() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"custom_args": {"order_id": "none"}, "events": ["open"]}, 404),
        ({"custom_args": {}, "events": ["open"]}, 400),
        ({"custom_args": {"order_id": "order-1"}, "events": ["eaten"]}, 400),
        ({"custom_args": {"order_id": "order-1"}}, 400),
        ([], 400),
    ],
)
async def test_what_cannot_happen_is_said(refusing: World, body: object, status: int) -> None:
    answer = await refusing.http.post("/sendgrid/_sandbox/events", json=body)

    assert (answer.status_code, bool(answer.json()["error"])) == (status, True)


async def told_by(sink: WebhookSink, count: int) -> list[dict[str, Any]]:
    """Return so many events."""
    told: list[dict[str, Any]] = []
    while len(told) < count:
        told += orjson.loads((await sink.next()).body)
    return told
