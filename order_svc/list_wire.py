"""The filters and pages of lists of orders, from their messages. Total functions; every refusal names its field."""

from datetime import datetime

from ordermesh.order.v1 import order_pb2, order_service_pb2

from chassis.wire import fingerprint, time_from_wire
from kernel.errors import Refusal
from order_svc.app.ports import OrderFilter
from order_svc.domain.order import Order
from order_svc.enum_wire import STATES_BY_NUMBER
from order_svc.page_wire import place_from_token, token_of_place


def filter_from_wire(request: order_service_pb2.ListOrdersRequest) -> OrderFilter:
    """Return which orders are wanted.

    Raises:
        Refusal: There is no such state, or no such moment.
    """
    if request.state not in STATES_BY_NUMBER and request.state != order_pb2.ORDER_STATE_UNSPECIFIED:
        raise Refusal.of_field("state", f"{request.state} is no state of an order; leave it out for all states")
    return OrderFilter(
        customer_id=request.customer_id,
        state=STATES_BY_NUMBER.get(request.state),
        needs_review=request.needs_review,
        created_from=_moment(request, "create_time_from"),
        created_before=_moment(request, "create_time_before"),
        reference_prefix=request.reference_prefix,
        tax_differs=request.tax_differs,
        alerted=request.alerted,
    )


def page_token_from_wire(request: order_service_pb2.ListOrdersRequest) -> str:
    """Return the order id that the page begins below; empty for the first page.

    Raises:
        Refusal: The token is not one of ours, or belongs to other filters.
    """
    return place_from_token(request.page_token, _filters(request))


def page_token_to_wire(request: order_service_pb2.ListOrdersRequest, last: Order) -> str:
    """Return the token of the page that follows `last`."""
    return token_of_place(_filters(request), last.order_id)


def _moment(request: order_service_pb2.ListOrdersRequest, field: str) -> datetime | None:
    return time_from_wire(getattr(request, field), field) if request.HasField(field) else None  # type: ignore[arg-type]  # mypy-protobuf wants literals


def _filters(request: order_service_pb2.ListOrdersRequest) -> str:
    """Return what tells one set of filters from another, whatever text is in it."""
    asked = order_service_pb2.ListOrdersRequest()
    asked.CopyFrom(request)
    asked.ClearField("page_token")
    asked.ClearField("page_size")
    return fingerprint(asked)[:16]
