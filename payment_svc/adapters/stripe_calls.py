"""Calls to Stripe below its SDK's typed services, and what their answers mean for the effect of the call.

Turning answers into the SDK's objects takes three quarters of a call's CPU, and nothing of them would be kept. The SDK
does not repeat calls here: whoever made one knows what to do when it fails.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import stripe

from chassis.breaker import Breaker
from chassis.config import Secret
from chassis.http import HttpError, HttpTransport
from kernel.outcome import Done, Unknown
from payment_svc.adapters.stripe_line import StripeLine
from payment_svc.adapters.stripe_objects import UNREADABLE
from payment_svc.adapters.stripe_problem import Problem, judge

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Access:
    """The way to one Stripe account.

    Attributes:
        api_key: Stripe's secret key.
        api_base: Where Stripe's API is.
        transport: Connections to there.
        breaker: Leaves Stripe alone while it is away.
    """

    api_key: Secret
    api_base: str
    transport: HttpTransport
    breaker: Breaker

    def client(self, operation: str, seconds: float, spare_seconds: float = 0.0) -> stripe.StripeClient:
        """Return a client for one operation; the rest as in StripeLine."""
        return stripe.StripeClient(
            self.api_key.reveal(),
            base_addresses={"api": self.api_base},
            http_client=StripeLine(self.transport, self.breaker, operation, seconds, spare_seconds),
            max_network_retries=0,
        )


async def call(
    client: stripe.StripeClient,
    method: str,
    path: str,
    read: Callable[[Mapping[str, Any]], T],
    params: Mapping[str, Any] | None = None,
    key: str | None = None,
) -> Done[T] | Problem | Unknown:
    """Make one call and read its answer."""
    try:
        response = await client.raw_request_async(method, path, idempotency_key=key, **(params or {}))
        return Done(read(response.data))
    except (HttpError, stripe.StripeError) as error:
        return judge(error)
    except UNREADABLE:
        return Unknown("unreadable answer")


def path_of(intent_id: str) -> str:
    """Return the path of a PaymentIntent."""
    return f"/v1/payment_intents/{quote(intent_id, safe='')}"
