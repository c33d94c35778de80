"""What is told of orders, to whom, signed with what, and how often it is tried."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.errors import Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.domain.order import Stage, State
from order_svc.domain.refund import Refund, RefundKind
from order_svc.domain.transition import refund_failed
from order_svc.domain.webhook import EVENT_TYPES, event_types_of, messages_of
from order_svc.domain.webhook_delivery import (
    MOST_ATTEMPTS,
    Answer,
    Delivery,
    DeliveryState,
    after_attempt,
    replayed,
)
from order_svc.domain.webhook_endpoint import (
    EndpointChange,
    SigningSecret,
    changed,
    checked_changes_of_event_types,
    checked_event_types,
    checked_url,
    rotated,
)
from order_svc.domain.webhook_reach import LOOPBACK, Reach
from tests.fakes.order_samples import NOW, a_payment, an_event, an_order, euros
from tests.fakes.webhook_samples import a_secret, an_endpoint

TOLD = {
    "order.placed": ("order.placed",),
    "payment.action_required": ("order.payment_action_required",),
    "payment.authorized": ("order.authorized",),
    "payment.charged": ("order.paid",),
    "payment.captured": ("order.paid",),
    "order.processing": ("order.processing",),
    "order.shipped": ("order.shipped",),
    "order.delivered": ("order.delivered",),
    "order.failed": ("order.failed",),
    "order.cancelled": ("order.cancelled",),
    "refund.failed": ("order.alerted",),
    "mail.bounced": ("order.alerted",),
    "mail.dropped": ("order.alerted",),
    "mail.spam_reported": ("order.alerted",),
    "mail.undeliverable": ("order.alerted",),
    "payment.disputed": ("order.alerted",),
    "hold.expiring": ("order.alerted",),
}


@pytest.mark.parametrize(("kind", "types"), TOLD.items())
def test_a_journal_entry_is_announced_as_what_it_means(kind: str, types: tuple[str, ...]) -> None:
    state = State.PAYMENT_ACTION_REQUIRED if "action" in types[0] else State.PAID
    order = an_order(Stage.SETTLED, state=state)

    assert event_types_of(order, an_event(order, kind)) == types


@pytest.mark.parametrize(
    "kind", ["tax.quoted", "payment.polled", "charge.retried", "refund.settled", "refund.pending", "order.retried"]
)
def test_what_is_nobody_elses_business_is_not_told(kind: str) -> None:
    order = an_order(needs_review=True)

    assert event_types_of(order, an_event(order, kind)) == ()


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        ("refund.refused", ("order.needs_review",)),
        ("tax.refused", ("order.needs_review",)),
        ("payment.differs", ("order.needs_review",)),
        ("refund.failed", ("order.alerted", "order.needs_review")),
        ("order.placed", ("order.placed",)),
    ],
)
def test_an_order_that_is_left_to_a_person_is_told_of_when_that_happens(kind: str, types: tuple[str, ...]) -> None:
    order = an_order(needs_review=True)

    assert event_types_of(order, an_event(order, kind)) == types


def test_a_declined_card_is_told_of_while_the_customer_may_use_another() -> None:
    waiting = an_order(Stage.AWAITING_CUSTOMER)
    undoing = an_order(Stage.UNDOING)

    assert event_types_of(waiting, an_event(waiting, "payment.declined")) == ("order.payment_action_required",)
    assert event_types_of(undoing, an_event(undoing, "payment.declined")) == ()


def test_a_shipment_that_money_was_taken_for_tells_both() -> None:
    order = an_order(Stage.SETTLED, state=State.SHIPPED)
    taken = an_event(order, "order.shipped", facts={"captured": "58.97 EUR", "shipment": "1"})

    assert event_types_of(order, taken) == ("order.paid", "order.shipped")


@pytest.mark.parametrize("kind", ["refund.succeeded", "refund.taken_in", "refund.pending", "payment.disputed"])
def test_each_refund_that_stripe_was_heard_to_have_taken_is_told_of(kind: str) -> None:
    refunds = tuple(Refund(number, RefundKind.ASKED, (), euros(100 * number), NOW) for number in (1, 2, 3))
    order = an_order(Stage.SETTLED, state=State.PAID, refunds=refunds)

    told = messages_of(order, an_event(order, kind, facts={"refunds_made": "1 3"}))

    refunded = [each for each in told if each.event_type == "order.refunded"]
    assert [each.payload["data"]["refund"] for each in refunded if isinstance(each.payload["data"], dict)] == [
        {"refund_id": "1", "amount": 100},
        {"refund_id": "3", "amount": 300},
    ]
    assert len({each.message_id for each in told}) == len(told)


def test_an_order_that_fails_with_its_refund_is_told_of_once() -> None:
    undoing = an_order(Stage.UNDOING, refund_number=1)
    ended = replace(undoing, state=State.FAILED)

    first, second = (refund_failed(order, a_payment(euros(100)), NOW) for order in (undoing, ended))

    told, told_again = (
        event_types_of(each.order, an_event(each.order, each.kind, facts=each.facts)) for each in (first, second)
    )
    assert told == ("order.failed", "order.alerted", "order.needs_review")
    assert told_again == ("order.alerted", "order.needs_review")


def test_a_message_says_little_and_nothing_personal() -> None:
    draft_order = an_order(Stage.SETTLED, state=State.PAID, version=3)
    assert draft_order.total is not None
    order = replace(draft_order, payment=a_payment(draft_order.total, refunded=euros(7)))

    (message,) = messages_of(order, an_event(order, "payment.charged"))

    assert message.payload == {
        "type": "order.paid",
        "timestamp": "2026-01-01T12:00:00.000Z",
        "data": {
            "order_id": order.order_id,
            "version": 3,
            "state": "PAID",
            "reference": "shop-1",
            "total": draft_order.total.minor_units,
            "currency_code": "EUR",
            "refunded": 7,
            "needs_review": False,
        },
    }
    customer = order.draft.customer
    text = json.dumps(message.payload)
    assert not any(each in text for each in (customer.email, customer.name, order.draft.ship_to.line1))


def test_a_message_is_named_by_what_it_tells() -> None:
    order = an_order(Stage.SETTLED, state=State.PAID, needs_review=True)
    event = an_event(order, "refund.failed")

    names = [message.message_id for message in messages_of(order, event)]
    others = [message.message_id for message in messages_of(order, replace(event, version=9))]

    assert names == [message.message_id for message in messages_of(order, event)]
    assert len({*names, *others}) == 4
    # The scheme signs "id.timestamp.payload".
    assert all("." not in name and len(name) <= 40 for name in names)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/hooks?a=b",
        "https://shop.example",
        "http://localhost:8000/hooks",
        "http://127.0.0.1:1/",
        "http://[::1]:80/",
        "https://xn--shp-sna.example/",
        "https://SHOP_2.example.:8443/",
    ],
)
def test_orders_are_told_over_https_or_to_this_machine(url: str) -> None:
    assert checked_url(url, Reach(LOOPBACK)) == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://shop.example/", "has to be https"),
        ("http://10.0.0.1/", "has to be https"),
        ("http://localhost.shop.example/", "has to be https"),
        ("https:///path", "names no host"),
        ("https://shop.example:0/", "names no host"),
        ("https://shop.example:99999/", "is not a URL"),
        ("https://[::1/", "is not a URL"),
        ("https://me:secret@shop.example/", "password"),
        ("https://shop.example/#there", "fragment"),
        ("https://shöp.example/", "ASCII"),
        ("https://[v1.a]/hooks", "cannot be"),
        ("https://xn--/hooks", "cannot be"),
        (f"https://{'a' * 64}.example/", "cannot be"),
        (f"https://{'a.' * 127}example/", "cannot be"),
        ("https://.example/", "cannot be"),
        ("https://shop..example/", "cannot be"),
        ("https://shop%2eexample/", "cannot be"),
        ("https://127.0.0.999/", "cannot be"),
        ("https://0x7f.1/", "cannot be"),
    ],
)
def test_other_addresses_are_refused(url: str, why: str) -> None:
    with pytest.raises(Refusal, match=why) as refused:
        checked_url(url, Reach(LOOPBACK))

    assert refused.value.fields[0].field == "url"
    assert "secret" not in str(refused.value)


def test_events_that_there_are_not_are_refused_and_those_that_there_are_named() -> None:
    assert checked_event_types(EVENT_TYPES) == EVENT_TYPES
    with pytest.raises(Refusal) as refused:
        checked_event_types(["order.paid", "order.payed"])

    (field,) = refused.value.fields
    assert field.field == "event_types[1]"
    assert all(each.removeprefix("order.") in field.description for each in EVENT_TYPES)
    # What the wire carries of a field.
    assert len(field.description) <= 200


def test_a_star_means_all_and_stands_alone() -> None:
    assert checked_changes_of_event_types([]) is None
    assert checked_changes_of_event_types(["*"]) == ()
    assert checked_changes_of_event_types(["order.paid"]) == ("order.paid",)
    with pytest.raises(Refusal, match="stands alone"):
        checked_changes_of_event_types(["*", "order.paid"])


def test_what_a_change_does_not_name_stays() -> None:
    endpoint = an_endpoint("order.paid")

    assert changed(endpoint, EndpointChange()) == endpoint
    assert changed(endpoint, EndpointChange(event_types=())) == replace(endpoint, event_types=())
    assert changed(endpoint, EndpointChange(disabled=True)) == replace(endpoint, disabled=True)


def test_a_secret_is_not_printed() -> None:
    secret = a_secret()

    assert secret.text not in repr(an_endpoint(secrets=(secret,)))


def test_for_a_day_messages_are_signed_with_both_secrets() -> None:
    old, new = a_secret(1), a_secret(2)
    endpoint = rotated(an_endpoint(secrets=(old,)), new, NOW)

    def signing(after: timedelta) -> list[str]:
        return [each.text for each in endpoint.signing(NOW + after)]

    assert signing(timedelta()) == signing(timedelta(hours=23, minutes=59)) == [new.text, old.text]
    assert signing(timedelta(days=1)) == [new.text]


def test_an_old_secret_does_not_live_longer_because_of_another_rotation() -> None:
    endpoint = rotated(an_endpoint(), a_secret(2), NOW)
    for hour in range(1, 10):
        endpoint = rotated(endpoint, a_secret(2 + hour), NOW + timedelta(hours=hour))

    assert len(endpoint.secrets) == 4
    assert [each.ends_at for each in rotated(endpoint, a_secret(), NOW + timedelta(days=3)).secrets] == [
        None,
        NOW + timedelta(days=4),
    ]


def test_a_secret_is_as_the_scheme_wants_it() -> None:
    assert SigningSecret.of("s", bytes(32)).text == "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def a_delivery(**changes: object) -> Delivery:
    return replace(Delivery("d", "e", "m", "order.paid", "o", NOW, due_at=NOW), **changes)  # type: ignore[arg-type]


def test_it_is_tried_as_the_scheme_recommends_and_then_given_up() -> None:
    minutes = [5 / 60, 5, 30, 2 * 60, 5 * 60, 10 * 60, 14 * 60, 20 * 60, 24 * 60]
    delivery, now, waits = a_delivery(), NOW, []
    while delivery.state is DeliveryState.PENDING:
        delivery = after_attempt(delivery, Unknown("timeout"), now, 0.0)
        if delivery.due_at is not None:
            waits.append((delivery.due_at - now) / timedelta(minutes=1))
            now = delivery.due_at

    assert waits == pytest.approx(minutes)
    assert delivery.attempts == MOST_ATTEMPTS == 10
    assert (delivery.state, delivery.due_at, delivery.last_error) == (DeliveryState.FAILED, None, "timeout")


@pytest.mark.parametrize("luck", [0.0, 0.3, 1.0])
def test_luck_spreads_retries_a_little(luck: float) -> None:
    due_at = after_attempt(a_delivery(attempts=1), Unknown("timeout"), NOW, luck).due_at

    assert due_at == NOW + timedelta(minutes=5) * (1 + 0.1 * luck)


@pytest.mark.parametrize(("asked", "seconds"), [(None, 5), (0.0, 5), (4.0, 5), (60.0, 60), (1e6, 86_400)], ids=str)
def test_an_endpoint_may_ask_for_a_longer_wait_within_reason(asked: float | None, seconds: float) -> None:
    due_at = after_attempt(a_delivery(), Done(Answer(429, asked)), NOW, 0.0).due_at

    assert due_at == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    taken = after_attempt(a_delivery(last_error="timeout", attempts=3), Done(Answer(status)), NOW, 0.5)

    assert (taken.state, taken.attempts, taken.delivered_at) == (DeliveryState.DELIVERED, 4, NOW)
    assert (taken.due_at, taken.response_status, taken.last_error) == (None, status, "")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, "answered 301: redirects are not followed; update the endpoint's url"),
        (400, "answered 400"),
        (500, "answered 500"),
    ],
)
def test_other_answers_are_tried_again(status: int, error: str) -> None:
    later = after_attempt(a_delivery(), Done(Answer(status)), NOW, 0.5)

    assert (later.state, later.response_status, later.last_error) == (DeliveryState.PENDING, status, error)
    assert later.due_at is not None


def test_what_was_not_sent_says_why() -> None:
    later = after_attempt(a_delivery(response_status=500), NotDone("no connection"), NOW, 0.5)

    assert (later.response_status, later.last_error) == (0, "no connection")


def test_410_leaves_it_until_somebody_switches_the_endpoint_on() -> None:
    held = after_attempt(a_delivery(attempts=9), Done(Answer(410)), NOW, 0.5)

    assert (held.state, held.due_at, held.response_status) == (DeliveryState.PENDING, None, 410)


def test_a_replay_has_all_its_attempts_before_it() -> None:
    given_up = a_delivery(state=DeliveryState.FAILED, attempts=10, due_at=None, version=20, last_error="timeout")

    again = replayed(given_up, NOW)

    assert (again.state, again.attempts, again.due_at, again.version) == (DeliveryState.PENDING, 0, NOW, 21)
    assert again.message_id == given_up.message_id
