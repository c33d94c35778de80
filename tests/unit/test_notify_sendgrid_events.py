"""Whether a batch of events is SendGrid's, and what it says."""

import json
from datetime import UTC, datetime

import pytest

from kernel.errors import Reason, Refusal
from notify_svc.adapters.sendgrid_events import SendgridEvents, public_key
from tests.fakes.manual_clock import ManualClock
from tests.fakes.notify_signing import SendgridKey, batch, raw_event

KEY = SendgridKey()
CLOCK = ManualClock()
NOW = int(CLOCK.now().timestamp())
DESK = SendgridEvents(public_key(KEY.public), CLOCK)


def refusal(payload: bytes, signature: str, timestamp: str, desk: SendgridEvents = DESK) -> Refusal:
    with pytest.raises(Refusal) as refused:
        desk.open(payload, signature, timestamp)
    return refused.value


def test_a_signed_batch_is_read() -> None:
    payload = batch(raw_event("delivered", "n-1"), raw_event("bounce", "n-2", "event-2", status="5.1.1"))

    delivered, bounce = DESK.open(payload, KEY.sign(str(NOW), payload), str(NOW))

    assert (delivered.event_id, delivered.kind, delivered.notification_id) == ("event-1", "delivered", "n-1")
    assert delivered.message_id == "message-1"
    assert delivered.occurred_at == datetime.fromtimestamp(1_795_435_203, UTC)
    assert (bounce.kind, bounce.status) == ("bounce", "5.1.1")


def test_a_batch_of_sendgrids_own_published_example_is_genuine() -> None:
    # Key, signature, time and body of the example in SendGrid's own libraries (MIT).
    key = (
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eN"
        "Ec6wEA3F+g=="
    )
    signature = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
    example = {
        "email": "hello@world.com",
        "event": "dropped",
        "reason": "Bounced Address",
        "sg_event_id": "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",
        "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
        "smtp-id": "<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",
        "timestamp": 1600112492,
    }
    payload = json.dumps([example], sort_keys=True, separators=(",", ":")).encode() + b"\r\n"
    then = ManualClock(datetime.fromtimestamp(1600112502, UTC))

    (event,) = SendgridEvents(public_key(key), then).open(payload, signature, "1600112502")

    assert (event.kind, event.message_id) == ("dropped", "LRzXl_NHStOGhQ4kofSm_A")


@pytest.mark.parametrize(
    ("raw", "kind", "status"),
    [
        (raw_event("bounce", type="bounce", status="5.1.1"), "bounce", "5.1.1"),
        (raw_event("bounce", type="blocked", status="4.7.1"), "blocked", "4.7.1"),
        (raw_event("bounce"), "bounce", ""),
        (raw_event("dropped", reason="Bounced Address", status="5.0.0"), "dropped", "Bounced Address"),
        (raw_event("dropped", reason="Spam Content (if Spam Checker app is enabled)"), "dropped", "Spam Content"),
        (raw_event("dropped", reason="ada@example.com is unknown"), "dropped", ""),
        (raw_event("delivered", type="blocked"), "delivered", ""),
    ],
)
def test_what_kept_a_mail_away_is_kept_without_anybodys_address(raw: dict[str, object], kind: str, status: str) -> None:
    payload = batch(raw)

    (event,) = DESK.open(payload, KEY.sign(str(NOW), payload), str(NOW))

    assert (event.kind, event.status) == (kind, status)


def test_a_changed_payload_is_not_sendgrids() -> None:
    payload = batch(raw_event("delivered"))
    signature = KEY.sign(str(NOW), payload)

    assert refusal(payload.replace(b"delivered", b"bounce"), signature, str(NOW)).reason is Reason.SIGNATURE_INVALID
    assert refusal(payload + b"\n", signature, str(NOW)).reason is Reason.SIGNATURE_INVALID


def test_a_changed_timestamp_is_not_sendgrids() -> None:
    payload = batch(raw_event("delivered"))

    refused = refusal(payload, KEY.sign(str(NOW), payload), str(NOW + 1))

    assert refused.reason is Reason.SIGNATURE_INVALID
    assert [each.field for each in refused.fields] == ["signature"]


def test_somebody_elses_key_is_not_sendgrids() -> None:
    payload = batch(raw_event("delivered"))

    assert refusal(payload, SendgridKey().sign(str(NOW), payload), str(NOW)).reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("signature", ["", "not base64!", "AAAA", "ü", "MEUCIQ==", "A" * 500])
def test_what_is_no_signature_is_refused(signature: str) -> None:
    assert refusal(batch(), signature, str(NOW)).reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("seconds", [-301, 301, 10**9, -(10**9)])
def test_a_batch_signed_too_long_ago_or_ahead_is_refused(seconds: int) -> None:
    payload, timestamp = batch(raw_event("delivered")), str(NOW + seconds)

    refused = refusal(payload, KEY.sign(timestamp, payload), timestamp)

    assert refused.reason is Reason.SIGNATURE_INVALID
    assert [each.field for each in refused.fields] == ["timestamp"]


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_batch_signed_a_while_ago_is_read(seconds: int) -> None:
    payload, timestamp = batch(raw_event("delivered")), str(NOW + seconds)

    assert len(DESK.open(payload, KEY.sign(timestamp, payload), timestamp)) == 1


@pytest.mark.parametrize("timestamp", ["", "now", "1e9", "-1", "١٧٩٥", " 1", "9" * 20])
def test_what_is_no_time_is_refused(timestamp: str) -> None:
    payload = batch(raw_event("delivered"))

    assert refusal(payload, KEY.sign(timestamp, payload), timestamp).reason is Reason.SIGNATURE_INVALID


def test_without_a_key_everything_is_refused() -> None:
    payload = batch(raw_event("delivered"))

    refused = refusal(payload, KEY.sign(str(NOW), payload), str(NOW), SendgridEvents(None, CLOCK))

    assert refused.reason is Reason.SIGNATURE_INVALID
    assert "SENDGRID_WEBHOOK_PUBLIC_KEY" in refused.message


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"{}",
        b"null",
        b"[1]",
        b"[null]",
        b"\xff",
        batch({"event": "delivered", "timestamp": 1}),
        batch({"sg_event_id": "e", "timestamp": 1}),
        batch({"sg_event_id": "e", "event": "delivered"}),
        batch(raw_event("delivered", timestamp="yesterday")),
        batch(raw_event("delivered", timestamp=10**30)),
        batch(raw_event("x" * 33)),
        batch(raw_event("delivered", event_id="e" * 101)),
    ],
)
def test_a_signed_batch_that_is_none_is_refused_by_field(payload: bytes) -> None:
    refused = refusal(payload, KEY.sign(str(NOW), payload), str(NOW))

    assert refused.reason is Reason.VALIDATION_FAILED
    assert refused.fields[0].field.startswith("payload")


def test_an_event_of_a_mail_that_is_none_of_ours_is_read_without_an_id() -> None:
    stranger = raw_event("open")
    del stranger["notification_id"], stranger["sg_message_id"]
    payload = batch(stranger)

    (event,) = DESK.open(payload, KEY.sign(str(NOW), payload), str(NOW))

    assert (event.notification_id, event.message_id) == ("", "")
