"""Runs the whole mesh, lets shops see their orders through, and compares the books."""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from ordermesh.client import AsyncClient, Policy
from ordermesh.order.v1 import order_pb2
from ordermesh.tax.v1 import tax_pb2

from tests.failure.audit import audited
from tests.fakes.mesh_process import environment
from tests.fakes.whole_mesh import Mesh, running_mesh
from tests.ledger.books import Books, read_books
from tests.ledger.check import complaints
from tests.ledger.shop import Shop, Told

# How many orders are under way at once: enough to keep two cores busy.
AT_ONCE = 16

# What is still under way when the last order was seen through is waited for, refunds that are pending at the bank for
# instance: until nothing has come of it for so long.
_PATIENCE_SECONDS = 20.0
_PAUSE_SECONDS = 1.0

# Every so often AvaTax is away for a few calls, so that some orders are charged at the fallback rate, and Stripe does
# what it is asked for without saying so.
_CLEAR_SECONDS = 20.0
_CALLS_LOST = 4


@dataclass(slots=True)
class Outcome:
    """What a run has shown.

    Attributes:
        books: Everybody's, at the end.
        told: What the shops were told, in the order of their numbers.
        wrong: What does not agree.
        audit: "clean", or what `ordermesh audit` says.
        seconds: How long it took to see all orders through.
    """

    books: Books
    told: list[Told] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    audit: str = ""
    seconds: float = 0.0


async def run(orders: int, seed: int, at_once: int = AT_ONCE) -> Outcome:
    """Place so many random orders, see them through and compare everybody's books."""
    with (
        tempfile.TemporaryDirectory(prefix="ordermesh-ledger-") as folder,
        running_mesh(Path(folder), **_settings(Path(folder))) as mesh,
    ):
        return await _on(mesh, orders, seed, at_once)


def _settings(folder: Path) -> dict[str, str]:
    values = environment(folder / "data")
    webhooks = f"http://{values['ORDERMESH_GATEWAY_ADDR']}/webhooks"
    return {
        **values,
        "SANDBOX_STRIPE_WEBHOOK_URL": f"{webhooks}/stripe",
        "SANDBOX_SENDGRID_WEBHOOK_URL": f"{webhooks}/sendgrid",
        "TAX_FALLBACK_RATES": "DE=0.19,FR=0.2,GB=0.2,US-WA=0.1,US-OR=0,CA=0.05,JP=0.1",
        "TAX_FALLBACK_RATE": "0.07",
    }


async def _on(mesh: Mesh, orders: int, seed: int, at_once: int) -> Outcome:
    values = mesh.values
    policy = Policy(command_seconds=60.0, read_seconds=60.0)
    async with (
        AsyncClient(
            order=values["ORDER_ADDR"],
            tax=values["TAX_ADDR"],
            payment=values["PAYMENT_ADDR"],
            notify=values["NOTIFY_ADDR"],
            policy=policy,
        ) as client,
        httpx.AsyncClient(base_url=f"http://{values['SANDBOX_ADDR']}") as sandbox,
    ):
        began = time.monotonic()
        weather = asyncio.create_task(_weather(sandbox))
        try:
            told = await _see_through(Shop(client, sandbox, seed), orders, at_once)
        finally:
            weather.cancel()
        seconds = time.monotonic() - began
        await sandbox.delete("/faults")
        books, wrong = await _settled(client, sandbox)
        outcome = Outcome(books, told, wrong, seconds=seconds)
        outcome.wrong += [f"order {each.number}: {complaint}" for each in told for complaint in each.complaints]
        outcome.wrong += _lost(told, books)
        outcome.audit = await _audit(values)
        return outcome


async def _see_through(shop: Shop, orders: int, at_once: int) -> list[Told]:
    numbers = iter(range(orders))
    told: list[Told] = []

    async def work() -> None:
        told.extend([await shop.see_through(number) for number in numbers])

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())
    return sorted(told, key=lambda each: each.number)


async def _weather(sandbox: httpx.AsyncClient) -> None:
    """Have AvaTax miss a few calls now and then, and Stripe's answers get lost."""
    missed = {"mode": "error", "status": 503, "operation": "transactions.create", "times": _CALLS_LOST}
    lost = {"mode": "lost_answer", "times": _CALLS_LOST}
    while True:
        await sandbox.put("/faults/avatax", json=missed)
        await sandbox.put("/faults/stripe", json=lost)
        await asyncio.sleep(_CLEAR_SECONDS)


async def _settled(client: AsyncClient, sandbox: httpx.AsyncClient) -> tuple[Books, list[str]]:
    """Return the books, once everything agrees or nothing changes any more."""
    before: list[str] = []
    since = time.monotonic()
    while True:
        books = await read_books(client, sandbox)
        wrong = complaints(books)
        if wrong != before:
            before, since = wrong, time.monotonic()
        if not wrong or time.monotonic() > since + _PATIENCE_SECONDS:
            return books, wrong
        await asyncio.sleep(_PAUSE_SECONDS)


def _lost(told: list[Told], books: Books) -> list[str]:
    """Return the orders that a shop was told of, and that are not there; and those that are there too much."""
    known = {each.order_id for each in told if each.order_id}
    lost = [f"{order_id} was acknowledged, and is not there" for order_id in known - set(books.orders)]
    refused = sum(1 for each in told if not each.order_id)
    if len(books.orders) - len(known) > refused:
        lost.append(f"there are {len(books.orders)} orders, and {len(told)} were placed")
    return lost


async def _audit(values: Mapping[str, str]) -> str:
    """Audit until it is clean; mails may take a little longer than all the rest."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        said = await audited(values)
        if said == "clean" or time.monotonic() > end:
            return said
        await asyncio.sleep(_PAUSE_SECONDS)


def report(outcome: Outcome) -> str:
    """Return what was done and how it came out, for a person."""
    orders = [each.order for each in outcome.books.orders.values()]
    states = Counter(order_pb2.OrderState.Name(each.state).removeprefix("ORDER_STATE_") for each in orders)
    currencies = Counter(each.subtotal.currency_code for each in orders)
    estimated = sum(each.tax.source == tax_pb2.TAX_SOURCE_FALLBACK for each in orders)
    lines = [
        f"{len(orders)} orders in {len(currencies)} currencies, {len(outcome.told) / outcome.seconds:.1f} a second",
        f"states        {_counts(states)}",
        f"currencies    {_counts(currencies)}",
        f"refunds       {sum(len(each.refunds) for each in orders)}",
        f"parts let go  {sum(each.payment.released.minor_units > 0 for each in orders)}",
        f"tax included  {sum(each.prices_include_tax for each in orders)}",
        f"at a fallback {estimated}",
        f"documents     {sum(len(each.documents) for each in outcome.books.orders.values())}",
        f"refused       {_counts(Counter(reason for each in outcome.told for reason in each.refused))}",
        f"audit         {outcome.audit}",
        *outcome.wrong,
        f"{len(outcome.wrong)} disagreements" if outcome.wrong else "Everything agrees to the minor unit.",
    ]
    return "\n".join(lines)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common()) or "none"
