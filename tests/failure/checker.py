"""Compares what shops were told, what the services say, and what the outside world has seen."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

import httpx

from tests.failure.rules_books import check_books
from tests.failure.rules_told import check_told
from tests.failure.seen import Onlooker, Seen
from tests.failure.told import Asked


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


async def settled(onlooker: Onlooker, asked: Iterable[Asked], seconds: float) -> list[Complaint]:
    """Return what is wrong once everything has settled, or what is still wrong when the time is up.

    Args:
        onlooker: Reads it.
        asked: What shops asked for and were told.
        seconds: How long unfinished things may take to be finished.
    """
    end = time.monotonic() + seconds
    known = list(asked)
    while True:
        try:
            waiting = await onlooker.receiver.catch_up(onlooker.rest_url)
            complaints = check(known, await onlooker.look())
        except httpx.HTTPError as error:
            complaints = [Complaint("", f"it cannot be read: {error!r}", final=False)]
        else:
            complaints += [Complaint("", each, final=True) for each in onlooker.receiver.complaints]
            complaints += [Complaint("", f"{waiting} webhooks are to come", final=False)] if waiting else []
        if not complaints or any(each.final for each in complaints) or time.monotonic() > end:
            return complaints
        await asyncio.sleep(0.3)


def check(asked: Iterable[Asked], seen: Seen) -> list[Complaint]:
    """Return everything that is not as it was promised."""
    complaints: list[Complaint] = []
    keys: dict[str, Asked] = {}
    for each in asked:
        complaints += [Complaint(each.key, what, final) for what, final in check_told(each, seen)]
        keys.update(dict.fromkeys(each.order_ids, each))
    for order_id in seen.orders:
        known = keys.get(order_id)
        key = known.key if known else ""
        for what, final in check_books(order_id, known, seen):
            complaints.append(Complaint(key, f"order {order_id}: {what}", final))
    for name in ("payments", "notifications", "charges", "refunds", "documents", "mails", "messages"):
        strangers: set[str] = set(getattr(seen, name)) - set(seen.orders)
        complaints += [Complaint("", f"{name} of {each!r} belong to no order", final=True) for each in strangers]
    return complaints
