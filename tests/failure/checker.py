"""Compares what shops were told, what the services say, and what the outside world has seen."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx

from tests.failure.shop import Asked, Json

# A confirmation is sent at least once; each kill between sending and recording can add one.
_MOST_MAILS = 3

_PAID = frozenset({"PAID", "PROCESSING", "SHIPPED", "DELIVERED", "REFUNDED"})
_FINAL = _PAID | {"FAILED", "CANCELLED"}

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that can be read from outside, by order id.

    Attributes:
        orders: What order_svc says.
        payments: What payment_svc says.
        notifications: What notify_svc says.
        charges: What Stripe took or holds.
        documents: What AvaTax has recorded.
        mails: What SendGrid has delivered.
    """

    orders: dict[str, Json]
    payments: Mapping[str, list[Json]]
    notifications: Mapping[str, list[Json]]
    charges: Mapping[str, list[Json]]
    documents: Mapping[str, list[Json]]
    mails: Mapping[str, list[Json]]


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with one order.

    Attributes:
        key: Under which a shop asked for it; empty when none did.
        what: In words.
        final: Whether no time will mend it: a promise is broken, and not merely something unfinished.
    """

    key: str
    what: str
    final: bool


async def look(rest_url: str, sandbox_url: str) -> Seen:
    """Read everything.

    Raises:
        httpx.HTTPError: Somebody did not answer.
    """
    async with httpx.AsyncClient(timeout=30) as client:
        orders, payments, notifications, ledger = await asyncio.gather(
            _all(client, f"{rest_url}/api/v1/orders", "orders"),
            _all(client, f"{rest_url}/api/v1/payments", "payments"),
            _all(client, f"{rest_url}/api/v1/notifications", "notifications"),
            client.get(f"{sandbox_url}/ledger"),
        )
    ledger.raise_for_status()
    seen: Json = ledger.json()
    return Seen(
        orders={order["order_id"]: order for order in orders},
        payments=_by_order((each["order_id"], each) for each in payments),
        notifications=_by_order((each["order_id"], each) for each in notifications),
        charges=_by_order((each["metadata"].get("order_id", ""), each) for each in seen["charges"]),
        documents=_by_order((each["code"], each) for each in seen["documents"]),
        mails=_by_order((each["custom_args"].get("order_id", ""), each) for each in seen["mails"]),
    )


async def settled(rest_url: str, sandbox_url: str, asked: Iterable[Asked], seconds: float) -> list[Complaint]:
    """Return what is wrong once everything has settled, or what is still wrong when the time is up.

    Args:
        rest_url: The gateway's.
        sandbox_url: The outside world's.
        asked: What shops asked for and were told.
        seconds: How long unfinished things may take to be finished.
    """
    end = time.monotonic() + seconds
    known = list(asked)
    while True:
        try:
            complaints = check(known, await look(rest_url, sandbox_url))
        except httpx.HTTPError as error:
            complaints = [Complaint("", f"it cannot be read: {error!r}", final=False)]
        if not complaints or any(each.final for each in complaints) or time.monotonic() > end:
            return complaints
        await asyncio.sleep(0.3)


def check(asked: Iterable[Asked], seen: Seen) -> list[Complaint]:
    """Return everything that is not as it was promised."""
    complaints: list[Complaint] = []
    keys: dict[str, Asked] = {}
    for each in asked:
        complaints += _check_told(each, seen)
        keys.update(dict.fromkeys(each.order_ids, each))
    for order_id, order in seen.orders.items():
        known = keys.get(order_id)
        key = known.key if known else ""
        fate = known.customer.fate if known else ""
        for what, final in _check_order(order_id, order, fate, seen):
            complaints.append(Complaint(key, f"order {order_id}: {what}", final))
    for name in ("payments", "notifications", "charges", "documents", "mails"):
        strangers: set[str] = set(getattr(seen, name)) - set(seen.orders)
        complaints += [Complaint("", f"{name} of {each!r} belong to no order", final=True) for each in strangers]
    return complaints


def _check_told(asked: Asked, seen: Seen) -> Iterable[Complaint]:
    """Compare what a shop was told with what is there."""
    if len(asked.order_ids) > 1:
        yield Complaint(asked.key, f"one key made the orders {sorted(asked.order_ids)}", final=True)
    for order_id in asked.order_ids - set(seen.orders):
        yield Complaint(asked.key, f"order {order_id} was told and is lost", final=True)
    for order_id, state, at in asked.told:
        now = seen.orders.get(order_id, {}).get("state", state)
        if state in _FINAL and now != state:
            yield Complaint(asked.key, f"order {order_id} was told {state} at {at} and is {now}", final=True)


def _check_order(order_id: str, order: Json, fate: str, seen: Seen) -> Iterable[tuple[str, bool]]:
    """Yield what is wrong with an order, and whether no time will mend it."""
    state = order["state"]
    paid = state in _PAID
    if state not in _FINAL:
        yield f"it is still {state}", False
    elif fate and fate != state and not (fate == "PAID" and paid):
        yield f"its customer should make it {fate}, and it is {state}", True
    if order.get("needs_review"):
        yield "a person would have to look at it", True
    due = _minor(order, "total") - _minor(order, "refunded") if paid else 0
    yield from _check_money(
        due, seen.charges.get(order_id, []), seen.payments.get(order_id, []), settled=state in _FINAL
    )
    yield from _check_documents(paid, state in _FINAL, seen.documents.get(order_id, []))
    yield from _check_mails(paid, state in _FINAL, seen.mails.get(order_id, []), seen.notifications.get(order_id, []))


def _check_money(due: int, charges: list[Json], payments: list[Json], *, settled: bool) -> Iterable[tuple[str, bool]]:
    """Compare what the order says with Stripe and with payment_svc."""
    if len(charges) > 1:
        yield f"it was charged {len(charges)} times", True
    kept = sum(each["amount"] - each["amount_refunded"] for each in charges)
    ledger = sum(_minor(each, "captured") - _minor(each, "refunded") for each in payments)
    # Money may move before the order knows: only the settled order has to agree.
    if settled and (kept != due or ledger != due):
        yield f"{due} is due, Stripe has {kept}, payment_svc says {ledger}", False
    if settled and any(each["status"] != "succeeded" for each in charges):
        yield f"money is held: {[each['status'] for each in charges]}", False


def _check_documents(paid: bool, settled: bool, documents: list[Json]) -> Iterable[tuple[str, bool]]:  # noqa: FBT001  (private)
    """One committed invoice for a paid order, and none for another."""
    invoices = [each for each in documents if each["type"] == "SalesInvoice"]
    if len(invoices) > 1:
        yield f"it has {len(invoices)} tax documents", True
    if settled and not paid and any(each["status"] == "Committed" for each in invoices):
        yield "it is not paid and has a tax document", True
    if paid and [each["status"] for each in invoices] != ["Committed"]:
        yield f"it is paid and its tax documents are {[each['status'] for each in invoices]}", False


def _check_mails(
    paid: bool,  # noqa: FBT001  (private)
    settled: bool,  # noqa: FBT001  (private)
    mails: list[Json],
    notifications: list[Json],
) -> Iterable[tuple[str, bool]]:
    """One to three mails for a paid order, and none for another."""
    if settled and not paid and (mails or notifications):
        yield f"it is not paid, and {len(mails)} mails and {len(notifications)} notifications tell of it", True
    if len(mails) > _MOST_MAILS or len(notifications) > 1:
        yield f"{len(mails)} mails and {len(notifications)} notifications tell of it", True
    if paid and not (mails and notifications):
        yield "it is paid and nobody has told the customer", False
    if any(each["state"] == "ACCEPTED" for each in notifications):
        yield "its notification is not settled", False


async def _all(client: httpx.AsyncClient, url: str, name: str) -> list[Json]:
    """Read a list to its end."""
    found: list[Json] = []
    token = ""
    while True:
        answer = await client.get(url, params={"page_size": _PAGE, "page_token": token})
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


def _minor(body: Json, name: str) -> int:
    return int(body.get(name, {}).get("minor_units", 0))
