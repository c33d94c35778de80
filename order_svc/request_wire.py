"""What callers ask of orders, from their messages. Total functions; every refusal names its field."""

from collections.abc import Iterable

from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.type.v1 import customer_pb2

from chassis.wire import address_from_wire, money_from_wire
from order_svc.domain.draft import CaptureMode, Customer, Draft, Item, ItemKind, Terms
from order_svc.domain.fulfilment import Quantity
from order_svc.domain.giving_back import Wanted
from order_svc.domain.shipping import Handover
from order_svc.enum_wire import CAPTURES_BY_NUMBER, KINDS_BY_NUMBER


def draft_from_wire(request: order_service_pb2.PlaceOrderRequest | order_service_pb2.QuoteOrderRequest) -> Draft:
    """Return what is ordered.

    Raises:
        Refusal: It makes no sense; the field is named.
    """
    return Draft(
        customer=_customer_from_wire(request.customer),
        items=tuple(
            Item(
                sku=item.sku,
                description=item.description,
                quantity=item.quantity,
                unit_price=money_from_wire(item.unit_price, f"items[{position}].unit_price"),
                tax_code=item.tax_code,
                kind=KINDS_BY_NUMBER.get(item.kind, ItemKind.ARTICLE),
                applies_to=tuple(item.applies_to_skus),
            )
            for position, item in enumerate(request.items)
        ),
        ship_to=address_from_wire(request.ship_to),
        prices_include_tax=request.prices_include_tax,
    )


def terms_from_wire(request: order_service_pb2.PlaceOrderRequest) -> Terms:
    """Return how the order is to be paid, and what the shop keeps with it."""
    return Terms(
        capture=CAPTURES_BY_NUMBER.get(request.capture_mode, CaptureMode.AT_PLACEMENT),
        off_session=request.off_session,
        save_payment_method=request.save_payment_method,
        keep_after_decline=request.keep_after_decline,
        reference=request.reference,
        metadata=tuple(sorted(request.metadata.items())),
    )


def handover_from_wire(request: order_service_pb2.ShipOrderRequest) -> Handover:
    """Return what is handed to a carrier."""
    return Handover(
        items=_quantities_from_wire(request.items),
        carrier=request.carrier,
        tracking_number=request.tracking_number,
        tracking_url=request.tracking_url,
        release_rest=request.release_rest,
    )


def wanted_from_wire(request: order_service_pb2.RefundOrderRequest) -> Wanted:
    """Return what is to be given back.

    Raises:
        Refusal: The currency of the amount does not exist.
    """
    return Wanted(
        skus=tuple(request.skus),
        items=_quantities_from_wire(request.items),
        amount=money_from_wire(request.amount, "amount") if request.HasField("amount") else None,
        reason=request.reason,
    )


def shipment_from_wire(request: order_service_pb2.DeliverOrderRequest) -> int:
    """Return the number of the shipment that has arrived; 0 for all."""
    return int(request.shipment_id or 0)


def _customer_from_wire(message: customer_pb2.Customer) -> Customer:
    return Customer(
        customer_id=message.customer_id,
        email=message.email,
        name=message.name,
        locale=message.locale,
        exemption_number=message.exemption_number,
        entity_use_code=message.entity_use_code,
        business_id=message.business_id,
        provider_customer_id=message.provider_customer_id,
    )


def _quantities_from_wire(messages: Iterable[order_pb2.OrderQuantity]) -> tuple[Quantity, ...]:
    return tuple(Quantity(each.sku, each.quantity) for each in messages)
