"""The figures of one run: what was measured, what follows from it, as JSON and as a table."""

import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

_MILLI = 1000.0


@dataclass(frozen=True, slots=True)
class Slice:
    """One load of one variant.

    Attributes:
        began: Seconds since the measuring began.
        seconds: How long it took.
        orders: How many orders it placed.
    """

    began: float
    seconds: float
    orders: int


@dataclass(frozen=True, slots=True)
class Store:
    """What one service wrote in its life: transactions, the changes in them, and the most that shared one."""

    commits: int
    changes: int
    largest_batch: int


@dataclass
class Figures:
    """What the slices of one variant add up to.

    Attributes:
        orders: Orders placed.
        seconds: Wall-clock seconds of the slices.
        cpu: CPU seconds by process, the time in which the last mails left included.
        latencies: Of each order, in seconds.
        slices: Each of them.
    """

    orders: int = 0
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)

    @property
    def cpu_ms_per_order(self) -> float:
        """Return the CPU of all processes per order, in milliseconds."""
        return sum(self.cpu.values()) * _MILLI / self.orders

    def percentile(self, hundredth: int) -> float:
        """Return a percentile of the latencies in milliseconds."""
        return statistics.quantiles(self.latencies, n=100)[hundredth - 1] * _MILLI

    def as_json(self) -> dict[str, object]:
        """Return the figures as bench/report.json has them."""
        return {
            "orders_per_s": round(self.orders / self.seconds, 1),
            "cpu_ms_per_order": round(self.cpu_ms_per_order, 3),
            "cpu_ms_per_order_by_process": {
                name: round(seconds * _MILLI / self.orders, 3) for name, seconds in self.cpu.items()
            },
            "p50_ms": round(self.percentile(50), 2),
            "p99_ms": round(self.percentile(99), 2),
        }


@dataclass
class Report:
    """One whole run.

    Attributes:
        in_flight: Orders at once.
        variants: By name: product, mesh, floor, stock, and secured where TLS was asked for.
        placed: How many orders the product placed, those that warmed it up too.
        stores: What each service of the product wrote for them.
    """

    in_flight: int
    variants: dict[str, Figures]
    placed: int
    stores: dict[str, Store]

    @property
    def commits_per_order(self) -> dict[str, float]:
        """Return database transactions per order, by service."""
        return {name: store.commits / self.placed for name, store in self.stores.items()}

    @property
    def floor(self) -> float:
        """Return what an order costs on the floor, in milliseconds of CPU."""
        return self.variants["floor"].cpu_ms_per_order

    def as_json(self) -> dict[str, object]:
        """Return the report as bench/report.json has it."""
        product = self.variants["product"].cpu_ms_per_order
        mesh = self.variants["mesh"].cpu_ms_per_order
        stock = self.variants["stock"].cpu_ms_per_order
        secured = self.variants.get("secured")
        return {
            "in_flight": self.in_flight,
            **{name: figures.as_json() for name, figures in self.variants.items()},
            "commits_per_order": round(sum(self.commits_per_order.values()), 3),
            "commits_per_order_by_service": {name: round(each, 3) for name, each in self.commits_per_order.items()},
            "changes_per_commit_by_service": {
                name: round(store.changes / max(1, store.commits), 2) for name, store in self.stores.items()
            },
            "ratio_cpu": round(product / self.floor, 3),
            "ratio_stock_hops": round(mesh / stock, 3),
            **({} if secured is None else {"ratio_tls": round(secured.cpu_ms_per_order / product, 3)}),
        }

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        path.write_text(json.dumps(self.as_json(), indent=2) + "\n")

    def show(self, console: Console) -> None:
        """Print the report for a person."""
        table = Table(title=f"{self.in_flight} orders in flight, each part a process of its own")
        for column in ("", "orders/s", "CPU ms/order", "p50 ms", "p99 ms"):
            table.add_column(column, justify="left" if not column else "right")
        for name, figures in self.variants.items():
            table.add_row(
                name,
                f"{figures.orders / figures.seconds:.0f}",
                f"{figures.cpu_ms_per_order:.2f}",
                f"{figures.percentile(50):.1f}",
                f"{figures.percentile(99):.1f}",
            )
            for process, seconds in figures.cpu.items():
                table.add_row(f"  {process}", "", f"{seconds * _MILLI / figures.orders:.2f}", "", "", style="dim")
        console.print(table)
        summary = self.as_json()
        console.print(f"commits per order      {summary['commits_per_order']}")
        console.print(f"ratio_cpu              {summary['ratio_cpu']}  product / floor")
        console.print(
            f"ratio_stock_hops       {summary['ratio_stock_hops']}  mesh (no provider calls) / four empty stock hops"
        )
        if "ratio_tls" in summary:
            console.print(f"ratio_tls              {summary['ratio_tls']}  product with mutual TLS / product")
