"""Notification messages to domain and back; what the rules cannot say is refused by field."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from ordermesh.notify.v1 import notification_pb2, notify_service_pb2

from kernel.errors import Reason, Refusal
from kernel.money import Money
from notify_svc import wire
from notify_svc.domain.content import Details, Payment, Refund, Shipment, SummaryLine
from notify_svc.domain.feed import FeedPlace, ListedMail
from notify_svc.domain.notification import Kind, State
from tests.fakes.notify_samples import NOW, detailed, new_id, notification, send_message


def test_a_summary_arrives_whole() -> None:
    order_id = new_id()

    found = wire.summary_from_wire(send_message("key", order_id=order_id).order)

    assert found.order_id == order_id
    assert [(line.description, line.quantity, line.amount) for line in found.lines] == [
        ("Blue mug", 2, Money("EUR", 1198)),
        ("Tea", 1, Money("EUR", 1000)),
    ]
    assert (found.subtotal, found.tax, found.total) == (Money("EUR", 2198), Money("EUR", 418), Money("EUR", 2616))
    assert found.ship_to.postal_code == "10115"


def second_currency(order: notification_pb2.OrderSummary) -> None:
    order.lines[1].amount.currency_code = "USD"


def unknown_currency(order: notification_pb2.OrderSummary) -> None:
    order.total.currency_code = "XXZ"


def wrong_subtotal(order: notification_pb2.OrderSummary) -> None:
    order.subtotal.minor_units += 1


def wrong_total(order: notification_pb2.OrderSummary) -> None:
    order.total.minor_units += 1


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (second_currency, "order.lines[1].amount.currency_code"),
        (unknown_currency, "order.total.currency_code"),
        (wrong_subtotal, "order.subtotal"),
        (wrong_total, "order.total"),
    ],
)
def test_a_mail_that_would_not_add_up_is_refused_by_field(
    spoil: Callable[[notification_pb2.OrderSummary], None], field: str
) -> None:
    order = send_message("key").order
    spoil(order)

    with pytest.raises(Refusal) as refused:
        wire.summary_from_wire(order)

    assert refused.value.reason is Reason.VALIDATION_FAILED
    assert [each.field for each in refused.value.fields] == [field]


def test_where_prices_include_the_tax_the_total_is_the_subtotal() -> None:
    order = send_message("key").order
    order.prices_include_tax = True
    with pytest.raises(Refusal) as refused:
        wire.summary_from_wire(order)
    order.total.minor_units = order.subtotal.minor_units

    assert [each.field for each in refused.value.fields] == ["order.total"]
    assert wire.summary_from_wire(order).prices_include_tax


def test_a_discount_and_a_reference_arrive() -> None:
    order = send_message("key").order
    order.reference = "R-1"
    order.lines[1].amount.minor_units = -100
    order.subtotal.minor_units = 1098
    order.total.minor_units = 1098 + order.tax.minor_units
    found = wire.summary_from_wire(order)

    assert (found.reference, found.lines[1].amount) == ("R-1", Money("EUR", -100))


def test_details_arrive_whole() -> None:
    request = detailed()
    details = wire.details_from_wire(request, wire.summary_from_wire(request.order))

    assert details.shipment == Shipment(
        (SummaryLine("Blue mug", 1, Money("EUR", 599)),), "DHL", "T1", "https://t.example/T1", more_to_come=True
    )
    assert details.refund == Refund(Money("EUR", 599), Money("EUR", 1000), (SummaryLine("Tea", 1, Money("EUR", 599)),))
    assert details.payment == Payment("Declined.", NOW)


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_without_what_it_has_to_tell_is_refused_by_field(kind: Kind) -> None:
    request = detailed()
    whole = wire.details_from_wire(request, wire.summary_from_wire(request.order))
    wire.check_complete(kind, whole)

    needed = {
        Kind.ORDER_SHIPPED: "shipment",
        Kind.ORDER_REFUNDED: "refund",
        Kind.PAYMENT_ACTION_REQUIRED: "payment",
        Kind.PAYMENT_FAILED: "payment",
    }.get(kind)
    if needed is None:
        wire.check_complete(kind, Details())
        return
    with pytest.raises(Refusal) as refused:
        wire.check_complete(kind, replace(whole, **{needed: None}))
    assert refused.value.reason is Reason.VALIDATION_FAILED
    assert [each.field for each in refused.value.fields] == [needed]


def dollars_in_the_shipment(request: notify_service_pb2.SendNotificationRequest) -> None:
    request.shipment.lines[0].amount.currency_code = "USD"


def dollars_back(request: notify_service_pb2.SendNotificationRequest) -> None:
    request.refund.amount.currency_code = "USD"


def dollars_back_in_a_line(request: notify_service_pb2.SendNotificationRequest) -> None:
    request.refund.lines[0].amount.currency_code = "USD"


def more_now_than_in_all(request: notify_service_pb2.SendNotificationRequest) -> None:
    request.refund.amount.minor_units = 1001


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (dollars_in_the_shipment, "shipment.lines[0].amount.currency_code"),
        (dollars_back, "refund.amount.currency_code"),
        (dollars_back_in_a_line, "refund.lines[0].amount.currency_code"),
        (more_now_than_in_all, "refund.amount"),
    ],
)
def test_details_that_do_not_fit_the_order_are_refused_by_field(
    spoil: Callable[[notify_service_pb2.SendNotificationRequest], None], field: str
) -> None:
    request = detailed()
    spoil(request)

    with pytest.raises(Refusal) as refused:
        wire.details_from_wire(request, wire.summary_from_wire(request.order))

    assert [each.field for each in refused.value.fields] == [field]


def test_every_kind_and_state_has_its_word_on_the_wire() -> None:
    for kind in Kind:
        message = wire.notification_to_wire(notification(kind=kind))
        assert notification_pb2.NotificationKind.Name(message.kind) == f"NOTIFICATION_KIND_{kind.name}"
        assert wire.kind_from_wire(message.kind) is kind
    for state in State:
        message = wire.notification_to_wire(notification(state=state))
        assert notification_pb2.NotificationState.Name(message.state) == f"NOTIFICATION_STATE_{state.name}"


def test_a_notification_is_told_without_its_recipient() -> None:
    told = notification(
        attempts=2,
        provider_message_id="message-1",
        last_error="503",
        sent_at=NOW + timedelta(seconds=1),
        due_at=NOW + timedelta(seconds=2),
        locale="de-AT",
        request_id="key-1",
        version=7,
    )
    message = wire.notification_to_wire(told)

    assert (message.notification_id, message.order_id) == (told.notification_id, told.summary.order_id)
    assert (message.attempts, message.provider_message_id, message.last_error) == (2, "message-1", "503")
    assert message.sent_time.seconds - message.create_time.seconds == 1
    assert message.next_attempt_time.seconds - message.create_time.seconds == 2
    assert (message.locale, message.request_id, message.version) == ("de-AT", "key-1", 7)
    assert told.recipient_email not in str(message)


def test_times_that_are_not_known_are_absent() -> None:
    message = wire.notification_to_wire(notification(due_at=None))

    assert not message.HasField("sent_time")
    assert not message.HasField("next_attempt_time")


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (1, 1), (200, 200), (201, 200), (2**31 - 1, 200)])
def test_a_page_has_a_bound(asked: int, given: int) -> None:
    request = notify_service_pb2.ListNotificationsRequest(page_size=asked)

    assert wire.page_size_from_wire(request) == given


def test_a_page_token_leads_back_to_its_notification() -> None:
    last = replace(notification(), notification_id="0192f3c4-0000-7000-8000-00000000000a")
    token = wire.page_token_to_wire(last)

    assert wire.page_token_from_wire(notify_service_pb2.ListNotificationsRequest(page_token=token)) == (
        last.notification_id
    )
    assert wire.page_token_from_wire(notify_service_pb2.ListNotificationsRequest()) == ""


@pytest.mark.parametrize("token", ["x", "0192f3c4", "' OR 1=1 --", "0" * 33])
def test_a_token_of_somebody_elses_is_refused(token: str) -> None:
    with pytest.raises(Refusal, match="page_token"):
        wire.page_token_from_wire(notify_service_pb2.ListNotificationsRequest(page_token=token))


@pytest.mark.parametrize("list_id", ["", "0s5KXbXYTT-xiOFBJDGDPw.recvd-6f8b-1-64B.0", "a|b"])
def test_a_place_in_sendgrids_list_is_found_again(list_id: str) -> None:
    place = FeedPlace(NOW.replace(microsecond=0), list_id)

    assert wire.feed_place_from_wire(wire.feed_place_to_wire(place)) == place
    assert wire.feed_place_from_wire("") is None


def test_a_news_token_leads_back_to_since_when_it_is_news() -> None:
    last = notification(news_at=NOW)

    token = wire.news_place_to_wire(last)

    assert wire.news_place_from_wire(token) == (NOW, last.notification_id)
    assert wire.news_place_from_wire("") is None
    assert wire.news_place_to_wire(notification()) == ""


@pytest.mark.parametrize("token", ["x", "1-", "1-x", "-", f"{10**18}-{'0' * 32}", "' OR 1=1 --"])
def test_a_news_token_of_somebody_elses_is_refused(token: str) -> None:
    with pytest.raises(Refusal, match="page_token"):
        wire.news_place_from_wire(token)


@pytest.mark.parametrize("token", ["x", "!!!!", "bm8=", "OTk5OTk5OTk5OTk5OTk5OTk5fGE="])
def test_a_place_that_is_none_of_ours_is_refused(token: str) -> None:
    with pytest.raises(Refusal, match="page_token"):
        wire.feed_place_from_wire(token)


def test_a_mail_of_sendgrids_list_is_told_by_its_ids_alone() -> None:
    message = wire.listed_mail_to_wire(ListedMail("abc.filter.0", "abc", "delivered", NOW))

    assert (message.provider_message_id, message.status, message.notification_id) == ("abc", "delivered", "")
    assert message.last_event_time.ToMilliseconds() == int(NOW.timestamp() * 1000)


@pytest.mark.parametrize(("asked", "given"), [(0, 100), (1, 1), (100, 100), (101, 100)])
def test_a_page_of_sendgrids_list_has_a_bound(asked: int, given: int) -> None:
    assert wire.feed_size_from_wire(notify_service_pb2.ListProviderMailsRequest(page_size=asked)) == given
