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
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.adapters.stripe_line import StripeLine
from payment_svc.adapters.stripe_objects import UNREADABLE
from payment_svc.adapters.stripe_problem import Problem, judge
from payment_svc.app.ports import Refused

T = TypeVar("T")

# The most that Stripe puts on a page.
_PAGE = 100


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


async def read_all(
    client: stripe.StripeClient,
    path: str,
    intent_id: str,
    read: Callable[[Mapping[str, Any]], T | None],
) -> Done[list[T]] | NotDone[Refused] | Unknown:
    """Return what a list has of one intent, newest first; the list shows what was made a moment ago.

    Args:
        client: For the operation.
        path: The list's.
        intent_id: The intent.
        read: Returns one of its objects in our words; None leaves it out.
    """
    params: dict[str, Any] = {"payment_intent": intent_id, "limit": _PAGE}
    found: list[T] = []
    while True:
        answer = await call(client, "get", path, lambda data: _page_of(data, read), params)
        if isinstance(answer, Problem):
            return NotDone(Refused(answer.code))
        if isinstance(answer, Unknown):
            return answer
        page, cursor = answer.value
        found += page
        if not cursor:
            return Done(found)
        params = {**params, "starting_after": cursor}


def _page_of(data: Mapping[str, Any], read: Callable[[Mapping[str, Any]], T | None]) -> tuple[list[T], str]:
    """Return what is on a page, and where the next one begins; empty when this is the last."""
    page = [item for item in map(read, data["data"]) if item is not None]
    return page, data["data"][-1]["id"] if data["has_more"] and data["data"] else ""


def path_of(intent_id: str) -> str:
    """Return the path of a PaymentIntent."""
    return f"/v1/payment_intents/{quote(intent_id, safe='')}"
