"""The order service's messages and its domain say the same, field by field and value by value."""

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.payment.v1 import payment_pb2
from ordermesh.tax.v1 import tax_pb2
from ordermesh.type.v1 import address_pb2, customer_pb2, money_pb2

from chassis.wire import money_to_wire, time_to_wire
from kernel.errors import Reason, Refusal
from order_svc import wire
from order_svc.app.ports import OrderFilter, Story
from order_svc.domain.order import Failure, Stage, State
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
        call(*arguments)  # type: ignore[operator]  # a function of wire.py
    return refusal.value


def empty_fields(message: Message, path: str = "") -> set[str]:
    """Return the paths of all fields that are not set, in the message and in those within it."""
    empty = set()
    for field in message.DESCRIPTOR.fields:
        value, name = getattr(message, field.name), f"{path}{field.name}"
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            empty |= {name} if not value else set()
        elif field.is_repeated:
            empty |= {name} if not value else empty_fields(value[-1], f"{name}.")
        else:
            empty |= empty_fields(value, f"{name}.") if message.HasField(field.name) else {name}
    return empty


def test_a_request_becomes_the_draft_it_describes() -> None:
    assert wire.draft_from_wire(place_request()) == a_draft()


def test_a_quote_request_becomes_the_same_draft() -> None:
    place = place_request()
    quote = order_service_pb2.QuoteOrderRequest(customer=place.customer, items=place.items, ship_to=place.ship_to)

    assert wire.draft_from_wire(quote) == a_draft()


def test_an_unknown_currency_is_refused_naming_its_field() -> None:
    request = place_request()
    request.items[1].unit_price.currency_code = "XXX"

    refusal = refused(wire.draft_from_wire, request)

    assert refusal.reason is Reason.VALIDATION_FAILED
    assert [each.field for each in refusal.fields] == ["items[1].unit_price.currency_code"]


def test_an_order_says_everything_it_knows() -> None:
    order = an_order(
        Stage.SETTLED,
        state=State.FAILED,
        payment=a_payment(euros(7075), PaymentState.SUCCEEDED, refunded=euros(7075)),
        failure=Failure(Reason.PAYMENT_DECLINED, "Too late.", "expired", "payment_method"),
        needs_review=True,
        tax_document="doc-1",
        updated_at=LATER,
    )
    order = replace(order, draft=replace(order.draft, ship_to=replace(order.draft.ship_to, administrative_area="75")))

    message = wire.order_to_wire(order)

    # The sample leaves two of these empty; the secret is for a waiting customer alone.
    assert empty_fields(message) == {"items.description", "payment.client_secret", "create_time.nanos"}
    assert message == order_pb2.Order(
        order_id=order.order_id,
        state=order_pb2.ORDER_STATE_FAILED,
        customer=place_request().customer,
        items=place_request().items,
        ship_to=address_pb2.Address(
            line1="1 rue de Rivoli",
            line2="2e étage",
            locality="Paris",
            administrative_area="75",
            postal_code="75001",
            region_code="FR",
        ),
        subtotal=money_to_wire(euros(5897)),
        tax=order_pb2.OrderTax(
            amount=money_to_wire(euros(1178)),
            source=tax_pb2.TAX_SOURCE_AVATAX,
            lines=[tax_line("1", 799), tax_line("2", 379)],
            document_code="doc-1",
        ),
        total=money_to_wire(euros(7075)),
        payment=order_pb2.OrderPayment(
            payment_id=order.payment.payment_id if order.payment else "",
            provider_payment_id="pi_000001",
            payment_method="pm_card_visa",
            state=payment_pb2.PAYMENT_STATE_SUCCEEDED,
        ),
        refunded=money_to_wire(euros(7075)),
        failure=order_pb2.OrderFailure(reason="PAYMENT_DECLINED", decline_code="expired", message="Too late."),
        needs_review=True,
        reference="shop-1",
        version=2,
        create_time=Timestamp(seconds=1_767_268_800),
        update_time=Timestamp(seconds=1_767_268_800, nanos=1_000),
    )


