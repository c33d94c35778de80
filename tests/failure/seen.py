"""Everything that can be read from outside: what the services say, and what the outside world has seen."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx

from tests.failure.history import Json
from tests.failure.receiver import Receiver

_PAGE = 200

# How many stories are read side by side.
_READERS = 8

# The length of an order's id, with which the codes of its tax documents begin.
_UUID = 36


@dataclass(frozen=True, slots=True)
class Seen:
    """All of it, by order id.

    Attributes:
        orders: What order_svc says.
        stories: Their journals and tasks.
        payments: What payment_svc says.
        notifications: What notify_svc says.
        charges: What Stripe took or holds.
        refunds: What Stripe gave back.
        documents: What AvaTax has recorded.
        mails: What SendGrid has taken.
        messages: What the shop's other system was told.
    """

    orders: dict[str, Json]
    stories: Mapping[str, Json]
    payments: Mapping[str, list[Json]]
    notifications: Mapping[str, list[Json]]
    charges: Mapping[str, list[Json]]
    refunds: Mapping[str, list[Json]]
    documents: Mapping[str, list[Json]]
    mails: Mapping[str, list[Json]]
    messages: Mapping[str, list[Json]]


class Onlooker:
    """Reads it.

    Args:
        rest_url: The gateway's.
        sandbox_url: The outside world's.
        receiver: The shop's other system.
    """

    def __init__(self, rest_url: str, sandbox_url: str, receiver: Receiver) -> None:
        self.rest_url = rest_url
        self.receiver = receiver
        self._sandbox_url = sandbox_url
        # A story in which nothing is left to be done stays as it is for as long as the order has its version.
        self._over: dict[str, Json] = {}

    async def look(self) -> Seen:
        """Read everything.

        Raises:
            httpx.HTTPError: Somebody did not answer.
        """
        async with httpx.AsyncClient(base_url=f"{self.rest_url}/api/v1", timeout=30) as client:
            orders = {order["order_id"]: order for order in await _all(client, "orders")}
            payments, notifications, ledger = await asyncio.gather(
                _all(client, "payments"), _all(client, "notifications"), client.get(f"{self._sandbox_url}/ledger")
            )
            ledger.raise_for_status()
            stories = await self._stories(client, orders)
        seen: Json = ledger.json()
        charged = {each["payment_intent"]: each["metadata"].get("order_id", "") for each in seen["charges"]}
        return Seen(
            orders=orders,
            stories=stories,
            payments=_by_order((each["order_id"], each) for each in payments),
            notifications=_by_order((each["order_id"], each) for each in notifications),
            charges=_by_order((charged[each["payment_intent"]], each) for each in seen["charges"]),
            refunds=_by_order((charged.get(each["payment_intent"], ""), each) for each in seen["refunds"]),
            documents=_by_order((each["code"][:_UUID], each) for each in seen["documents"]),
            mails=_by_order((each["custom_args"].get("order_id", ""), each) for each in seen["mails"]),
            messages=_by_order((each["data"]["order_id"], each) for each in self.receiver.messages.values()),
        )

    async def _stories(self, client: httpx.AsyncClient, orders: Mapping[str, Json]) -> Mapping[str, Json]:
        readers = asyncio.Semaphore(_READERS)

        async def read(order_id: str) -> None:
            async with readers:
                answer = await client.get(f"orders/{order_id}:explain")
            answer.raise_for_status()
            stories[order_id] = answer.json()

        stories = {
            order_id: story
            for order_id, story in self._over.items()
            if story["order"]["version"] == orders[order_id]["version"]
        }
        await asyncio.gather(*(read(order_id) for order_id in orders if order_id not in stories))
        self._over = {
            order_id: story
            for order_id, story in stories.items()
            if all(task.get("done") for task in story.get("tasks", ()))
        }
        return stories


async def _all(client: httpx.AsyncClient, name: str) -> list[Json]:
    """Read a list to its end."""
    found: list[Json] = []
    token = ""
    while True:
        answer = await client.get(name, params={"page_size": _PAGE, "page_token": token})
        answer.raise_for_status()
        body: Json = answer.json()
        found += body.get(name, [])
        token = body.get("next_page_token", "")
        if not token:
            return found


def _by_order(pairs: Iterable[tuple[str, Json]]) -> Mapping[str, list[Json]]:
    grouped: defaultdict[str, list[Json]] = defaultdict(list)
    for order_id, each in pairs:
        grouped[order_id].append(each)
    return grouped
