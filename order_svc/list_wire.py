"""The filters and pages of lists of orders, from their messages. Total functions; every refusal names its field."""

import base64
import uuid
from datetime import datetime

from ordermesh.order.v1 import order_pb2, order_service_pb2

from chassis.wire import fingerprint, time_from_wire
from kernel.errors import Refusal
from order_svc.app.ports import OrderFilter
from order_svc.domain.order import Order
from order_svc.enum_wire import STATES_BY_NUMBER

# How many orders a page holds when the caller does not say, and at most.
_USUAL_PAGE = 50
_LARGEST_PAGE = 200


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


def page_size_from_wire(page_size: int) -> int:
    """Return how many orders a page holds; a larger wish is cut, not refused."""
    return min(page_size or _USUAL_PAGE, _LARGEST_PAGE)


def page_token_from_wire(request: order_service_pb2.ListOrdersRequest) -> str:
    """Return the order id that the page begins below; empty for the first page.

    Raises:
        Refusal: The token is not one of ours, or belongs to other filters.
    """
    if not request.page_token:
        return ""
    try:
        filters, after = base64.urlsafe_b64decode(request.page_token).decode("ascii").rsplit("|", 1)
        uuid.UUID(after)
    except ValueError:
        raise Refusal.of_field("page_token", "is not a token of ours; pass next_page_token as it was given") from None
    if filters != _filters(request):
        raise Refusal.of_field("page_token", "belongs to a list with other filters; begin at the first page")
    return after


def page_token_to_wire(request: order_service_pb2.ListOrdersRequest, last: Order) -> str:
    """Return the token of the page that follows `last`."""
    return base64.urlsafe_b64encode(f"{_filters(request)}|{last.order_id}".encode("ascii", "replace")).decode()


def _moment(request: order_service_pb2.ListOrdersRequest, field: str) -> datetime | None:
    return time_from_wire(getattr(request, field), field) if request.HasField(field) else None  # type: ignore[arg-type]  # mypy-protobuf wants literals


def _filters(request: order_service_pb2.ListOrdersRequest) -> str:
    """Return what tells one set of filters from another, whatever text is in it."""
    asked = order_service_pb2.ListOrdersRequest()
    asked.CopyFrom(request)
    asked.ClearField("page_token")
    asked.ClearField("page_size")
    return fingerprint(asked)[:16]