def tax_line(line_id: str, minor_units: int) -> tax_pb2.TaxLine:
    tax = money_to_wire(euros(minor_units))
    share = tax_pb2.TaxJurisdiction(name="FRANCE", kind="Country", rate="0.2", tax=tax)
    return tax_pb2.TaxLine(line_id=line_id, tax=tax, jurisdictions=[share])


def test_a_new_order_says_nothing_that_it_does_not_know() -> None:
    message = wire.order_to_wire(an_order())

    for field in ("tax", "total", "failure"):
        assert not message.HasField(field)
    assert message.payment == order_pb2.OrderPayment(payment_method="pm_card_visa")
    assert message.refunded == money_to_wire(euros(0))


def test_the_customers_secret_is_told_while_the_customer_has_to_act_and_never_else() -> None:
    waiting = an_order(Stage.AWAITING_CUSTOMER)

    assert wire.order_to_wire(waiting).payment.client_secret == "pi_secret"
    for state in set(State) - {State.PAYMENT_ACTION_REQUIRED}:
        assert wire.order_to_wire(replace(waiting, state=state)).payment.client_secret == ""


def test_why_an_order_fails_is_told_once_it_has_failed() -> None:
    undoing = an_order(Stage.UNDOING, failure=Failure(Reason.PROVIDER_REFUSED, "No."))

    assert not wire.order_to_wire(undoing).HasField("failure")
    assert wire.order_to_wire(replace(undoing, state=State.FAILED)).failure.message == "No."


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
    assert wire.filter_from_wire(list_request(state=number)).state is state


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
    assert [each.field for each in refused(wire.filter_from_wire, list_request(state=99)).fields] == ["state"]
    assert wire.filter_from_wire(list_request()) == OrderFilter()


def test_filters_are_taken_as_they_are() -> None:
    request = list_request(customer_id="c-1", needs_review=True)

    assert wire.filter_from_wire(request) == OrderFilter("c-1", None, needs_review=True)


@pytest.mark.parametrize(("wish", "size"), [(0, 50), (1, 1), (200, 200), (201, 200), (2**31 - 1, 200)])
def test_a_page_is_as_large_as_wished_within_reason(wish: int, size: int) -> None:
    assert wire.page_size_from_wire(wish) == size


def test_a_page_token_leads_to_the_next_page_of_the_same_list() -> None:
    order = an_order()
    request = list_request(customer_id="c-1", state=order_pb2.ORDER_STATE_PAID, needs_review=True)

    request.page_token = wire.page_token_to_wire(request, order)

    assert wire.page_token_from_wire(request) == order.order_id
    assert wire.page_token_from_wire(list_request()) == ""


def test_a_page_token_of_another_list_is_refused() -> None:
    token = wire.page_token_to_wire(list_request(customer_id="c-1"), an_order())

    refusal = refused(wire.page_token_from_wire, list_request(customer_id="c-2", page_token=token))

    assert [each.field for each in refusal.fields] == ["page_token"]
    assert "other filters" in refusal.message


@given(
    st.one_of(st.text(max_size=200), st.binary(max_size=100).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
)
def test_no_page_token_that_is_not_ours_gets_through(token: str) -> None:
    if token:
        refusal = refused(wire.page_token_from_wire, list_request(page_token=token))
        assert [each.field for each in refusal.fields] == ["page_token"]


@pytest.mark.parametrize("after", ["", "x", "\x00", "' OR 1=1", "01980000-0000-7000-8000-00000000000g"])
def test_a_page_token_without_an_order_id_is_refused(after: str) -> None:
    token = base64.urlsafe_b64encode(f"|0|False|{after}".encode()).decode()

    refused(wire.page_token_from_wire, list_request(page_token=token))


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
    )
    assert list(message.tasks) == [
        order_pb2.OrderTask(kind="commit_tax", attempts=2, last_error="timeout", next_attempt_time=time_to_wire(LATER)),
        order_pb2.OrderTask(kind="send_confirmation", done=True, attempts=1, result="n-1"),
    ]
    assert list(message.trace_ids) == [f"{trace}2", f"{trace}1"]
    assert message.next_attempt_time == time_to_wire(LATER)


def test_a_story_with_nothing_planned_says_so() -> None:
    assert not wire.story_to_wire(Story(an_order(), [], [], None)).HasField("next_attempt_time")
