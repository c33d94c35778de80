"""`ordermesh bench`: start the variants, load them in turn, print and write what an order costs.

The variants run side by side and are loaded in short alternating slices, so that whatever else the machine does falls
on all of them alike. Ratios are the result; absolute figures are the machine's.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from ordermesh.order.v1 import order_pb2
from rich.console import Console

from bench.load import place_orders
from bench.page import page
from bench.report import Figures, Report, Slice, Store
from bench.topology import Variant
from bench.variants import start_floor, start_mesh, start_product, start_sandbox, start_secured, start_stock
from cli.progress import progress

# Where `make prove` writes its page.
_PROOF = Path("docs/proof.md")

_SETTLE_SECONDS = 20.0

# A variant that uses less CPU than this while it is looked at does nothing but keep its connections alive.
_LOOK_SECONDS = 0.4
_IDLE_CPU_SECONDS = 0.012


async def measure(rounds: int, slice_orders: int, in_flight: int, folder: Path, *, tls: bool) -> Report:
    """Run the whole comparison.

    Args:
        rounds: How often each variant is loaded, after one slice to warm up.
        slice_orders: Orders per slice.
        in_flight: Orders at once.
        folder: For databases and logs.
        tls: Whether the product is measured with TLS as well.
    """
    sandbox, sandbox_address = start_sandbox(folder / "sandbox")
    sandbox.wait_until_listening()
    variants = [
        start_product(folder / "product", sandbox_address),
        start_mesh(folder / "mesh"),
        start_floor(folder / "floor", sandbox_address),
        start_stock(folder / "stock"),
        *([start_secured(folder / "secured", sandbox_address)] if tls else []),
    ]
    figures = {variant.name: Figures() for variant in variants}
    began = time.monotonic()
    try:
        with progress() as told:
            for number in range(rounds + 1):
                for place, variant in enumerate(variants):
                    done = number * len(variants) + place
                    told(f"measuring {variant.name}", done, (rounds + 1) * len(variants))
                    since = time.monotonic() - began
                    slice_ = await _slice(variant, f"{variant.name}-{number}", slice_orders, in_flight, since)
                    if number:
                        _add(figures[variant.name], slice_)
    finally:
        for variant in variants:
            variant.stop()
        sandbox.stop()
    placed = (rounds + 1) * slice_orders
    return Report(in_flight, figures, placed, _stores(variants[0]))


async def _slice(variant: Variant, prefix: str, orders: int, in_flight: int, since: float) -> Figures:
    """Load one variant once; its CPU is read when all that follows from its orders is done.

    Args:
        variant: What is loaded.
        prefix: Makes the idempotency keys of this slice its own.
        orders: How many.
        in_flight: How many at once.
        since: Seconds since the measuring began.
    """
    before = variant.cpu()
    load = await place_orders(variant.order_address, prefix, orders, in_flight, _paid, variant.connect)
    await _idle(variant)
    after = variant.cpu()
    cpu = {name: after[name] - before[name] for name in before}
    return Figures(load.orders, load.seconds, cpu, load.latencies, [Slice(since, load.seconds, load.orders)])


async def _idle(variant: Variant) -> None:
    """Return when the variant has finished what its orders left behind: mails, tax documents, marks."""
    used = sum(variant.cpu().values())
    async with asyncio.timeout(_SETTLE_SECONDS):
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = sum(variant.cpu().values())
            if now - used < _IDLE_CPU_SECONDS:
                return
            used = now


def _add(total: Figures, slice_: Figures) -> None:
    total.orders += slice_.orders
    total.seconds += slice_.seconds
    total.latencies += slice_.latencies
    total.slices += slice_.slices
    for name, seconds in slice_.cpu.items():
        total.cpu[name] = total.cpu.get(name, 0.0) + seconds


def _paid(order: order_pb2.Order) -> bool:
    return order.state == order_pb2.ORDER_STATE_PAID


def _stores(product: Variant) -> dict[str, Store]:
    """Return what each service wrote, which its stores log when they are closed."""
    return {process.name: _store(process.log_lines()) for process in product.processes}


def _store(lines: Iterable[Mapping[str, object]]) -> Store:
    closed = [line for line in lines if line.get("event") == "store.closed"]
    commits, changes, largest = (
        [int(str(line[name])) for line in closed] for name in ("commits", "changes", "largest_batch")
    )
    return Store(sum(commits), sum(changes), max(largest, default=0))


def main(
    rounds: int = 6,
    slice_orders: int = 400,
    in_flight: int = 64,
    report: Path = Path("bench/report.json"),
    *,
    tls: bool = False,
) -> None:
    """Measure, print, write."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="ordermesh-bench-") as folder:
        result = asyncio.run(measure(rounds, slice_orders, in_flight, Path(folder), tls=tls))
    result.show(console)
    result.write(report)
    drawn = report.with_suffix(".html")
    drawn.write_text(page(result, os.path.relpath(_PROOF, drawn.parent)))
    console.print(f"written to {report}, and drawn in {drawn}")


if __name__ == "__main__":
    main()
