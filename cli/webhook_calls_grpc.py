"""WebhookService as the command calls it: out come the documents of the REST API, errors come as refusals."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ordermesh.webhook.v1 import webhook_pb2, webhook_service_pb2_grpc
from ordermesh.webhook.v1 import webhook_service_pb2 as pb

from cli.calls_grpc import Json
from cli.config import CliConfig
from cli.dial_grpc import CALL_SECONDS, Line, dialled, run
from gateway.write_json import MessageWriters

__all__ = ["Json", "WebhookCalls", "run", "webhook_calls"]

_LARGEST_PAGE = 200


class WebhookCalls:
    """The calls, over one channel.

    All methods raise:
        Refusal: It was not done, for the reason given, or nobody answered (UNAVAILABLE, DEADLINE_EXCEEDED).
    """

    def __init__(self, line: Line) -> None:
        self._refusals = line.refusals
        self._stub = webhook_service_pb2_grpc.WebhookServiceStub(line.channel.for_stub)
        self._write = MessageWriters().write

    async def create(self, url: str, event_types: Sequence[str], description: str, request_id: str) -> Json:
        """Make an endpoint; the answer tells its secret."""
        request = pb.CreateWebhookEndpointRequest(
            request_id=request_id, url=url, event_types=event_types, description=description
        )
        with self._refusals():
            answer = await self._stub.CreateWebhookEndpoint(request, timeout=CALL_SECONDS)
        return self._document(answer.endpoint)

    async def endpoints(self) -> list[Json]:
        """Return all endpoints."""
        with self._refusals():
            answer = await self._stub.ListWebhookEndpoints(pb.ListWebhookEndpointsRequest(), timeout=CALL_SECONDS)
        return [self._document(each) for each in answer.endpoints]

    async def update(
        self, endpoint_id: str, request_id: str, *, url: str | None, event_types: Sequence[str], disabled: bool | None
    ) -> Json:
        """Change an endpoint; what is None or empty stays."""
        request = pb.UpdateWebhookEndpointRequest(
            request_id=request_id, endpoint_id=endpoint_id, url=url, event_types=event_types, disabled=disabled
        )
        with self._refusals():
            answer = await self._stub.UpdateWebhookEndpoint(request, timeout=CALL_SECONDS)
        return self._document(answer.endpoint)

    async def rotate(self, endpoint_id: str, request_id: str) -> Json:
        """Make a new secret; the answer tells it."""
        request = pb.RotateWebhookSecretRequest(request_id=request_id, endpoint_id=endpoint_id)
        with self._refusals():
            answer = await self._stub.RotateWebhookSecret(request, timeout=CALL_SECONDS)
        return self._document(answer.endpoint)

    async def delete(self, endpoint_id: str) -> None:
        """Take an endpoint away."""
        request = pb.DeleteWebhookEndpointRequest(endpoint_id=endpoint_id)
        with self._refusals():
            await self._stub.DeleteWebhookEndpoint(request, timeout=CALL_SECONDS)

    async def deliveries(
        self, *, endpoint_id: str, order_id: str, state: str, limit: int, told: Callable[[int], None]
    ) -> list[Json]:
        """Return at most `limit` deliveries, newest first; an empty filter lets all through.

        Tells how many there are so far.
        """
        found: list[Json] = []
        token = ""
        while len(found) < limit:
            told(len(found))
            request = pb.ListWebhookDeliveriesRequest(
                endpoint_id=endpoint_id,
                order_id=order_id,
                state=webhook_pb2.WebhookDeliveryState.Value(f"WEBHOOK_DELIVERY_STATE_{state or 'UNSPECIFIED'}"),
                page_size=min(limit - len(found), _LARGEST_PAGE),
                page_token=token,
            )
            with self._refusals():
                page = await self._stub.ListWebhookDeliveries(request, timeout=CALL_SECONDS)
            found += [self._document(each) for each in page.deliveries]
            token = page.next_page_token
            if not token:
                break
        return found

    async def replay(self, delivery_id: str, request_id: str) -> Json:
        """Have a message sent again."""
        request = pb.ReplayWebhookDeliveryRequest(request_id=request_id, delivery_id=delivery_id)
        with self._refusals():
            answer = await self._stub.ReplayWebhookDelivery(request, timeout=CALL_SECONDS)
        return self._document(answer.delivery)

    def _document(self, message: Any) -> Json:  # noqa: ANN401  (any message of the contract)
        document: Json = self._write(message)
        return document


@asynccontextmanager
async def webhook_calls(address: str, config: CliConfig | None = None) -> AsyncIterator[WebhookCalls]:
    """Open a channel to order_svc, which serves webhooks as well, and close it again."""
    service = pb.DESCRIPTOR.services_by_name["WebhookService"]
    async with dialled(address, "ORDER_ADDR", service, config) as line:
        yield WebhookCalls(line)
