"""What SendGrid tells of mails, over gRPC: signed, stored, shown, and news until it is acknowledged."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ordermesh.notify.v1 import notify_service_pb2

from kernel.clock import SystemClock
from kernel.errors import Reason
from tests.fakes.notify_over_grpc import (
    ACCEPTED,
    BOUNCED,
    DELIVERED,
    SENT,
    Service,
    has_failed,
    is_sent,
    notify_service,
)
from tests.fakes.notify_samples import EMAIL, new_id, send_message
from tests.fakes.notify_signing import SendgridKey, batch, raw_event
from tests.fakes.sandbox_world import World, sandbox_world
from tests.fakes.service_over_grpc import refused
from tests.fakes.webhook_sink import webhook_sink


@pytest.fixture
async def service(world: World, tmp_path: Path) -> AsyncIterator[Service]:
    async with notify_service(world, tmp_path) as service:
        yield service


async def test_a_bounce_is_news_until_it_is_acknowledged(world: World, tmp_path: Path) -> None:
    key = SendgridKey()
    async with notify_service(world, tmp_path, SENDGRID_WEBHOOK_PUBLIC_KEY=key.public) as service:
        accepted = await service.send(send_message("key-1"))
        await service.until(accepted.notification_id, is_sent)
        await service.told(key, raw_event("bounce", accepted.notification_id))

        (told,) = (await service.news()).notifications
        assert (told.notification_id, told.state) == (accepted.notification_id, BOUNCED)
        full = await service.news(page_size=1)
        assert list(full.notifications) == [told]
        assert full.next_page_token
        assert not (await service.news(page_token=full.next_page_token)).notifications
        await service.acknowledge(told.notification_id, told.version - 1)
        assert (await service.news()).notifications
        for _ in range(2):
            await service.acknowledge(told.notification_id, told.version)
            assert not (await service.news()).notifications
        missing = await refused(service.acknowledge(new_id(), 1))

    assert missing.reason is Reason.NOTIFICATION_NOT_FOUND


async def test_a_mail_is_shown_with_what_the_provider_told_of_it_and_sent_again(world: World, tmp_path: Path) -> None:
    key = SendgridKey()
    async with notify_service(world, tmp_path, SENDGRID_WEBHOOK_PUBLIC_KEY=key.public) as service:
        accepted = await service.send(send_message("key-1"))
        await service.until(accepted.notification_id, is_sent)
        await service.told(key, raw_event("bounce", accepted.notification_id))
        shown = await service.stub.GetNotificationMail(
            notify_service_pb2.GetNotificationMailRequest(notification_id=accepted.notification_id)
        )
        asked = notify_service_pb2.ResendNotificationRequest(
            request_id="again", notification_id=accepted.notification_id
        )
        resent = (await service.stub.ResendNotification(asked)).notification
        await service.until(resent.notification_id, is_sent)
        provider = await service.stub.GetMailProvider(notify_service_pb2.GetMailProviderRequest())

    first, second = await world.mails(to=EMAIL)
    assert (shown.notification.state, [event.kind for event in shown.events]) == (BOUNCED, ["bounce"])
    assert (shown.subject, shown.text, shown.html) == (first["subject"], first["text"], first["html"])
    assert (second["text"], second["to"]) == (first["text"], first["to"])
    assert (resent.resent_from, resent.resent_by) == (accepted.notification_id, "local")
    assert (provider.health.provider, provider.health.calls, provider.health.failed_calls) == ("sendgrid", 2, 0)
    assert provider.backlog.waiting == 0


async def test_an_event_about_a_mail_whose_answer_was_lost_settles_it(world: World, tmp_path: Path) -> None:
    key = SendgridKey()
    await world.fault("sendgrid", mode="lost_answer", operation="mail.send", times=1)
    async with notify_service(world, tmp_path, SENDGRID_WEBHOOK_PUBLIC_KEY=key.public) as service:
        accepted = await service.send(send_message("key-1"))
        lost = await service.until(accepted.notification_id, has_failed)
        await service.told(key, raw_event("open", accepted.notification_id))
        settled = await service.get(accepted.notification_id)

    assert (lost.state, lost.HasField("next_attempt_time")) == (ACCEPTED, True)
    assert (settled.state, settled.HasField("next_attempt_time")) == (SENT, False)
    assert settled.provider_message_id == "message-1"
    assert len(await world.mails()) == 1


async def test_sendgrids_signed_events_tell_what_became_of_a_mail(tmp_path: Path) -> None:
    async with webhook_sink() as (sink, url), sandbox_world(tmp_path / "sandbox", sendgrid_webhook_url=url) as world:
        key = (await world.http.get("/sendgrid/_sandbox/public_key")).json()["public_key"]
        async with notify_service(world, tmp_path, SENDGRID_WEBHOOK_PUBLIC_KEY=key) as service:
            for email, state in ((EMAIL, DELIVERED), ("nobody@bounce.example", BOUNCED)):
                accepted = await service.send(send_message(f"key-{email}", email=email))
                await service.until(accepted.notification_id, is_sent)
                told = 0
                while told < 2:
                    delivery = await sink.next()
                    arguments = (
                        delivery.body,
                        delivery.headers["x-twilio-email-event-webhook-signature"],
                        delivery.headers["x-twilio-email-event-webhook-timestamp"],
                    )
                    answer = await service.ingest(*arguments)
                    told += answer.accepted
                    assert (await service.ingest(*arguments)).duplicates == answer.accepted

                assert (await service.get(accepted.notification_id)).state == state


async def test_a_batch_with_a_bad_signature_changes_nothing(world: World, tmp_path: Path) -> None:
    key = SendgridKey()
    async with notify_service(world, tmp_path, SENDGRID_WEBHOOK_PUBLIC_KEY=key.public) as service:
        accepted = await service.send(send_message("key-1"))
        await service.until(accepted.notification_id, is_sent)
        payload = batch(raw_event("bounce", accepted.notification_id))
        now = str(int(SystemClock().now().timestamp()))

        refusal = await refused(service.ingest(payload, SendgridKey().sign(now, payload), now))
        assert refusal.reason is Reason.SIGNATURE_INVALID
        assert (await service.get(accepted.notification_id)).state == SENT

        assert (await service.ingest(payload, key.sign(now, payload), now)).accepted == 1
        assert (await service.get(accepted.notification_id)).state == BOUNCED


async def test_without_a_key_every_batch_is_refused(world: World, tmp_path: Path) -> None:
    # Any address that is not the sandbox's own brings no key along.
    elsewhere = {"SENDGRID_BASE_URL": "http://127.0.0.1:9", "SENDGRID_API_KEY": "SG.of-this-test"}
    async with notify_service(world, tmp_path, **elsewhere) as service:
        refusal = await refused(service.ingest(b"[]", "AAAA", "1"))

    assert refusal.reason is Reason.SIGNATURE_INVALID
    assert "SENDGRID_WEBHOOK_PUBLIC_KEY" in refusal.message


async def test_the_largest_batch_that_the_contract_allows_is_judged_and_not_cut_off(
    world: World, tmp_path: Path
) -> None:
    async with notify_service(world, tmp_path) as service:
        refusal = await refused(service.ingest(b" " * 1_048_576, "AAAA", "1"))

    assert refusal.reason is Reason.SIGNATURE_INVALID
