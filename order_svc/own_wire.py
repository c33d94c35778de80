"""What customers may say and see, on the wire: their own orders, and nothing that is the shop's.

Everybody else passes as they are.
"""

from ordermesh.order.v1 import order_pb2, order_service_pb2

from chassis.caller import Caller
from kernel.errors import FieldViolation, Reason, Refusal

_Draft = order_service_pb2.QuoteOrderRequest | order_service_pb2.PlaceOrderRequest

# Of a request, what only the shop may decide: who is exempt from tax, whose saved card is charged, and its own words.
_DECIDED_BY_THE_SHOP = ("note", "metadata", "off_session", "save_payment_method", "capture_mode")
_OF_CUSTOMER_BY_THE_SHOP = ("exemption_number", "entity_use_code", "provider_customer_id")
# Whoever may filter by a secret knows it.
_FILTERS_OF_THE_SHOP = ("needs_review", "tax_differs", "alerted")


def draft_of(who: Caller, request: _Draft) -> None:
    """Make sure that a customer orders for themselves, and decides only what is theirs to decide.

    Raises:
        Refusal: PERMISSION_DENIED; the fields are named.
    """
    if not who.customer_id:
        return
    if request.customer.customer_id != who.customer_id:
        raise _refused("customer.customer_id")
    fields = [f"customer.{name}" for name in _OF_CUSTOMER_BY_THE_SHOP if getattr(request.customer, name)]
    if isinstance(request, order_service_pb2.PlaceOrderRequest):
        fields += [name for name in _DECIDED_BY_THE_SHOP if getattr(request, name)]
    if fields:
        raise _refused(*fields)


def list_of(who: Caller, request: order_service_pb2.ListOrdersRequest) -> order_service_pb2.ListOrdersRequest:
    """Return the request as it stands for the caller: a customer's is about their own orders, whatever it says.

    Raises:
        Refusal: PERMISSION_DENIED; it asks for others', or by what customers do not see.
    """
    if not who.customer_id:
        return request
    fields = [name for name in _FILTERS_OF_THE_SHOP if getattr(request, name)]
    if request.customer_id not in {"", who.customer_id}:
        fields.append("customer_id")
    if fields:
        raise _refused(*fields)
    own = order_service_pb2.ListOrdersRequest()
    own.CopyFrom(request)
    own.customer_id = who.customer_id
    return own


def shown_to(who: Caller, order: order_pb2.Order) -> order_pb2.Order:
    """Return the order as the caller may see it: what staff write and read is not for customers."""
    if who.customer_id:
        order.ClearField("note")
        order.ClearField("metadata")
        order.ClearField("alerts")
        order.ClearField("needs_review")
        if order.HasField("tax"):
            order.tax.ClearField("difference")
    return order


def _refused(*fields: str) -> Refusal:
    violations = tuple(FieldViolation(field, "is the shop's to say, or another customer's") for field in fields)
    listing = ", ".join(fields)
    return Refusal(Reason.PERMISSION_DENIED, f"Customers may not say this: {listing}.", fields=violations)
