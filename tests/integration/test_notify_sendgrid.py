"""SendGrid's adapter: what it sends, and what each answer and each silence means."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from kernel.outcome import Done, NotDone, Unknown
from notify_svc.app.ports import Postponed, Refused
from notify_svc.domain.notification import Kind
from notify_svc.domain.sample import sample, samples
from sandbox.schema import SchemaBook
from tests.fakes.http_peer import HttpPeer, saying, silent
from tests.fakes.manual_clock import ManualClock
from tests.fakes.notify_samples import EMAIL, NOW, notification
from tests.fakes.notify_world import API_KEY, sendgrid_at
from tests.fakes.sandbox_world import sandbox_world
from tests.fakes.unused_ports import unused_port

TEMPLATE, GERMAN = "d-" + "0" * 32, "d-" + "1" * 32


def bodies(peer: HttpPeer) -> list[Any]:
    return [orjson.loads(request.partition(b"\r\n\r\n")[2]) for request in peer.requests]


@pytest.mark.parametrize("by_template", [False, True])
async def test_every_kind_of_request_passes_sendgrids_own_description(*, by_template: bool) -> None:
    book = SchemaBook("sendgrid")
    clock = ManualClock()
    templates = {kind.value.lower(): TEMPLATE for kind in Kind} if by_template else {}
    sent = [each for locale in ("en-US", "de-AT", "fr") for each in samples(locale, NOW)]
    async with saying(202) as peer, sendgrid_at(peer.url, clock, templates=templates) as sendgrid:
        for each in sent:
            assert isinstance(await sendgrid.send(each), Done)
        sendgrid._breaker.failed()
        clock.advance(1.0)
        await sendgrid.probe()

    found = bodies(peer)
    assert len(found) == len(sent) + 1
    assert [violation for body in found for violation in book.violations("mail.send", body)] == []
    assert [("template_id" in body, "content" in body) for body in found[:-1]] == [
        (by_template, not by_template)
    ] * len(sent)


async def test_a_template_of_the_shops_at_sendgrid_is_filled_in_with_what_ours_would_be() -> None:
    templates = {"order_refunded": TEMPLATE, "order_refunded.de": GERMAN}
    async with saying(202) as peer, sendgrid_at(peer.url, templates=templates) as sendgrid:
        for kind, locale in (
            (Kind.ORDER_REFUNDED, "en-US"),
            (Kind.ORDER_REFUNDED, "de-AT"),
            (Kind.ORDER_SHIPPED, "de-AT"),
        ):
            await sendgrid.send(sample(kind, locale, NOW))

    english, german, ours = bodies(peer)
    (person,) = german["personalizations"]
    data = person["dynamic_template_data"]
    assert (english["template_id"], german["template_id"]) == (TEMPLATE, GERMAN)
    assert "template_id" not in ours
    assert not {"subject", "content"}.intersection(german)
    assert person["to"] == [{"email": EMAIL, "name": "Ada Lovelace"}]
    assert (data["kind"], data["locale"], data["name"]) == ("order_refunded", "de-AT", "Ada Lovelace")
    assert data["refund"]["amount"] == "€\N{NO-BREAK SPACE}25,98"
    assert data["lines"][3] == {"description": "SUMMER26", "quantity": 1, "amount": "-€\N{NO-BREAK SPACE}5,00"}
    assert API_KEY not in str(german)


async def test_a_mail_carries_ids_and_no_personal_data_where_it_is_echoed() -> None:
    sent = notification()
    async with saying(202, b"", "x-message-id: abc") as peer, sendgrid_at(peer.url) as sendgrid:
        assert await sendgrid.send(sent) == Done("abc")

    head, _, raw = peer.requests[0].partition(b"\r\n\r\n")
    mail = orjson.loads(raw)
    (person,) = mail["personalizations"]
    assert head.startswith(b"POST /v3/mail/send HTTP/1.1\r\n")
    assert f"authorization: Bearer {API_KEY}".encode() in head
    assert person["to"] == [{"email": EMAIL, "name": "Ada"}]
    assert person["custom_args"] == {
        "notification_id": sent.notification_id,
        "order_id": sent.summary.order_id,
    }
    assert mail["from"] == {"email": "orders@shop.example", "name": "The shop"}
    assert [part["type"] for part in mail["content"]] == ["text/plain", "text/html"]
    assert mail["categories"] == ["order-confirmation"]
    assert "mail_settings" not in mail


async def test_a_probe_is_never_delivered_and_goes_to_nobody_but_the_sender() -> None:
    clock = ManualClock()
    async with saying(200) as peer, sendgrid_at(peer.url, clock) as sendgrid:
        sendgrid._breaker.failed()
        clock.advance(1.0)
        await sendgrid.probe()

        assert sendgrid.is_up

    probe = orjson.loads(peer.requests[0].partition(b"\r\n\r\n")[2])
    assert probe["mail_settings"] == {"sandbox_mode": {"enable": True}}
    assert probe["personalizations"] == [{"to": [{"email": "orders@shop.example"}]}]


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_what_is_wrong_with_the_mail_is_final(status: int) -> None:
    async with saying(status) as peer, sendgrid_at(peer.url) as sendgrid:
        outcome = await sendgrid.send(notification())

        assert outcome == NotDone(Refused(f"SendGrid answered {status}"))
        assert sendgrid.is_up


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_what_is_wrong_with_sendgrid_passes(status: int) -> None:
    async with saying(status) as peer, sendgrid_at(peer.url) as sendgrid:
        assert await sendgrid.send(notification()) == NotDone(Postponed(f"SendGrid answered {status}"))
        assert not sendgrid.is_up
        assert sendgrid.pause_seconds() == pytest.approx(0.5)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_is_wrong_with_our_settings_is_not_the_mails_fault_and_is_told(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with saying(status) as peer, sendgrid_at(peer.url) as sendgrid:
        outcome = await sendgrid.send(notification())

        assert outcome == NotDone(Postponed(f"SendGrid answered {status}", retry_after=60.0))
        assert sendgrid.pause_seconds() == pytest.approx(60.0)
    (record,) = [record for record in caplog.records if record.msg == "sendgrid.misconfigured"]
    assert record.levelname == "ERROR"
    assert API_KEY not in str(vars(record))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("retry-after: 7", 7.0), ("retry-after: 86400", 60.0), ("retry-after: soon", None), ("x-other: 1", None)],
)
async def test_the_wait_that_sendgrid_asks_for_is_heeded_within_reason(header: str, seconds: float | None) -> None:
    async with saying(429, b"", header) as peer, sendgrid_at(peer.url) as sendgrid:
        assert await sendgrid.send(notification()) == NotDone(Postponed("SendGrid answered 429", seconds))


async def test_the_moment_from_which_sendgrid_listens_again_is_heeded() -> None:
    clock = ManualClock()
    reset = int((clock.now() + timedelta(seconds=12)).timestamp())
    async with saying(429, b"", f"x-ratelimit-reset: {reset}") as peer, sendgrid_at(peer.url, clock) as sendgrid:
        assert await sendgrid.send(notification()) == NotDone(Postponed("SendGrid answered 429", 12.0))


@pytest.mark.parametrize("status", [200, 204, 301])
async def test_an_answer_that_mail_send_does_not_give_leaves_it_open(status: int) -> None:
    async with saying(status) as peer, sendgrid_at(peer.url) as sendgrid:
        assert await sendgrid.send(notification()) == Unknown(f"SendGrid answered {status}")


async def test_nobody_there_means_that_no_mail_went_out() -> None:
    async with sendgrid_at(f"http://127.0.0.1:{unused_port()}") as sendgrid:
        outcome = await sendgrid.send(notification())

        assert isinstance(outcome, NotDone)
        assert isinstance(outcome.reason, Postponed)
        assert not sendgrid.is_up


async def test_silence_leaves_open_whether_a_mail_went_out() -> None:
    async with HttpPeer(silent) as peer, sendgrid_at(peer.url, timeout_seconds=0.05) as sendgrid:
        assert isinstance(await sendgrid.send(notification()), Unknown)
        assert not sendgrid.is_up


async def test_why_it_was_refused_names_the_field_and_not_the_address() -> None:
    body = orjson.dumps(
        {
            "errors": [
                {"message": f"[{EMAIL}] is a duplicate", "field": "personalizations.0.to"},
                {"message": "x", "field": f"<{EMAIL}>"},
                {"message": "x", "field": None},
            ]
        }
    )
    async with saying(400, body) as peer, sendgrid_at(peer.url) as sendgrid:
        outcome = await sendgrid.send(notification())

    assert outcome == NotDone(Refused("SendGrid answered 400 about personalizations.0.to"))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"errors": null}', b'{"errors": [1]}', b'{"errors": "x"}'])
async def test_a_refusal_in_no_form_is_a_refusal(body: bytes) -> None:
    async with saying(400, body) as peer, sendgrid_at(peer.url) as sendgrid:
        assert await sendgrid.send(notification()) == NotDone(Refused("SendGrid answered 400"))


async def test_a_sender_that_sendgrid_has_not_verified_keeps_mails_waiting(tmp_path: Path) -> None:
    sender = "orders@unverified.example"
    async with sandbox_world(tmp_path) as world, sendgrid_at(f"{world.url}/sendgrid", sender=sender) as sendgrid:
        outcome = await sendgrid.send(notification())

    assert outcome == NotDone(Postponed("SendGrid answered 403 about from", retry_after=60.0))
