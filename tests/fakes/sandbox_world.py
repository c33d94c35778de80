"""A running sandbox with a client for each of its sides."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import stripe
from stripe.params import PaymentIntentCreateParams, PaymentIntentCreateParamsAutomaticPaymentMethods

from kernel.clock import Clock
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

CARD_ONLY: PaymentIntentCreateParamsAutomaticPaymentMethods = {"enabled": True, "allow_redirects": "never"}
AVATAX_AUTH = ("2000000000", "license-key")
SENDGRID_KEY = {"authorization": "Bearer SG.test"}
STRIPE_KEY = {"authorization": "Bearer sk_test_1"}
WASHINGTON = {
    "line1": "1600 Pennsylvania Ave NW", "city": "Washington", "region": "DC", "country": "US", "postalCode": "20500",
}  # fmt: skip
PHILADELPHIA = {
    "line1": "822 Reed St", "city": "Philadelphia", "region": "PA", "country": "US", "postalCode": "19147",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class World:
    """A sandbox that listens on a free port."""

    url: str
    http: httpx.AsyncClient
    sdk: stripe.StripeClient

    async def pay(self, amount: int = 1000, method: str = "pm_card_visa", **more: object) -> stripe.PaymentIntent:
        """Create and confirm a PaymentIntent."""
        params: dict[str, object] = {
            "amount": amount,
            "currency": "usd",
            "automatic_payment_methods": CARD_ONLY,
            "confirm": True,
            "payment_method": method,
            **more,
        }
        return await self.sdk.v1.payment_intents.create_async(cast("PaymentIntentCreateParams", params))

    async def stripe_post(self, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
        """POST a raw form to Stripe."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(f"/stripe{path}", data=form, headers={**STRIPE_KEY, **names})

    async def avatax_post(self, path: str, body: object) -> httpx.Response:
        """POST to AvaTax."""
        return await self.http.post(f"/avatax/api/v2{path}", json=body, auth=AVATAX_AUTH)

    async def avatax_get(self, path: str) -> httpx.Response:
        """GET from AvaTax."""
        return await self.http.get(f"/avatax/api/v2{path}", auth=AVATAX_AUTH)

    async def send_mail(self, mail: object) -> httpx.Response:
        """Send a mail through SendGrid."""
        return await self.http.post("/sendgrid/v3/mail/send", json=mail, headers=SENDGRID_KEY)

    async def mails(self, **query: str) -> list[dict[str, Any]]:
        """Look into the mailbox."""
        answer = await self.http.get("/sendgrid/_sandbox/mailbox", params=query)
        mails: list[dict[str, Any]] = answer.json()["mails"]
        return mails

    async def ledger(self, order_id: str | None = None) -> dict[str, list[dict[str, Any]]]:
        """Read the ledger."""
        answer = await self.http.get("/ledger", params={} if order_id is None else {"order_id": order_id})
        ledger: dict[str, list[dict[str, Any]]] = answer.json()
        return ledger

    async def fault(self, provider: str, **fault: object) -> httpx.Response:
        """Set a fault."""
        return await self.http.put(f"/faults/{provider}", json=fault)


def document(**more: object) -> dict[str, Any]:
    """Return a tax document over 15 dollars to Philadelphia."""
    return {
        "type": "SalesInvoice",
        "code": "order-1",
        "companyCode": "DEFAULT",
        "customerCode": "customer-1",
        "date": "2026-11-23",
        "currencyCode": "USD",
        "lines": [
            {"number": "1", "quantity": 1, "amount": 10.0, "taxCode": "P0000000", "itemCode": "SKU-1"},
            {"number": "2", "amount": 5.0, "taxCode": "FR"},
        ],
        "addresses": {"shipFrom": WASHINGTON, "shipTo": PHILADELPHIA},
        **more,
    }


def mail(to: str = "buyer@shop.example", **more: object) -> dict[str, Any]:
    """Return a mail with two parts."""
    return {
        "personalizations": [{"to": [{"email": to}], "custom_args": {"order_id": "order-1", "message_id": "m-1"}}],
        "from": {"email": "orders@shop.example", "name": "The shop"},
        "subject": "Your order",
        "content": [{"type": "text/plain", "value": "Thank you."}, {"type": "text/html", "value": "<p>Thank you.</p>"}],
        **more,
    }


@asynccontextmanager
async def sandbox_world(
    data_dir: Path,
    *,
    clock: Clock | None = None,
    stripe_webhook_url: str = "",
    sendgrid_webhook_url: str = "",
) -> AsyncIterator[World]:
    """Run a sandbox over a data directory for as long as the context is open."""
    config = SandboxConfig(
        port=0,
        data_dir=data_dir,
        stripe_webhook_url=stripe_webhook_url,
        stripe_webhook_secret="whsec_test",
        sendgrid_webhook_url=sendgrid_webhook_url,
    )
    sandbox = Sandbox(config, clock)
    await sandbox.start()
    transport = stripe.AIOHTTPClient()
    try:
        async with httpx.AsyncClient(base_url=sandbox.base_url, timeout=30) as http:
            client = stripe.StripeClient(
                "sk_test_1",
                base_addresses={"api": f"{sandbox.base_url}/stripe"},
                http_client=transport,
                max_network_retries=0,
            )
            yield World(sandbox.base_url, http, client)
    finally:
        await transport.close_async()  # type: ignore[no-untyped-call]  # the SDK forgot to annotate it
        await sandbox.stop()
