"""The order service's messages and its domain say the same, field by field and value by value."""

import base64
from datetime import timedelta

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from hypothesis import given
from hypothesis import strategies as st
from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.payment.v1 import payment_pb2
from ordermesh.tax.v1 import tax_pb2
from ordermesh.type.v1 import address_pb2, customer_pb2, money_pb2

from chassis.wire import time_to_wire
from kernel.errors import Reason, Refusal
from order_svc import list_wire, page_wire, request_wire, wire
from order_svc.app.ports import OrderFilter, Story
from order_svc.domain.order import Stage, State
from order_svc.domain.payment import PaymentState
from order_svc.domain.task import Task, TaskKind
from order_svc.domain.tax import TaxSource
from tests.fakes.order_samples import NOW, a_draft, a_payment, a_tax, an_event, an_order, euros

LATER = NOW + timedelta(microseconds=1)


def place_request(**fields: object) -> order_service_pb2.PlaceOrderRequest:
    """Return the request for the usual order, written field by field."""
    request = order_service_pb2.PlaceOrderRequest(
        request_id="k-1",
        customer=customer_pb2.Customer(customer_id="c-1", email="ada@example.com", name="Ada Lovelace"),
        items=[
            order_pb2.OrderItem(
                sku="mug",
                description="A mug",
                quantity=2,
                unit_price=money_pb2.Money(currency_code="EUR", minor_units=1999),
            ),
            order_pb2.OrderItem(
                sku="hat",
                quantity=1,
                unit_price=money_pb2.Money(currency_code="EUR", minor_units=1899),
                tax_code="PC040100",
            ),
        ],
        ship_to=address_pb2.Address(
            line1="1 rue de Rivoli", line2="2e étage", locality="Paris", postal_code="75001", region_code="FR"
        ),
        payment_method="pm_card_visa",
        reference="shop-1",
    )
    request.MergeFrom(order_service_pb2.PlaceOrderRequest(**fields))  # type: ignore[arg-type]  # fields of it
    return request


def list_request(**fields: object) -> order_service_pb2.ListOrdersRequest:
    return order_service_pb2.ListOrdersRequest(**fields)  # type: ignore[arg-type]  # fields of it


def refused(call: object, *arguments: object) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        call(*arguments)  # type: ignore[operator]  # a function of request_wire.py or list_wire.py
    return refusal.value


def test_a_request_becomes_the_draft_it_describes() -> None:
    assert request_wire.draft_from_wire(place_request()) == a_draft()


def test_a_quote_request_becomes_the_same_draft() -> None:
    place = place_request()
    quote = order_service_pb2.QuoteOrderRequest(customer=place.customer, items=place.items, ship_to=place.ship_to)

    assert request_wire.draft_from_wire(quote) == a_draft()


def test_an_unknown_currency_is_refused_naming_its_field() -> None:
    request = place_request()
    request.items[1].unit_price.currency_code = "XXX"

    refusal = refused(request_wire.draft_from_wire, request)

    assert refusal.reason is Reason.VALIDATION_FAILED
    assert [each.field for each in refusal.fields] == ["items[1].unit_price.currency_code"]


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (State, order_pb2.OrderState, "ORDER_STATE_"),
        (PaymentState, payment_pb2.PaymentState, "PAYMENT_STATE_"),
        (TaxSource, tax_pb2.TaxSource, "TAX_SOURCE_"),
    ],
)
def test_every_enum_of_ours_is_the_contracts(
    ours: type[State | PaymentState | TaxSource],
    theirs: EnumTypeWrapper,
    prefix: str,
) -> None:
    assert {f"{prefix}{value.value}" for value in ours} == set(theirs.keys()) - {f"{prefix}UNSPECIFIED"}


@pytest.mark.parametrize("state", State)
def test_every_state_goes_both_ways(state: State) -> None:
    number = order_pb2.OrderState.Value(f"ORDER_STATE_{state.value}")

    assert wire.order_to_wire(an_order(state=state)).state == number
    assert list_wire.filter_from_wire(list_request(state=number)).state is state


@pytest.mark.parametrize("state", PaymentState)
def test_every_payment_state_is_told(state: PaymentState) -> None:
    order = an_order(Stage.CHARGING, payment=a_payment(euros(1), state))

    told = wire.order_to_wire(order).payment.state

    assert payment_pb2.PaymentState.Name(told) == f"PAYMENT_STATE_{state.value}"


