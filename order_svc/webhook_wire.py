"""The webhook service's messages ⇄ its domain. Total functions; every refusal names its field."""

from ordermesh.webhook.v1 import webhook_pb2
from ordermesh.webhook.v1 import webhook_service_pb2 as pb

from chassis.wire import time_to_wire
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
from order_svc.page_wire import place_from_token, token_of_place

_STATES = {
    DeliveryState.PENDING: webhook_pb2.WEBHOOK_DELIVERY_STATE_PENDING,
    DeliveryState.DELIVERED: webhook_pb2.WEBHOOK_DELIVERY_STATE_DELIVERED,
    DeliveryState.FAILED: webhook_pb2.WEBHOOK_DELIVERY_STATE_FAILED,
}
_STATES_BY_NUMBER = {number: state for state, number in _STATES.items()}


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


def page_token_from_wire(request: pb.ListWebhookDeliveriesRequest) -> str:
    """Return the delivery id that the page begins below; empty for the first page.

    Raises:
        Refusal: The token is not one of ours, or belongs to other filters.
    """
    return place_from_token(request.page_token, _filters(request))


def page_token_to_wire(request: pb.ListWebhookDeliveriesRequest, last: Delivery) -> str:
    """Return the token of the page that follows `last`."""
    return token_of_place(_filters(request), last.delivery_id)


def _filters(request: pb.ListWebhookDeliveriesRequest) -> str:
    return f"{request.endpoint_id}|{request.order_id}|{request.state}"
