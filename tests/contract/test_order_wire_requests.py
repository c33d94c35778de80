"""Every field of every request of the order service is read, and means what the contract says."""

from google.protobuf.timestamp_pb2 import Timestamp
from ordermesh.order.v1 import order_pb2
from ordermesh.order.v1 import order_service_pb2 as pb
from ordermesh.payment.v1 import payment_pb2
from ordermesh.type.v1 import money_pb2

from order_svc import list_wire, request_wire, wire
from order_svc.app.ports import OrderFilter
from order_svc.domain.draft import CaptureMode, ItemKind, Terms
from order_svc.domain.fulfilment import Quantity
from order_svc.domain.giving_back import Wanted
from order_svc.domain.order import State
from order_svc.domain.shipping import Handover
from tests.contract.test_order_wire import refused
from tests.fakes.order_samples import NOW, an_order, euros
from tests.fakes.order_whole import DRAFT, LATER, TERMS, a_whole_order

MUG = order_pb2.OrderQuantity(sku="mug", quantity=2)
FILTERS: dict[str, object] = {
    "customer_id": "c-1",
    "state": order_pb2.ORDER_STATE_PAID,
    "needs_review": True,
    "create_time_from": Timestamp(seconds=1),
    "create_time_before": Timestamp(seconds=2),
    "reference_prefix": "web-|ü",
    "tax_differs": True,
    "alerted": True,
}


def a_list(**fields: object) -> pb.ListOrdersRequest:
    return pb.ListOrdersRequest(**fields)  # type: ignore[arg-type]  # fields of it


def whole_request() -> pb.PlaceOrderRequest:
    """Return the request that asks for the order of which everything is known, by way of the order as it is told."""
    told = wire.order_to_wire(a_whole_order())
    return pb.PlaceOrderRequest(
        customer=told.customer,
        items=told.items,
        ship_to=told.ship_to,
        prices_include_tax=True,
        capture_mode=payment_pb2.CAPTURE_MODE_ON_SHIPMENT,
        off_session=True,
        save_payment_method=True,
        keep_after_decline=True,
        reference="shop-1",
        metadata={"shelf": "7", "channel": "web"},
    )


def test_everything_that_is_ordered_is_read() -> None:
    assert request_wire.draft_from_wire(whole_request()) == DRAFT
    assert request_wire.terms_from_wire(whole_request()) == TERMS


def test_what_is_left_out_is_as_it_was_before_it_could_be_said() -> None:
    plain = pb.PlaceOrderRequest(items=[order_pb2.OrderItem(sku="a", quantity=1, unit_price=_euros(5))])

    draft = request_wire.draft_from_wire(plain)

    assert (draft.items[0].kind, draft.prices_include_tax) == (ItemKind.ARTICLE, False)
    assert request_wire.terms_from_wire(plain) == Terms()
    assert request_wire.terms_from_wire(plain).capture is CaptureMode.AT_PLACEMENT


def test_a_quote_is_of_the_same_draft() -> None:
    place = whole_request()
    quote = pb.QuoteOrderRequest(
        customer=place.customer, items=place.items, ship_to=place.ship_to, prices_include_tax=True
    )

    assert request_wire.draft_from_wire(quote) == DRAFT


def test_everything_that_is_handed_over_is_read() -> None:
    request = pb.ShipOrderRequest(
        items=[MUG], carrier="DHL", tracking_number="0034", tracking_url="https://dhl.example", release_rest=True
    )

    assert request_wire.handover_from_wire(request) == Handover(
        (Quantity("mug", 2),), "DHL", "0034", "https://dhl.example", release_rest=True
    )
    assert request_wire.handover_from_wire(pb.ShipOrderRequest()) == Handover()


def test_everything_that_is_to_be_given_back_is_read() -> None:
    request = pb.RefundOrderRequest(skus=["hat"], items=[MUG], amount=_euros(0), reason="broken")

    assert request_wire.wanted_from_wire(request) == Wanted(("hat",), (Quantity("mug", 2),), euros(0), "broken")
    assert request_wire.wanted_from_wire(pb.RefundOrderRequest()) == Wanted()


def test_an_amount_in_no_currency_is_refused_naming_its_field() -> None:
    refusal = refused(request_wire.wanted_from_wire, pb.RefundOrderRequest(amount=money_pb2.Money(currency_code="XXX")))

    assert [each.field for each in refusal.fields] == ["amount.currency_code"]


def test_a_shipment_is_named_by_its_number_and_none_means_all() -> None:
    assert request_wire.shipment_from_wire(pb.DeliverOrderRequest(shipment_id="2")) == 2
    assert request_wire.shipment_from_wire(pb.DeliverOrderRequest()) == 0


def test_every_filter_is_read() -> None:
    request = a_list(**FILTERS)
    request.create_time_from.FromDatetime(NOW)
    request.create_time_before.FromDatetime(LATER)

    assert list_wire.filter_from_wire(request) == OrderFilter(
        "c-1",
        State.PAID,
        needs_review=True,
        created_from=NOW,
        created_before=LATER,
        reference_prefix="web-|ü",
        tax_differs=True,
        alerted=True,
    )


def test_a_page_token_belongs_to_every_one_of_the_filters_and_to_no_size() -> None:
    token = list_wire.page_token_to_wire(a_list(**FILTERS), an_order())

    assert list_wire.page_token_from_wire(a_list(**FILTERS, page_token=token, page_size=7)) == an_order().order_id
    for name in FILTERS:
        others = {key: value for key, value in FILTERS.items() if key != name}
        assert "other filters" in refused(list_wire.page_token_from_wire, a_list(**others, page_token=token)).message


def test_no_filter_of_the_contract_is_forgotten() -> None:
    fields = {field.name for field in pb.ListOrdersRequest.DESCRIPTOR.fields}

    assert fields == {*FILTERS, "page_size", "page_token"}


def _euros(minor_units: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="EUR", minor_units=minor_units)