@pytest.mark.parametrize("source", TaxSource)
def test_every_tax_source_is_told(source: TaxSource) -> None:
    told = wire.tax_to_wire(a_tax(a_draft(), source)).source

    assert tax_pb2.TaxSource.Name(told) == f"TAX_SOURCE_{source.value}"


def test_a_state_that_does_not_exist_is_refused_and_none_means_all() -> None:
    assert [each.field for each in refused(list_wire.filter_from_wire, list_request(state=99)).fields] == ["state"]
    assert list_wire.filter_from_wire(list_request()) == OrderFilter()


def test_filters_are_taken_as_they_are() -> None:
    request = list_request(customer_id="c-1", needs_review=True)

    assert list_wire.filter_from_wire(request) == OrderFilter("c-1", None, needs_review=True)


@pytest.mark.parametrize(("wish", "size"), [(0, 50), (1, 1), (200, 200), (201, 200), (2**31 - 1, 200)])
def test_a_page_is_as_large_as_wished_within_reason(wish: int, size: int) -> None:
    assert page_wire.page_size_from_wire(wish) == size


def test_a_page_token_leads_to_the_next_page_of_the_same_list() -> None:
    order = an_order()
    request = list_request(customer_id="c-1", state=order_pb2.ORDER_STATE_PAID, needs_review=True)

    request.page_token = list_wire.page_token_to_wire(request, order)

    assert list_wire.page_token_from_wire(request) == order.order_id
    assert list_wire.page_token_from_wire(list_request()) == ""


def test_a_page_token_of_another_list_is_refused() -> None:
    token = list_wire.page_token_to_wire(list_request(customer_id="c-1"), an_order())

    refusal = refused(list_wire.page_token_from_wire, list_request(customer_id="c-2", page_token=token))

    assert [each.field for each in refusal.fields] == ["page_token"]
    assert "other filters" in refusal.message


@given(
    st.one_of(st.text(max_size=200), st.binary(max_size=100).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
)
def test_no_page_token_that_is_not_ours_gets_through(token: str) -> None:
    if token:
        refusal = refused(list_wire.page_token_from_wire, list_request(page_token=token))
        assert [each.field for each in refusal.fields] == ["page_token"]


@pytest.mark.parametrize("after", ["", "x", "\x00", "' OR 1=1", "01980000-0000-7000-8000-00000000000g"])
def test_a_page_token_without_an_order_id_is_refused(after: str) -> None:
    token = base64.urlsafe_b64encode(f"|0|False|{after}".encode()).decode()

    refused(list_wire.page_token_from_wire, list_request(page_token=token))


def test_a_story_is_told_whole() -> None:
    order = an_order(Stage.SETTLED, state=State.PAID)
    trace = "0" * 31
    events = [
        an_event(order, "order.placed", trace_id=f"{trace}2", facts={"items": "2"}),
        an_event(order, "tax.quoted", trace_id=f"{trace}2"),
        an_event(order, "payment.charged", trace_id=f"{trace}1", cause="sweeper"),
        an_event(order, "mail.accepted", trace_id=""),
    ]
    tasks = [Task(order.order_id, TaskKind.COMMIT_TAX, 3, 2, LATER, last_error="timeout")]
    tasks.append(Task(order.order_id, TaskKind.SEND_CONFIRMATION, 2, 1, None, done=True, result="n-1"))

    message = wire.story_to_wire(Story(order, events, tasks, LATER))

    assert message.order == wire.order_to_wire(order)
    assert [event.kind for event in message.events] == [event.kind for event in events]
    assert message.events[0] == order_pb2.OrderEvent(
        version=2,
        time=time_to_wire(NOW),
        kind="order.placed",
        cause="request",
        state=order_pb2.ORDER_STATE_PAID,
        facts={"items": "2"},
        trace_id=f"{trace}2",
        summary="The order was accepted and stored.",
    )
    assert list(message.tasks) == [
        order_pb2.OrderTask(kind="commit_tax", attempts=2, last_error="timeout", next_attempt_time=time_to_wire(LATER)),
        order_pb2.OrderTask(kind="send_confirmation", done=True, attempts=1, result="n-1"),
    ]
    assert list(message.trace_ids) == [f"{trace}2", f"{trace}1"]
    assert message.next_attempt_time == time_to_wire(LATER)


def test_a_story_with_nothing_planned_says_so() -> None:
    assert not wire.story_to_wire(Story(an_order(), [], [], None)).HasField("next_attempt_time")
