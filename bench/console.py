"""`ordermesh bench --console`: what it adds to an order's CPU that somebody looks on.

The product and its gateway are loaded in slices, every other one with the console open and `/metrics` read; two that
follow each other make a pair, and what comes first changes from pair to pair, so that a machine which grows slower
and tables which grow fall on both alike.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ordermesh.order.v1 import order_pb2, order_service_pb2_grpc
from rich.console import Console

from bench.load import place_orders, request
from bench.onlooker import Onlooker
from bench.topology import Variant
from bench.variants import start_sandbox, start_watched
from chassis.trust.transport import plaintext
from cli.progress import progress

_MILLI = 1000.0

# What the last orders of a slice have left behind (mails, documents, webhooks) is done by then.
_SETTLE_SECONDS = 3.0

# How long nothing but the onlooker is at work, to see what it costs by itself.
_ALONE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Pair:
    """Two slices, one after the other.

    Attributes:
        alone_ms: CPU of all processes per order while nobody looks, in milliseconds.
        watched_ms: The same while somebody does.
        rate: Orders per second of the two together.
    """

    alone_ms: float
    watched_ms: float
    rate: float

    @property
    def ratio(self) -> float:
        """Return the second to the first."""
        return self.watched_ms / self.alone_ms


async def measure(pairs: int, slice_orders: int, in_flight: int, folder: Path, console: Console) -> None:
    """Run the comparison and print it.

    Args:
        pairs: How many, after one slice to warm up.
        slice_orders: Orders per slice.
        in_flight: Orders at once.
        folder: For databases and logs.
        console: Shows the result.
    """
    sandbox, sandbox_address = start_sandbox(folder / "sandbox")
    sandbox.wait_until_listening()
    variant, gateway, metrics = start_watched(folder / "product", sandbox_address)
    try:
        waiting = await _waiting_order(variant)
        onlooker = Onlooker(gateway, metrics, f"/console/orders/{waiting}")
        await _slice(variant, "warm", slice_orders, in_flight)
        done = []
        with progress() as told:
            for number in range(pairs):
                told("measuring", number, pairs)
                done.append(await _pair(variant, onlooker, number, slice_orders, in_flight))
            told("measuring what it does without orders")
            idle = await _by_itself(variant)
            async with _looking(onlooker):
                watched = await _by_itself(variant)
    finally:
        variant.stop()
        sandbox.stop()
    _show(done, idle, watched, onlooker, console)


async def _pair(variant: Variant, onlooker: Onlooker, number: int, orders: int, in_flight: int) -> Pair:
    async def alone() -> float:
        return await _slice(variant, f"alone-{number}", orders, in_flight)

    async def watched() -> float:
        async with _looking(onlooker):
            return await _slice(variant, f"watched-{number}", orders, in_flight)

    began = time.monotonic()
    if number % 2:
        watched_ms, alone_ms = await watched(), await alone()
    else:
        alone_ms, watched_ms = await alone(), await watched()
    return Pair(alone_ms, watched_ms, 2 * orders / (time.monotonic() - began - 2 * _SETTLE_SECONDS))


@asynccontextmanager
async def _looking(onlooker: Onlooker) -> AsyncIterator[None]:
    task = asyncio.create_task(onlooker.look())
    try:
        yield
        if task.done():
            await task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _slice(variant: Variant, prefix: str, orders: int, in_flight: int) -> float:
    """Load the variant once, and return the CPU of all its processes per order, in milliseconds."""
    before = sum(variant.cpu().values())
    await place_orders(variant.order_address, prefix, orders, in_flight, _paid)
    await asyncio.sleep(_SETTLE_SECONDS)
    return (sum(variant.cpu().values()) - before) * _MILLI / orders


async def _by_itself(variant: Variant) -> float:
    """Return the CPU of all processes while no order is placed, in milliseconds per second."""
    before = sum(variant.cpu().values())
    await asyncio.sleep(_ALONE_SECONDS)
    return (sum(variant.cpu().values()) - before) * _MILLI / _ALONE_SECONDS


async def _waiting_order(variant: Variant) -> str:
    """Place an order that waits for its customer, and return its id."""
    channel = plaintext(variant.order_address, [])
    try:
        asked = request("waiting")
        asked.payment_method = "pm_card_authenticationRequired"
        answer = await order_service_pb2_grpc.OrderServiceStub(channel).PlaceOrder(asked)
    finally:
        await channel.close()
    return answer.order.order_id


def _paid(order: order_pb2.Order) -> bool:
    return order.state == order_pb2.ORDER_STATE_PAID


def _show(pairs: list[Pair], idle: float, watched: float, onlooker: Onlooker, console: Console) -> None:
    ratios = sorted(pair.ratio for pair in pairs)
    alone = [pair.alone_ms for pair in pairs]
    for name, figures in (("nobody looks", alone), ("console open", [pair.watched_ms for pair in pairs])):
        each = ", ".join(f"{figure:.2f}" for figure in figures)
        console.print(f"{name}: {statistics.median(figures):.2f} ms of CPU per order ({each})")
    console.print(
        f"ratio_console          {statistics.median(ratios):.3f}  console open / nobody looks, "
        f"median of {len(ratios)} pairs, {ratios[0]:.3f} to {ratios[-1]:.3f}"
    )
    rate = statistics.median(pair.rate for pair in pairs)
    # What looking on costs goes by the clock: where others use the machine, fewer orders bear it.
    console.print(
        f"                       at {rate:.0f} orders/s, {rate * statistics.median(alone) / _MILLI:.2f} cores"
    )
    console.print(f"without orders         {watched:.1f} ms of CPU a second with the console open, {idle:.1f} without")
    console.print(f"a core at its limit    {1 + (watched - idle) / _MILLI:.3f}  with that beside its orders")
    console.print(
        f"seen                   {onlooker.pages} pages, {onlooker.events} events, {onlooker.scrapes} times /metrics"
    )


def main(pairs: int = 6, slice_orders: int = 400, in_flight: int = 64) -> None:
    """Measure and print."""
    console = Console(soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="ordermesh-bench-") as folder:
        asyncio.run(measure(pairs, slice_orders, in_flight, Path(folder), console))
