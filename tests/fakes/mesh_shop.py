"""A shop in front of a whole mesh, that can also look into the providers' books and have them fail."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import grpc
import httpx
from ordermesh.payment.v1 import payment_service_pb2, payment_service_pb2_grpc
from ordermesh.type.v1 import money_pb2
from stripe import WebhookSignature

from kernel.clock import SystemClock
from tests.fakes.mesh_process import ordermesh
from tests.fakes.whole_mesh import Json, Mesh, ledger, place, until

if TYPE_CHECKING:
    from ordermesh.payment.v1.payment_service_pb2_grpc import PaymentServiceAsyncStub

THREE_D_SECURE = "pm_card_threeDSecure2Required"

# What the sandbox signs its events with, unless it is told otherwise. A published default; it guards nothing.
_WEBHOOK_SECRET = "whsec_sandbox_ordermesh"

_STRIPE_KEY = {"authorization": "Bearer sk_test_1"}


class MeshShop:
    """Places orders, reads them, and knows what the providers did.

    Attributes:
        mesh: The processes.
        payments: payment_svc, called as order_svc calls it.
    """

    def __init__(
        self, mesh: Mesh, rest: httpx.AsyncClient, sandbox: httpx.AsyncClient, payments: "PaymentServiceAsyncStub"
    ) -> None:
        self.mesh = mesh
        self.payments = payments
        self._rest = rest
        self._sandbox = sandbox

    async def place(self, key: str, **changes: object) -> httpx.Response:
        """Place the example order, changed; while a service is away, again with the same key."""
        return await place(self._rest, key, **changes)

    async def order(self, order_id: str) -> Json:
        """Return an order, as soon as it can be read."""
        return await until(lambda: self._found(f"/orders/{order_id}"))

    async def story(self, order_id: str) -> Json:
        """Return an order's journal and tasks."""
        return await until(lambda: self._found(f"/orders/{order_id}:explain"))

    async def until_state(self, order_id: str, state: str) -> Json:
        """Return an order once it has come to a state."""

        async def look() -> Json | None:
            order = await self.order(order_id)
            return order if order["state"] == state else None

        return await until(look)

    async def until_done(self, order_id: str) -> Json:
        """Return an order's books at the providers, once it is paid, recorded and confirmed."""

        async def look() -> Json | None:
            story = await self.story(order_id)
            books = await self.ledger(order_id)
            # The reminder of a customer who has acted by now is looked at in five minutes, and not sent.
            left = [task for task in story["tasks"] if not task["done"] and "action_required" not in task["kind"]]
            return books if not left and books["mails"] else None

        await self.until_state(order_id, "PAID")
        return await until(look)

    async def charging(self) -> Json:
        """Return the one order that is about to be charged: its tax is known, and the charge is under way."""

        async def look() -> list[Json]:
            found = await self._found("/orders?state=PENDING") or {}
            return [order for order in found.get("orders", ()) if "tax" in order]

        (order,) = await until(look)
        return order

    async def payment(self, order_id: str) -> Json:
        """Return the payment of an order as payment_svc shows it."""
        (payment,) = (await until(lambda: self._found(f"/payments?order_id={order_id}")))["payments"]
        found: Json = payment
        return found

    async def notification(self, order_id: str) -> Json:
        """Return the notification of an order as notify_svc shows it, once it has one."""

        async def look() -> list[Json]:
            return list((await self._found(f"/notifications?order_id={order_id}") or {}).get("notifications", ()))

        (notification,) = await until(look)
        return notification

    async def refund(
        self, payment: Json, minor_units: int, request_id: str
    ) -> payment_service_pb2.RefundPaymentResponse:
        """Give money back."""
        amount = money_pb2.Money(currency_code=payment["amount"]["currency_code"], minor_units=minor_units)
        request = payment_service_pb2.RefundPaymentRequest(
            request_id=request_id, payment_id=payment["payment_id"], amount=amount
        )
        return await self.payments.RefundPayment(request, timeout=30)

    async def retry(self, order_id: str, key: str) -> Json:
        """Take a parked order up again, as a person does, and return it."""
        answer = await self._rest.post(f"/orders/{order_id}:retry", json={}, headers={"Idempotency-Key": key})
        assert answer.status_code == httpx.codes.OK, answer.text
        order: Json = answer.json()
        return order

    async def until_parked(self, order_id: str) -> Json:
        """Return an order once it is on the list of those that a person has to look at."""

        async def look() -> Json | None:
            listed = (await self._found("/orders?needs_review=true") or {}).get("orders", ())
            return next((order for order in listed if order["order_id"] == order_id), None)

        return await until(look)

    async def ledger(self, order_id: str) -> Json:
        """Return what the providers did for an order."""
        return await ledger(self._sandbox, order_id)

    async def differences(self, order_id: str) -> list[str]:
        """Return the kinds of differences that `ordermesh audit` finds about an order, however young it is."""
        audit = partial(ordermesh, "audit", "--grace", "0", "--output", "json", values=self.mesh.values)
        found = json.loads((await asyncio.to_thread(audit)).stdout)["differences"]
        return [difference["kind"] for difference in found if difference["order_id"] == order_id]

    async def until_agreed(self, order_id: str) -> None:
        """Wait until our ledgers and the providers' own lists say the same about an order."""

        async def look() -> bool:
            return not await self.differences(order_id)

        await until(look)

    async def fail(self, provider: str, mode: str, **fields: object) -> None:
        """Have a provider fail from now on."""
        answer = await self._sandbox.put(f"/faults/{provider}", json={"mode": mode, **fields})
        assert answer.status_code == httpx.codes.OK, answer.text

    async def heal(self) -> None:
        """Have all providers work again."""
        await self._sandbox.delete("/faults")

    async def authenticate(self, intent_id: str) -> httpx.Response:
        """Finish 3-D Secure, as the customer does."""
        path = f"/stripe/_sandbox/payment_intents/{intent_id}/authenticate"
        return await self._sandbox.post(path, json={"outcome": "succeed"})

    async def intents(self, order_id: str) -> list[str]:
        """Return the ids of all intents that Stripe has for an order."""
        answer = await self._sandbox.get("/stripe/v1/payment_intents", params={"limit": 100}, headers=_STRIPE_KEY)
        return [each["id"] for each in answer.json()["data"] if each["metadata"].get("order_id") == order_id]

    async def deliver(self, kind: str, intent_id: str, event_id: str) -> Json:
        """Deliver an event about an intent to the webhook, signed as Stripe does, and return the answer."""
        about = {"id": intent_id, "object": "payment_intent", "status": "succeeded"}
        event = {"id": event_id, "object": "event", "type": kind, "livemode": False, "data": {"object": about}}
        body = json.dumps(event)
        signature = WebhookSignature.generate_signature_header(
            body, _WEBHOOK_SECRET, int(SystemClock().now().timestamp())
        )
        url = f"http://{self.mesh.values['ORDERMESH_GATEWAY_ADDR']}/webhooks/stripe"
        answer = await self._rest.post(url, content=body, headers={"stripe-signature": signature})
        assert answer.status_code == httpx.codes.OK, answer.text
        taken: Json = answer.json()
        return taken

    async def _found(self, path: str) -> Json | None:
        answer = await self._rest.get(path)
        found: Json | None = answer.json() if answer.status_code == httpx.codes.OK else None
        return found


@asynccontextmanager
async def mesh_shop(mesh: Mesh) -> AsyncIterator[MeshShop]:
    """Yield a shop in front of a mesh; when it leaves, no provider fails any more."""
    gateway, outside = (f"http://{mesh.values[name]}" for name in ("ORDERMESH_GATEWAY_ADDR", "SANDBOX_ADDR"))
    async with (
        httpx.AsyncClient(base_url=f"{gateway}/api/v1", timeout=30) as rest,
        httpx.AsyncClient(base_url=outside, timeout=30) as sandbox,
        grpc.aio.insecure_channel(mesh.values["PAYMENT_ADDR"]) as channel,
    ):
        shop = MeshShop(mesh, rest, sandbox, payment_service_pb2_grpc.PaymentServiceStub(channel))
        yield shop
        await shop.heal()
