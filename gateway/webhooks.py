"""The providers' webhooks: raw body and signature go, untouched, to the service that can check them."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from google.protobuf import message_factory
from starlette.types import Receive, Scope, Send

from gateway.asgi import Exchange
from gateway.contract import Contract, ContractError, field_rules
from gateway.endpoint import Endpoints
from gateway.transcoder import UNARY_SECONDS, Backend
from gateway.write_json import MessageWriters
from kernel.errors import Reason, Refusal

_PAYLOAD = "payload"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One provider's webhook.

    Attributes:
        path: Where the provider sends its events.
        method: The RPC that takes them in; its request has the raw body as `payload`.
        headers: The header that becomes each other field of the request.
        summary: What it is for, in the documentation.
    """

    path: str
    method: str
    headers: Mapping[str, str]
    summary: str


WEBHOOKS = (
    Webhook(
        path="/webhooks/stripe",
        method="ordermesh.payment.v1.PaymentService.IngestStripeEvent",
        headers={"signature": "Stripe-Signature"},
        summary="Takes in an event from Stripe",
    ),
    Webhook(
        path="/webhooks/sendgrid",
        method="ordermesh.notify.v1.NotifyService.IngestSendgridEvents",
        headers={
            "signature": "X-Twilio-Email-Event-Webhook-Signature",
            "timestamp": "X-Twilio-Email-Event-Webhook-Timestamp",
        },
        summary="Takes in a batch of events from SendGrid",
    ),
)


class WebhookEndpoint:
    """The ASGI application behind one webhook: 200 only once the service has stored the event."""

    def __init__(self, webhook: Webhook, contract: Contract, backend: Backend, endpoints: Endpoints) -> None:
        method = contract.method(webhook.method)
        self._webhook = webhook
        self._endpoints = endpoints
        self._limit = payload_limit(webhook, contract)
        self._request = message_factory.GetMessageClass(method.input_type)
        self._write = MessageWriters().of_message(method.output_type)
        self._backend_admits = backend.admit
        self._call = backend.unary_unary(
            f"/{method.containing_service.full_name}/{method.name}",
            self._request.SerializeToString,
            message_factory.GetMessageClass(method.output_type).FromString,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one delivery."""
        exchange = Exchange(scope, receive, send)
        await self._endpoints.run("POST", self._webhook.path, exchange, lambda: self._handle(exchange))

    async def _handle(self, exchange: Exchange) -> None:
        fields = {}
        for name, header in self._webhook.headers.items():
            value = exchange.headers.one(header.lower().encode())
            if not value or not value.isascii():
                raise Refusal(Reason.SIGNATURE_INVALID, f"The header {header} is missing or malformed.")
            fields[name] = value
        self._endpoints.require_room()
        self._backend_admits()
        payload = await self._endpoints.strangers_bodies.read(exchange, self._limit)
        with self._endpoints.admission.admitted():
            answer = await self._call(self._request(**{_PAYLOAD: payload}, **fields), timeout=UNARY_SECONDS)
        await exchange.respond(200, orjson.dumps(self._write(answer)))


def payload_limit(webhook: Webhook, contract: Contract) -> int:
    """Return how many bytes of body the contract allows.

    Raises:
        ContractError: It does not say.
    """
    rules = field_rules(contract.method(webhook.method).input_type.fields_by_name[_PAYLOAD])
    if rules is None or not rules.bytes.max_len:
        raise ContractError(f"{webhook.method}: its {_PAYLOAD} has no max_len")
    return int(rules.bytes.max_len)
