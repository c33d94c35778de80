"""Endpoints, messages and deliveries as rows and back. Total in both directions."""

from typing import Any

import orjson
from sqlalchemy import Row

from order_svc.adapters.columns_json import from_ms, to_ms
from order_svc.domain.webhook import Message
from order_svc.domain.webhook_delivery import Delivery, DeliveryState
from order_svc.domain.webhook_endpoint import Endpoint, SigningSecret


def endpoint_row(endpoint: Endpoint) -> dict[str, object]:
    """Return an endpoint as a row."""
    secrets = [[each.secret_id, each.text, each.ends_at and to_ms(each.ends_at)] for each in endpoint.secrets]
    return {
        "endpoint_id": endpoint.endpoint_id,
        "url": endpoint.url,
        "event_types": orjson.dumps(endpoint.event_types).decode(),
        "description": endpoint.description,
        "secrets": orjson.dumps(secrets).decode(),
        "disabled": endpoint.disabled,
        "created_at": to_ms(endpoint.created_at),
    }


def endpoint_from_row(row: Row[Any]) -> Endpoint:
    """Return the endpoint that a row holds."""
    return Endpoint(
        endpoint_id=row.endpoint_id,
        url=row.url,
        event_types=tuple(orjson.loads(row.event_types)),
        description=row.description,
        secrets=tuple(
            SigningSecret(secret_id, text, None if ends_at is None else from_ms(ends_at))
            for secret_id, text, ends_at in orjson.loads(row.secrets)
        ),
        disabled=bool(row.disabled),
        created_at=from_ms(row.created_at),
    )


def message_row(message: Message) -> dict[str, object]:
    """Return a new message as a row."""
    return {
        "message_id": message.message_id,
        "order_id": message.order_id,
        "event_type": message.event_type,
        "payload": orjson.dumps(message.payload).decode(),
        "traceparent": message.traceparent,
        "shared": False,
        "created_at": to_ms(message.happened_at),
    }


def message_from_row(row: Row[Any]) -> Message:
    """Return the message that a row holds."""
    return Message(
        message_id=row.message_id,
        order_id=row.order_id,
        event_type=row.event_type,
        payload=orjson.loads(row.payload),
        happened_at=from_ms(row.created_at),
        traceparent=row.traceparent,
    )


def delivery_row(delivery_id: str, endpoint: Endpoint, message: Row[Any], now_ms: int) -> dict[str, object]:
    """Return a new delivery as a row: due at once, or held back.

    Args:
        delivery_id: Its id.
        endpoint: Where it goes.
        message: A row of webhook_messages.
        now_ms: The database's time.
    """
    return {
        "delivery_id": delivery_id,
        "version": 1,
        "endpoint_id": endpoint.endpoint_id,
        "message_id": message.message_id,
        "event_type": message.event_type,
        "order_id": message.order_id,
        "state": DeliveryState.PENDING.value,
        "attempts": 0,
        "lease_owner": None,
        "due_at": None if endpoint.disabled else now_ms,
        "response_status": 0,
        "last_error": "",
        "created_at": message.created_at,
        "delivered_at": None,
    }


def delivery_columns(delivery: Delivery, due_at: int | None) -> dict[str, object]:
    """Return the columns of a delivery that an attempt changes.

    Args:
        delivery: As it is; nobody holds it any more.
        due_at: When it is tried next, by the database's clock, in milliseconds since 1970; None for never.
    """
    return {
        "version": delivery.version,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "lease_owner": None,
        "due_at": due_at,
        "response_status": delivery.response_status,
        "last_error": delivery.last_error,
        "delivered_at": delivery.delivered_at and to_ms(delivery.delivered_at),
    }


def delivery_from_row(row: Row[Any]) -> Delivery:
    """Return the delivery that a row holds."""
    return Delivery(
        delivery_id=row.delivery_id,
        endpoint_id=row.endpoint_id,
        message_id=row.message_id,
        event_type=row.event_type,
        order_id=row.order_id,
        created_at=from_ms(row.created_at),
        state=DeliveryState(row.state),
        version=row.version,
        attempts=row.attempts,
        due_at=None if row.due_at is None else from_ms(row.due_at),
        response_status=row.response_status,
        last_error=row.last_error,
        delivered_at=None if row.delivered_at is None else from_ms(row.delivered_at),
    )
