"""ordermesh.webhook.v1.WebhookService: wire to use case to wire."""

from typing import Any

import grpc
from ordermesh.webhook.v1 import webhook_service_pb2 as pb
from ordermesh.webhook.v1 import webhook_service_pb2_grpc

from chassis import caller
from chassis.wire import fingerprint
from kernel.request import Request
from order_svc import page_wire
from order_svc import webhook_wire as wire
from order_svc.app.webhook_endpoints import KeepEndpoints
from order_svc.app.webhook_log import ReadDeliveryLog
from order_svc.domain.webhook_endpoint import checked_event_types, checked_url
from order_svc.domain.webhook_reach import Reach

Context = grpc.aio.ServicerContext[Any, Any]


class WebhookServicer(webhook_service_pb2_grpc.WebhookServiceServicer):
    """Translates, calls, translates.

    Args:
        endpoints: Keeps the endpoints.
        log: Reads the delivery log.
        reach: Where endpoints may be.
    """

    def __init__(self, endpoints: KeepEndpoints, log: ReadDeliveryLog, reach: Reach) -> None:
        self._reach = reach
        self._endpoints = endpoints
        self._log = log

    async def CreateWebhookEndpoint(
        self, request: pb.CreateWebhookEndpointRequest, context: Context
    ) -> pb.CreateWebhookEndpointResponse:
        made = await self._endpoints.create(
            checked_url(request.url, self._reach),
            checked_event_types(request.event_types),
            request.description,
            _key(request),
        )
        return pb.CreateWebhookEndpointResponse(endpoint=wire.endpoint_to_wire(made.endpoint, made.secret))

    async def ListWebhookEndpoints(
        self, request: pb.ListWebhookEndpointsRequest, context: Context
    ) -> pb.ListWebhookEndpointsResponse:
        found = await self._endpoints.endpoints()
        return pb.ListWebhookEndpointsResponse(endpoints=[wire.endpoint_to_wire(each) for each in found])

    async def UpdateWebhookEndpoint(
        self, request: pb.UpdateWebhookEndpointRequest, context: Context
    ) -> pb.UpdateWebhookEndpointResponse:
        change = wire.change_from_wire(request, self._reach)
        endpoint = await self._endpoints.update(request.endpoint_id, change, _key(request))
        return pb.UpdateWebhookEndpointResponse(endpoint=wire.endpoint_to_wire(endpoint))

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, context: Context
    ) -> pb.RotateWebhookSecretResponse:
        made = await self._endpoints.rotate(request.endpoint_id, _key(request))
        return pb.RotateWebhookSecretResponse(endpoint=wire.endpoint_to_wire(made.endpoint, made.secret))

    async def DeleteWebhookEndpoint(
        self, request: pb.DeleteWebhookEndpointRequest, context: Context
    ) -> pb.DeleteWebhookEndpointResponse:
        await self._endpoints.delete(request.endpoint_id)
        return pb.DeleteWebhookEndpointResponse()

    async def ListWebhookDeliveries(
        self, request: pb.ListWebhookDeliveriesRequest, context: Context
    ) -> pb.ListWebhookDeliveriesResponse:
        size = page_wire.page_size_from_wire(request.page_size)
        # One more than asked for tells whether there is a next page.
        found = await self._log.page(wire.filter_from_wire(request), wire.page_token_from_wire(request), size + 1)
        token = wire.page_token_to_wire(request, found[size - 1]) if len(found) > size else ""
        return pb.ListWebhookDeliveriesResponse(
            deliveries=[wire.delivery_to_wire(each) for each in found[:size]], next_page_token=token
        )

    async def ReplayWebhookDelivery(
        self, request: pb.ReplayWebhookDeliveryRequest, context: Context
    ) -> pb.ReplayWebhookDeliveryResponse:
        delivery = await self._log.replay(request.delivery_id, _key(request))
        return pb.ReplayWebhookDeliveryResponse(delivery=wire.delivery_to_wire(delivery))


def _key(
    request: pb.CreateWebhookEndpointRequest
    | pb.UpdateWebhookEndpointRequest
    | pb.RotateWebhookSecretRequest
    | pb.ReplayWebhookDeliveryRequest,
) -> Request:
    return Request(caller.current().key_owner, request.request_id, fingerprint(request))
