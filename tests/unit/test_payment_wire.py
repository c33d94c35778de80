"""Payments on the wire: every value there and back, and a name for every field that is wrong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2
from ordermesh.type.v1 import money_pb2

from kernel.errors import Reason, Refusal
from kernel.money import Money
from payment_svc import wire
from payment_svc.domain.dispute import Dispute, DisputeState
from payment_svc.domain.intent import CaptureMode, Decline, DeclineKind, Manner, RefundState
from payment_svc.domain.payment import Payment, PaymentState
from payment_svc.domain.refund import Refund

_NOW = datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC)
_ID = "0199a0b0-0000-7000-8000-000000000001"
_REFUND = Refund("f1", _ID, RefundState.PENDING, Money("EUR", 400), "re_1", 1, _NOW, _NOW, "", "r1", "lost_card")
_DISPUTE = Dispute("dp_1", DisputeState.NEEDS_RESPONSE, Money("EUR", 400), "fraudulent", _NOW, _NOW)
_PAYMENT = Payment(
    payment_id=_ID,
    order_id=_ID,
    version=1,
    state=PaymentState.DECLINED,
    amount=Money("EUR", 1099),
    captured=Money("EUR", 1),
    refunded=Money("EUR", 2),
    intent_id="pi_1",
    attempt=1,
    payment_method="pm_1",
    past_failure="",
    decline=Decline(DeclineKind.ISSUER, "card_declined", "lost_card", "Declined.", "ch_1"),
    created_at=_NOW,
    updated_at=_NOW,
    capture_mode=CaptureMode.ON_SHIPMENT,
    customer_id="cus_1",
    hold_expires_at=_NOW,
    refunds=(_REFUND,),
    disputes=(_DISPUTE,),
    client_secret="pi_1_secret",
)


def charge_request(**changes: object) -> payment_service_pb2.ChargePaymentRequest:
    request = payment_service_pb2.ChargePaymentRequest(
        request_id="r1",
        order_id=_ID.upper(),
        amount=money_pb2.Money(currency_code="EUR", minor_units=1099),
        payment_method="pm_1",
    )
    request.MergeFrom(payment_service_pb2.ChargePaymentRequest(**changes))  # type: ignore[arg-type]  # its own fields
    return request


def test_every_field_of_a_payment_is_written() -> None:
    message = wire.payment_to_wire(_PAYMENT)

    assert [field.name for field, _ in message.ListFields()] == [field.name for field in message.DESCRIPTOR.fields]
    assert (message.payment_id, message.order_id, message.provider_payment_id) == (_ID, _ID, "pi_1")
    assert (message.amount.minor_units, message.captured.minor_units, message.refunded.minor_units) == (1099, 1, 2)
    assert message.decline == payment_pb2.PaymentDecline(
        code="card_declined", decline_code="lost_card", message="Declined."
    )
    assert message.create_time.ToJsonString() == "2026-11-23T12:00:00.123Z"
    assert message.hold_expire_time.ToJsonString() == "2026-11-23T12:00:00.123Z"
    for part in (message.refunds[0], message.disputes[0]):
        assert [field.name for field, _ in part.ListFields()] == [field.name for field in part.DESCRIPTOR.fields]


def test_every_state_of_a_dispute_and_every_capture_mode_has_a_name_on_the_wire() -> None:
    assert set(wire.DISPUTE_STATES) == set(DisputeState)
    assert set(wire.DISPUTE_STATES.values()) == set(payment_pb2.DisputeState.values()) - {0}
    assert set(wire.CAPTURE_MODES) == set(CaptureMode)
    assert set(wire.CAPTURE_MODES.values()) == set(payment_pb2.CaptureMode.values()) - {0}


def test_a_charge_is_read_with_its_customer_and_its_manner() -> None:
    charge = wire.charge_from_wire(
        charge_request(
            capture_mode=payment_pb2.CAPTURE_MODE_ON_SHIPMENT, provider_customer_id="cus_1", save_payment_method=True
        )
    )

    assert (charge.capture_mode, charge.customer_id) == (CaptureMode.ON_SHIPMENT, "cus_1")
    assert charge.manner == Manner(holds=True, off_session=False, saves=True)
    assert wire.charge_from_wire(charge_request()).manner == Manner()


@pytest.mark.parametrize("wish", ["off_session", "save_payment_method"])
def test_what_needs_a_saved_customer_is_refused_without(wish: str) -> None:
    with pytest.raises(Refusal) as refused:
        wire.charge_from_wire(charge_request(**{wish: True}))

    assert [each.field for each in refused.value.fields] == ["provider_customer_id"]


def test_the_mode_that_is_meant_when_none_is_said_is_the_same_request() -> None:
    said = charge_request(capture_mode=payment_pb2.CAPTURE_MODE_AT_PLACEMENT)
    other = charge_request(capture_mode=payment_pb2.CAPTURE_MODE_ON_SHIPMENT)

    assert wire.charge_fingerprint(said) == wire.charge_fingerprint(charge_request())
    assert wire.charge_fingerprint(other) != wire.charge_fingerprint(charge_request())


def test_whose_payment_is_given_up_has_to_be_said() -> None:
    with pytest.raises(Refusal) as refused:
        wire.cancel_amount_from_wire(payment_service_pb2.CancelPaymentRequest(request_id="x"))

    assert [each.field for each in refused.value.fields] == ["payment_id"]


def test_a_payment_that_was_not_declined_has_no_decline() -> None:
    assert not wire.payment_to_wire(replace(_PAYMENT, decline=None)).HasField("decline")


def test_every_state_has_a_name_on_the_wire_and_no_name_is_left_over() -> None:
    assert set(wire.STATES) == set(PaymentState)
    assert set(wire.STATES.values()) == set(payment_pb2.PaymentState.values()) - {0}
    assert set(wire.REFUND_STATES) == set(RefundState)
    assert set(wire.REFUND_STATES.values()) == set(payment_pb2.RefundState.values()) - {0}
    for state in PaymentState:
        message = wire.payment_to_wire(replace(_PAYMENT, state=state))
        assert payment_pb2.PaymentState.Name(message.state) == f"PAYMENT_STATE_{state}"


def test_a_charge_is_read_with_its_ids_in_one_spelling() -> None:
    charge = wire.charge_from_wire(charge_request())

    assert (charge.order_id, charge.amount, charge.payment_method) == (_ID, Money("EUR", 1099), "pm_1")
    assert charge.not_after is None
    with_limit = charge_request(not_after=Timestamp(seconds=1_795_435_200))
    assert wire.charge_from_wire(with_limit).not_after == datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_the_moment_until_which_a_call_is_good_is_no_part_of_what_it_asks() -> None:
    limited = charge_request(not_after=Timestamp(seconds=1))

    assert wire.charge_fingerprint(limited) == wire.charge_fingerprint(charge_request())
    assert limited.HasField("not_after")
    other = charge_request(amount=money_pb2.Money(minor_units=1100))
    assert wire.charge_fingerprint(other) != wire.charge_fingerprint(charge_request())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": money_pb2.Money(currency_code="XXX")}, "amount.currency_code"),
        ({"not_after": Timestamp(seconds=2**62)}, "not_after"),
        ({"not_after": Timestamp(seconds=-(2**62))}, "not_after"),
    ],
)
def test_what_is_wrong_with_a_charge_is_named(changes: dict[str, object], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        wire.charge_from_wire(charge_request(**changes))

    assert refused.value.reason is Reason.VALIDATION_FAILED
    assert refused.value.fields[0].field == field


def test_a_refund_without_an_amount_means_all() -> None:
    request = payment_service_pb2.RefundPaymentRequest(request_id="f1", payment_id=_ID)
    assert wire.refund_from_wire(request).amount is None

    request.amount.MergeFrom(money_pb2.Money(currency_code="EUR", minor_units=1))
    assert wire.refund_from_wire(request).amount == Money("EUR", 1)


@pytest.mark.parametrize(("asked", "size"), [(0, 50), (1, 1), (200, 200), (201, 200), (2**31 - 1, 200)])
def test_a_page_has_a_size_that_can_be_served(asked: int, size: int) -> None:
    assert wire.page_size_from_wire(asked) == size


def test_a_page_token_leads_to_where_the_page_ended() -> None:
    assert wire.page_token_from_wire(wire.page_token_to_wire(_PAYMENT)) == (_NOW, _ID)
    assert wire.page_token_from_wire("") is None


def test_a_news_token_leads_back_to_since_when_it_is_news() -> None:
    later = _NOW + timedelta(seconds=1)
    assert wire.page_token_from_wire(wire.news_token_to_wire(replace(_PAYMENT, news_at=later))) == (later, _ID)
    assert wire.news_token_to_wire(_PAYMENT) == ""


@given(st.one_of(st.text(min_size=1, max_size=200), st.from_regex(r"\A[A-Za-z0-9_-]{4,200}={0,2}\Z")))
def test_a_token_that_is_not_ours_is_refused_by_its_field(token: str) -> None:
    with pytest.raises(Refusal) as refused:
        wire.page_token_from_wire(token)

    assert refused.value.fields[0].field == "page_token"
