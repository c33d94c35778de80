"""A shop whose other systems listen: the order service as it runs in production, and both of its stubs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from ordermesh.webhook.v1 import webhook_pb2, webhook_service_pb2_grpc
from ordermesh.webhook.v1 import webhook_service_pb2 as pb

from tests.fakes.order_requests import place_request
from tests.fakes.order_service import Shop
from tests.fakes.webhook_sink import Delivery

PATIENCE_SECONDS = 60.0

DELIVERED = webhook_pb2.WEBHOOK_DELIVERY_STATE_DELIVERED
PENDING = webhook_pb2.WEBHOOK_DELIVERY_STATE_PENDING


@dataclass
class HookShop:
    """The stubs, and what tests do with them most."""

    orders: Any
    hooks: Any

    async def place(self, key: str = "k-1") -> str:
        """Place an order that is paid at once, and return its id."""
        order_id: str = (await self.orders.PlaceOrder(place_request(key))).order.order_id
        return order_id

    async def create(self, url: str, *event_types: str, key: str = "e-1") -> webhook_pb2.WebhookEndpoint:
        request = pb.CreateWebhookEndpointRequest(request_id=key, url=url, event_types=event_types)
        endpoint: webhook_pb2.WebhookEndpoint = (await self.hooks.CreateWebhookEndpoint(request)).endpoint
        return endpoint

    async def update(self, endpoint_id: str, key: str, **changes: Any) -> webhook_pb2.WebhookEndpoint:  # noqa: ANN401  (fields of the request)
        request = pb.UpdateWebhookEndpointRequest(request_id=key, endpoint_id=endpoint_id, **changes)
        endpoint: webhook_pb2.WebhookEndpoint = (await self.hooks.UpdateWebhookEndpoint(request)).endpoint
        return endpoint

    async def replay(self, delivery_id: str, key: str) -> webhook_pb2.WebhookDelivery:
        request = pb.ReplayWebhookDeliveryRequest(request_id=key, delivery_id=delivery_id)
        delivery: webhook_pb2.WebhookDelivery = (await self.hooks.ReplayWebhookDelivery(request)).delivery
        return delivery

    async def log(self, **filters: Any) -> list[webhook_pb2.WebhookDelivery]:  # noqa: ANN401  (fields of the request)
        return list((await self.hooks.ListWebhookDeliveries(pb.ListWebhookDeliveriesRequest(**filters))).deliveries)

    async def until(
        self, ready: Callable[[webhook_pb2.WebhookDelivery], bool], count: int = 1
    ) -> list[webhook_pb2.WebhookDelivery]:
        """Return the log once it has so many deliveries and all of them are ready."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found = await self.log()
                if len(found) == count and all(map(ready, found)):
                    return found
                await asyncio.sleep(0.05)


@asynccontextmanager
async def a_hook_shop(shop: Shop) -> AsyncIterator[HookShop]:
    """Run the service, and yield stubs for it."""
    async with shop.open() as orders, grpc.aio.insecure_channel(shop.address) as channel:
        yield HookShop(orders, webhook_service_pb2_grpc.WebhookServiceStub(channel))


async def taken(next_one: Callable[[], Any], count: int) -> list[Delivery]:
    """Return the next deliveries that a receiver gets."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [await next_one() for _ in range(count)]
