"""The notify service as a whole: over gRPC, on the sandbox, with its tables in a file."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ordermesh.notify.v1 import notification_pb2, notify_service_pb2

from chassis.telemetry.setup import SPANS_FILE
from chassis.telemetry.store import SpanStore
from kernel.errors import Reason
from notify_svc.domain.notification import Kind
from tests.fakes.notify_over_grpc import (
    ACCEPTED,
    Service,
    has_failed,
    is_sent,
    notify_service,
)
from tests.fakes.notify_samples import EMAIL, detailed, new_id, send_message
from tests.fakes.sandbox_world import World
from tests.fakes.service_over_grpc import refused
from tests.fakes.smtp_server import smtp_peer

TRACEPARENT = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.fixture
async def service(world: World, tmp_path: Path) -> AsyncIterator[Service]:
    async with notify_service(world, tmp_path) as service:
        yield service


async def test_a_confirmation_is_accepted_and_then_in_the_mailbox(service: Service) -> None:
    order_id = new_id()

    accepted = await service.send(send_message("key-1", order_id=order_id))
    sent = await service.until(accepted.notification_id, is_sent)

    (mail,) = await service.world.mails(to=EMAIL)
    assert accepted.state == ACCEPTED
    assert (sent.attempts, sent.provider_message_id) == (1, mail["message_id"])
    assert mail["custom_args"] == {"notification_id": sent.notification_id, "order_id": order_id}
    for part in ("text", "html"):
        assert all(fact in mail[part] for fact in ("Blue mug", "€21.98", "€4.18", "€26.16", order_id))


@pytest.mark.parametrize("kind", Kind)
async def test_every_kind_of_mail_arrives_in_the_language_asked_for(service: Service, kind: Kind) -> None:
    request = detailed("key-1", notification_pb2.NotificationKind.Value(f"NOTIFICATION_KIND_{kind.name}"))
    request.locale = "de-AT"
    accepted = await service.send(request)
    sent = await service.until(accepted.notification_id, is_sent)

    (mail,) = await service.world.mails(to=EMAIL)
    assert (sent.kind, sent.locale, sent.request_id) == (request.kind, "de-AT", "key-1")
    assert mail["categories"] == [kind.name.lower().replace("_", "-")]
    assert "Guten Tag Ada," in mail["text"]
    assert "€\N{NO-BREAK SPACE}" in mail["html"]


async def test_a_kind_without_its_details_is_refused_by_field_and_not_stored(service: Service) -> None:
    request = send_message("key-1")
    request.kind = notification_pb2.NOTIFICATION_KIND_ORDER_SHIPPED

    refusal = await refused(service.send(request))

    assert (refusal.reason, [each.field for each in refusal.fields]) == (Reason.VALIDATION_FAILED, ["shipment"])
    assert not (await service.list()).notifications


async def test_a_locale_that_nobody_knows_is_written_in_the_shops_own(world: World, tmp_path: Path) -> None:
    async with notify_service(world, tmp_path, MAIL_LOCALE="de_DE") as service:
        request = send_message("key-1")
        request.locale = "xx-YY"
        accepted = await service.send(request)
        await service.until(accepted.notification_id, is_sent)

    (mail,) = await world.mails()
    assert accepted.locale == "de-DE"
    assert "bestätigt" in mail["subject"]


async def test_a_preview_sends_and_stores_nothing(service: Service) -> None:
    request = notify_service_pb2.PreviewNotificationRequest(
        kind=notification_pb2.NOTIFICATION_KIND_ORDER_REFUNDED, locale="de-CH"
    )
    preview = await service.stub.PreviewNotification(request)

    assert (preview.locale, "Erstattung" in preview.subject) == ("de-CH", True)
    assert preview.text.startswith("Guten Tag")
    assert preview.html.startswith("<!doctype html>")
    assert not (await service.list()).notifications
    assert await service.world.mails() == []


async def test_a_preview_shows_the_order_that_is_given(service: Service) -> None:
    given = detailed()
    request = notify_service_pb2.PreviewNotificationRequest(
        kind=given.kind, order=given.order, shipment=given.shipment, locale="xx"
    )
    preview = await service.stub.PreviewNotification(request)
    request.order.total.minor_units += 1
    refusal = await refused(service.stub.PreviewNotification(request))

    assert preview.locale == "en-US"
    assert "https://t.example/T1" in preview.text
    assert given.order.order_id in preview.subject
    assert [each.field for each in refusal.fields] == ["order.total"]


async def test_repeating_it_makes_no_second_mail_and_another_body_is_refused(service: Service) -> None:
    request = send_message("key-1")
    first = await service.send(request)
    again = await service.send(request)
    await service.until(first.notification_id, is_sent)
    request.recipient_name = "Somebody else"
    refusal = await refused(service.send(request))

    assert again.notification_id == first.notification_id
    assert refusal.reason is Reason.REQUEST_ID_REUSED
    assert len(await service.world.mails()) == 1


async def test_twenty_at_once_with_one_key_are_one_mail(service: Service) -> None:
    request = send_message("key-1")

    found = await asyncio.gather(*(service.send(request) for _ in range(20)))
    await service.until(found[0].notification_id, is_sent)

    assert len({each.notification_id for each in found}) == 1
    assert len(await service.world.mails()) == 1


async def test_while_sendgrid_is_down_it_is_accepted_and_exactly_one_mail_arrives_afterwards(service: Service) -> None:
    await service.world.fault("sendgrid", mode="outage")
    accepted = [await service.send(send_message(f"key-{number}")) for number in range(5)]
    await service.until(accepted[0].notification_id, has_failed)
    assert await service.world.mails() == []

    await service.world.http.delete("/faults")
    for each in accepted:
        await service.until(each.notification_id, is_sent)

    mails = await service.world.mails()
    assert sorted(mail["custom_args"]["notification_id"] for mail in mails) == sorted(
        each.notification_id for each in accepted
    )


async def test_what_was_accepted_is_sent_after_a_restart(world: World, tmp_path: Path) -> None:
    await world.fault("sendgrid", mode="error", status=503)
    async with notify_service(world, tmp_path) as service:
        accepted = await service.send(send_message("key-1"))
        await service.until(accepted.notification_id, has_failed)
    await world.http.delete("/faults")

    async with notify_service(world, tmp_path) as service:
        await service.until(accepted.notification_id, is_sent)

    assert len(await world.mails()) == 1


@pytest.mark.postgres
async def test_two_replicas_on_postgresql_send_each_mail_once(world: World, tmp_path: Path, postgres_url: str) -> None:
    await world.fault("sendgrid", mode="error", status=503, times=2)
    shared = {"ORDERMESH_DATABASE_URL": postgres_url}
    async with (
        notify_service(world, tmp_path / "one", **shared) as one,
        notify_service(world, tmp_path / "other", **shared) as other,
    ):
        accepted = [await (one, other)[number % 2].send(send_message(f"key-{number}")) for number in range(20)]
        for each in accepted:
            await one.until(each.notification_id, is_sent)

    mails = [mail["custom_args"]["notification_id"] for mail in await world.mails()]
    assert sorted(mails) == sorted(each.notification_id for each in accepted)


async def test_notifications_are_listed_newest_first_page_by_page(service: Service) -> None:
    accepted = [(await service.send(send_message(f"key-{number}"))).notification_id for number in range(5)]

    first = await service.list(page_size=3)
    second = await service.list(page_size=3, page_token=first.next_page_token)

    listed = [each.notification_id for page in (first, second) for each in page.notifications]
    assert listed == accepted[::-1]
    assert second.next_page_token == ""


async def test_the_notifications_of_one_order_are_listed(service: Service) -> None:
    order_id = new_id()
    await service.send(send_message("key-1"))
    wanted = await service.send(send_message("key-2", order_id=order_id))

    (found,) = (await service.list(order_id=order_id)).notifications

    assert found.notification_id == wanted.notification_id


async def test_what_is_not_there_or_not_asked_properly_is_refused(service: Service) -> None:
    missing = await refused(service.get("0192f3c4-0000-7000-8000-000000000000"))
    token = await refused(service.list(page_token="somebody's"))
    email = await refused(service.send(send_message("key-1", email="nobody")))

    assert (missing.reason, missing.metadata) == (
        Reason.NOTIFICATION_NOT_FOUND,
        {"notificationId": "0192f3c4-0000-7000-8000-000000000000"},
    )
    assert [each.field for each in token.fields] == ["page_token"]
    assert [each.field for each in email.fields] == ["recipient_email"]


async def test_a_mail_has_a_trace_of_its_own_linked_to_the_callers(world: World, tmp_path: Path) -> None:
    async with notify_service(world, tmp_path) as service:
        accepted = await service.send(send_message("key-1"), (("traceparent", TRACEPARENT),))
        await service.until(accepted.notification_id, is_sent)

    store = SpanStore(tmp_path / SPANS_FILE)
    try:
        asked = store.trace("a" * 32)
        (server,) = [span for span in asked if span.name.endswith("/SendNotification")]
        (mailing,) = [span for span in store.going_on_from(["a" * 32]) if span.name == "send mail"]
    finally:
        store.close()
    assert mailing.links == (("a" * 32, server.span_id),)
    assert mailing.attributes["ordermesh.outcome"] == "sent"
    assert mailing.attributes["ordermesh.order.id"] == server.attributes["ordermesh.order.id"] == accepted.order_id


def stored_spans(data_dir: Path) -> bytes:
    """Return the bytes of the span store, in which spans are plain JSON."""
    return b"".join(file.read_bytes() for file in data_dir.glob(f"{SPANS_FILE}*"))


async def test_no_log_line_and_no_span_holds_the_recipient(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await world.fault("sendgrid", mode="error", status=400, times=1)
    async with notify_service(world, tmp_path) as service:
        for key in ("key-1", "key-2"):
            accepted = await service.send(send_message(key))
            await service.until(accepted.notification_id, lambda each: each.state != ACCEPTED)

    spans = stored_spans(tmp_path)
    assert b"send mail" in spans
    for secret in (EMAIL, "1 Main St", "Blue mug", "SG.sandbox"):
        assert secret not in caplog.text
        assert secret.encode() not in spans


async def test_the_mails_that_sendgrid_took_are_listed_without_personal_data(service: Service) -> None:
    sent = [await service.send(send_message(f"key-{number}")) for number in range(3)]
    told = [await service.until(each.notification_id, lambda now: bool(now.provider_message_id)) for each in sent]

    async def page(token: str) -> notify_service_pb2.ListProviderMailsResponse:
        request = notify_service_pb2.ListProviderMailsRequest(page_size=2, page_token=token)
        answer: notify_service_pb2.ListProviderMailsResponse = await service.stub.ListProviderMails(request)
        return answer

    first = await page("")
    rest = await page(first.next_page_token)

    found = [*first.mails, *rest.mails]
    assert rest.next_page_token == ""
    assert {mail.provider_message_id for mail in found} == {each.provider_message_id for each in told}
    assert len(found) == 3
    assert EMAIL not in str(found)


async def test_an_account_without_the_activity_feed_is_told_as_such(service: Service) -> None:
    await service.world.fault("sendgrid", mode="error", status=403, operation="messages.list")

    refusal = await refused(service.stub.ListProviderMails(notify_service_pb2.ListProviderMailsRequest()))

    assert refusal.reason is Reason.PROVIDER_REFUSED
    assert "no activity feed" in refusal.message


async def test_mail_goes_out_by_smtp_and_no_list_of_it_is_to_be_had(world: World, tmp_path: Path) -> None:
    async with smtp_peer() as peer:
        peer.script("RCPT", "550 5.1.1 no such user")
        smtp = {"MAIL_TRANSPORT": "smtp", "SMTP_HOST": "localhost", "SMTP_PORT": str(peer.port), "SMTP_TLS": "off"}
        async with notify_service(world, tmp_path, **smtp) as service:
            given_up = await service.send(send_message("key-1"))
            await service.until(given_up.notification_id, lambda now: now.state != ACCEPTED)
            (news,) = (await service.news()).notifications
            accepted = await service.send(send_message("key-2"))
            sent = await service.until(accepted.notification_id, is_sent)
            refusal = await refused(service.stub.ListProviderMails(notify_service_pb2.ListProviderMailsRequest()))

    (mail,) = peer.mails
    assert (news.notification_id, news.state) == (
        given_up.notification_id,
        notification_pb2.NOTIFICATION_STATE_UNDELIVERABLE,
    )
    assert mail["Message-ID"] == f"<{sent.provider_message_id}>"
    assert (refusal.reason, refusal.metadata) == (Reason.PROVIDER_REFUSED, {"provider": "smtp"})
    assert await world.mails() == []
