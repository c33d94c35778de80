"""Stripe's own lists as the port ProviderBooks."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import stripe

from kernel.outcome import Done, NotDone, Unknown
from payment_svc.adapters.stripe_calls import Access, call, path_of
from payment_svc.adapters.stripe_objects import UNREADABLE, is_ours, is_release, listed_payment_of, listed_refund_of
from payment_svc.adapters.stripe_problem import Problem
from payment_svc.app.books import ListedPayment, ListedRefund, Page
from payment_svc.app.ports import Refused

T = TypeVar("T")

_logger = logging.getLogger(__name__)

# Nobody's customer waits for a list of a hundred, and Stripe takes a second or two to write it.
_LIST_SECONDS = 8.0
_READ_SECONDS = 3.0

_MISSING = "resource_missing"


class StripeBooks:
    """The port ProviderBooks, on Stripe.

    Args:
        access: The way to Stripe.
    """

    def __init__(self, access: Access) -> None:
        self._list_payments = access.client("list_payment_intents", _LIST_SECONDS)
        self._list_refunds = access.client("list_all_refunds", _LIST_SECONDS)
        self._read = access.client("retrieve_payment_intent", _READ_SECONDS)

    async def payments(self, cursor: str, size: int) -> Done[Page[ListedPayment]] | NotDone[Refused] | Unknown:
        """Return a page of all PaymentIntents; their charges say what was given back."""
        params = {"expand": ["data.latest_charge"]}
        return await _page(self._list_payments, "/v1/payment_intents", listed_payment_of, cursor, size, params)

    async def refunds(self, cursor: str, size: int) -> Done[Page[ListedRefund]] | NotDone[Refused] | Unknown:
        """Return a page of all refunds; not what was only held and let go."""
        return await _page(self._list_refunds, "/v1/refunds", _given_back, cursor, size, {})

    async def payment(self, intent_id: str) -> Done[ListedPayment] | NotDone[Refused] | Unknown:
        """Return one PaymentIntent as it would be listed."""
        answer = await call(self._read, "get", path_of(intent_id), listed_payment_of, {"expand": ["latest_charge"]})
        return NotDone(Refused(answer.code)) if isinstance(answer, Problem) else answer


async def _page(
    client: stripe.StripeClient,
    path: str,
    read: Callable[[Mapping[str, Any]], T | None],
    cursor: str,
    size: int,
    params: Mapping[str, Any],
) -> Done[Page[T]] | NotDone[Refused] | Unknown:
    asked = {**params, "limit": size, **({"starting_after": cursor} if cursor else {})}
    answer = await call(client, "get", path, lambda data: _page_of(data, read), asked)
    if not isinstance(answer, Problem):
        return answer
    return NotDone(Refused(answer.code)) if answer.code == _MISSING else Unknown(f"http {answer.status}")


def _given_back(data: Mapping[str, Any]) -> ListedRefund | None:
    return None if is_release(data) else listed_refund_of(data)


def _page_of(data: Mapping[str, Any], read: Callable[[Mapping[str, Any]], T | None]) -> Page[T]:
    """Return a page, without what cannot be read and is none of ours: currencies that others keep in old accounts."""
    items = []
    for each in data["data"]:
        try:
            item = read(each)
        except UNREADABLE:
            if is_ours(each):
                raise
            _logger.warning("stripe.unreadable", extra={"object": each.get("object"), "id": each.get("id")})
            continue
        if item is not None:
            items.append(item)
    return Page(tuple(items), data["data"][-1]["id"] if data["has_more"] else "")
