"""Which webhooks are genuine, and what they are about."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe import WebhookSignature

from chassis.config import Secret
from kernel.errors import Reason, Refusal
from payment_svc.adapters.stripe_events import StripeEvents
from payment_svc.app.ports import ProviderEvent

_NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_SECRET = "whsec_one"
_EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "livemode": False,
    "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
}
_READ = ProviderEvent("evt_1", "payment_intent.succeeded", "pi_1")


def reader(*secrets: str, live: bool = False) -> StripeEvents:
    return StripeEvents([Secret(each) for each in secrets or (_SECRET,)], live=live)


def signed(payload: bytes, secret: str = _SECRET, at: datetime = _NOW) -> str:
    timestamp = int(at.timestamp())
    digest = hmac.new(secret.encode(), b"%d.%s" % (timestamp, payload), hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def event(**changes: object) -> bytes:
    return json.dumps({**_EVENT, **changes}).encode()


def refused(payload: bytes, signature: str, *secrets: str) -> Reason:
    with pytest.raises(Refusal) as error:
        reader(*secrets).read(payload, signature, _NOW)
    return error.value.reason


def test_a_genuine_event_is_read() -> None:
    assert reader().read(event(), signed(event()), _NOW) == _READ


def test_what_stripes_own_library_signs_is_genuine() -> None:
    header = WebhookSignature.generate_signature_header(event().decode(), _SECRET, int(_NOW.timestamp()))

    assert reader().read(event(), header, _NOW) == _READ


def test_bytes_are_checked_as_they_came() -> None:
    spaced = b"  " + event() + b"\r\n"

    assert reader().read(spaced, signed(spaced), _NOW) == _READ
    assert refused(spaced.strip(), signed(spaced)) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_five_minutes_to_either_side_are_of_this_moment(seconds: int) -> None:
    header = signed(event(), at=_NOW + timedelta(seconds=seconds))

    assert reader().read(event(), header, _NOW) == _READ


@pytest.mark.parametrize("seconds", [-1_000_000, -301, 301, 1_000_000])
def test_what_was_signed_for_another_time_is_refused_also_for_the_future(seconds: int) -> None:
    header = signed(event(), at=_NOW + timedelta(seconds=seconds))

    assert refused(event(), header) is Reason.SIGNATURE_INVALID


def test_while_a_secret_is_rolled_either_is_good_and_either_signature_too() -> None:
    both = f"{signed(event(), 'whsec_new')},{signed(event(), 'whsec_old').split(',')[1]}"

    assert reader("whsec_old", "whsec_new").read(event(), signed(event(), "whsec_old"), _NOW) == _READ
    assert reader("whsec_old", "whsec_new").read(event(), signed(event(), "whsec_new"), _NOW) == _READ
    assert reader("whsec_old").read(event(), both, _NOW) == _READ
    assert refused(event(), both, "whsec_third") is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "t=",
        "v1=",
        "t=abc,v1=abc",
        "t=1795435200",
        "t=1795435200,v0=abc",
        "t=1795435200,v1=äöü",
        "t=-1795435200,v1=abc",
        "t=1795435200.5,v1=abc",
        "t=٣,v1=abc",
        "t=" + "9" * 5000 + ",v1=abc",
        "," * 1999,
    ],
)
def test_a_malformed_header_is_refused_and_no_more(signature: str) -> None:
    assert refused(event(), signature) is Reason.SIGNATURE_INVALID


@given(st.text(max_size=200))
def test_no_header_is_good_by_chance(signature: str) -> None:
    assert refused(event(), signature) is Reason.SIGNATURE_INVALID


def test_a_signature_of_another_scheme_is_not_enough() -> None:
    assert refused(event(), signed(event()).replace("v1=", "v0=")) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b"{}",
        b"not json",
        b"\xff\xfe",
        event(object="thing"),
        event(data=None),
        event(data={"object": None}),
        event(data={"object": {"id": "pi_1"}}),
        event(id="e" * 256),
        event(type="t" * 101),
    ],
)
def test_a_genuine_body_that_is_no_event_is_refused_by_its_field(payload: bytes) -> None:
    with pytest.raises(Refusal) as error:
        reader().read(payload, signed(payload), _NOW)

    assert error.value.reason is Reason.VALIDATION_FAILED
    assert error.value.fields[0].field == "payload"


@pytest.mark.parametrize(
    ("about", "intent_id"),
    [
        ({"id": "pi_1", "object": "payment_intent"}, "pi_1"),
        ({"id": "ch_1", "object": "charge", "payment_intent": "pi_1"}, "pi_1"),
        ({"id": "re_1", "object": "refund", "payment_intent": {"id": "pi_1"}}, "pi_1"),
        ({"id": "re_1", "object": "refund", "payment_intent": None}, ""),
        ({"id": "cus_1", "object": "customer"}, ""),
        ({"id": "ch_1", "object": "charge", "payment_intent": "p" * 256}, ""),
    ],
)
def test_an_event_is_about_the_intent_that_its_object_belongs_to(about: dict[str, object], intent_id: str) -> None:
    payload = event(data={"object": about})

    assert reader().read(payload, signed(payload), _NOW).intent_id == intent_id


def test_an_event_of_the_other_mode_is_about_nothing_of_ours() -> None:
    live, test = event(livemode=True), event()

    assert reader().read(live, signed(live), _NOW).intent_id == ""
    assert reader(live=True).read(test, signed(test), _NOW).intent_id == ""
    assert reader(live=True).read(live, signed(live), _NOW).intent_id == "pi_1"


def test_a_refusal_tells_nothing_of_what_was_expected() -> None:
    with pytest.raises(Refusal) as error:
        reader().read(event(), "t=1795435200,v1=abc", _NOW)

    assert _SECRET not in error.value.message
    assert signed(event()).split("v1=")[1] not in error.value.message
