"""The webhook service's messages ⇄ its domain. Total functions; every refusal names its field."""

import base64
import uuid

from ordermesh.webhook.v1 import webhook_pb2
from ordermesh.webhook.v1 import webhook_service_pb2 as pb

from chassis.wire import time_to_wire
from kernel.errors import Refusal
from order_svc.app.webhook_ports import DeliveryFilter
from order_svc.domain.webhook_delivery import Delivery, DeliveryState
from order_svc.domain.webhook_endpoint import (
    Endpoint,
    EndpointChange,
    SigningSecret,
    checked_changes_of_event_types,
    checked_url,
)
from order_svc.domain.webhook_reach import Reach

_STATES = {
    DeliveryState.PENDING: webhook_pb2.WEBHOOK_DELIVERY_STATE_PENDING,
    DeliveryState.DELIVERED: webhook_pb2.WEBHOOK_DELIVERY_STATE_DELIVERED,
    DeliveryState.FAILED: webhook_pb2.WEBHOOK_DELIVERY_STATE_FAILED,
}
_STATES_BY_NUMBER = {number: state for state, number in _STATES.items()}

# How many deliveries a page holds when the caller does not say, and at most.
_USUAL_PAGE = 50
_LARGEST_PAGE = 200


def endpoint_to_wire(endpoint: Endpoint, secret: SigningSecret | None = None) -> webhook_pb2.WebhookEndpoint:
    """Return an endpoint as callers see it.

    Args:
        endpoint: As it is.
        secret: Only in the answer that made it.
    """
    return webhook_pb2.WebhookEndpoint(
        endpoint_id=endpoint.endpoint_id,
        url=endpoint.url,
        event_types=endpoint.event_types,
        description=endpoint.description,
        secret="" if secret is None else secret.text,
        disabled=endpoint.disabled,
        create_time=time_to_wire(endpoint.created_at),
    )


def change_from_wire(request: pb.UpdateWebhookEndpointRequest, reach: Reach) -> EndpointChange:
    """Return what becomes of an endpoint.

    Raises:
        Refusal: It makes no sense; the field is named.
    """
    return EndpointChange(
        url=checked_url(request.url, reach) if request.HasField("url") else None,
        event_types=checked_changes_of_event_types(request.event_types),
        disabled=request.disabled if request.HasField("disabled") else None,
    )


def delivery_to_wire(delivery: Delivery) -> webhook_pb2.WebhookDelivery:
    """Return a delivery as callers see it."""
    return webhook_pb2.WebhookDelivery(
        delivery_id=delivery.delivery_id,
        endpoint_id=delivery.endpoint_id,
        message_id=delivery.message_id,
        event_type=delivery.event_type,
        order_id=delivery.order_id,
        state=_STATES[delivery.state],
        attempts=delivery.attempts,
        response_status=delivery.response_status,
        last_error=delivery.last_error,
        next_attempt_time=None if delivery.due_at is None else time_to_wire(delivery.due_at),
        create_time=time_to_wire(delivery.created_at),
        deliver_time=None if delivery.delivered_at is None else time_to_wire(delivery.delivered_at),
    )


def filter_from_wire(request: pb.ListWebhookDeliveriesRequest) -> DeliveryFilter:
    """Return which deliveries are wanted."""
    return DeliveryFilter(request.endpoint_id, request.order_id, _STATES_BY_NUMBER.get(request.state))


def page_size_from_wire(page_size: int) -> int:
    """Return how many deliveries a page holds; a larger wish is cut, not refused."""
    return min(page_size or _USUAL_PAGE, _LARGEST_PAGE)


def page_token_from_wire(request: pb.ListWebhookDeliveriesRequest) -> str:
    """Return the delivery id that the page begins below; empty for the first page.

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


def page_token_to_wire(request: pb.ListWebhookDeliveriesRequest, last: Delivery) -> str:
    """Return the token of the page that follows `last`."""
    return base64.urlsafe_b64encode(f"{_filters(request)}|{last.delivery_id}".encode("ascii")).decode()


def _filters(request: pb.ListWebhookDeliveriesRequest) -> str:
    return f"{request.endpoint_id}|{request.order_id}|{request.state}"
