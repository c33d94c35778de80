"""The numbers that a service keeps about itself.

Recording adds to a plain dict, which costs a fraction of what an opentelemetry-sdk instrument does; the SDK is met only
when the sums are exported (chassis/telemetry/otlp.py), so that a process that exports nothing never loads it. Sums are
cumulative since the process started, as OTLP and Prometheus expect.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from chassis.telemetry import conventions as names

# Boundaries in seconds that the HTTP and RPC conventions advise.
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

# Doubling, up to the largest batch that a group commit writes.
BATCH_SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)

# Label values come from tables of ours, so that this is never reached but by mistake; the SDK's own limit is the same.
_MOST_SERIES: Final = 2000
_OVERFLOW: Final = "overflow"


@dataclass(frozen=True, slots=True)
class Definition:
    """What an instrument is called and counts.

    Attributes:
        name: As the conventions name it.
        unit: UCUM: "s", "{order}".
        description: One sentence for whoever reads a dashboard.
        labels: Attribute names, in the order in which values are given when recording.
    """

    name: str
    unit: str
    description: str
    labels: tuple[str, ...] = ()


class Counter:
    """A sum that only grows."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._sums: dict[tuple[str, ...], float] = {}
        self._lock = Lock()

    def add(self, *labels: str, amount: float = 1) -> None:
        """Add to the sum of these label values; an empty value leaves the label out."""
        with self._lock:
            sums = self._sums
            if labels not in sums and len(sums) >= _MOST_SERIES:
                labels = (_OVERFLOW,) * len(labels)
            sums[labels] = sums.get(labels, 0) + amount

    def read(self) -> dict[tuple[str, ...], float]:
        """Return the sums so far by label values."""
        with self._lock:
            return dict(self._sums)


class Gauge:
    """A value that goes up and down; the last one said counts."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._values: dict[tuple[str, ...], float] = {}
        self._lock = Lock()

    def set(self, value: float, *labels: str) -> None:
        """Say the value for these label values."""
        with self._lock:
            if labels not in self._values and len(self._values) >= _MOST_SERIES:
                labels = (_OVERFLOW,) * len(labels)
            self._values[labels] = value

    def read(self) -> dict[tuple[str, ...], float]:
        """Return the last values by label values."""
        with self._lock:
            return dict(self._values)


@dataclass(slots=True)
class Distribution:
    """How often values fell between the boundaries.

    Attributes:
        buckets: Counts of values at most each boundary, and one more for those above the last.
        count: Of all values.
        total: Sum of all values.
        smallest: The smallest value.
        largest: The largest value.
    """

    buckets: list[int]
    count: int = 0
    total: float = 0.0
    smallest: float = float("inf")
    largest: float = float("-inf")


class Histogram:
    """How values are spread."""

    def __init__(self, definition: Definition, boundaries: tuple[float, ...] = SECONDS) -> None:
        self.definition = definition
        self.boundaries = boundaries
        self._series: dict[tuple[str, ...], Distribution] = {}
        self._lock = Lock()

    def record(self, value: float, *labels: str) -> None:
        """Add one value to the series of these label values; an empty label value leaves the label out."""
        with self._lock:
            series = self._series.get(labels)
            if series is None:
                series = self._new_series(labels)
            series.buckets[bisect_left(self.boundaries, value)] += 1
            series.count += 1
            series.total += value
            series.smallest = min(series.smallest, value)
            series.largest = max(series.largest, value)

    def _new_series(self, labels: tuple[str, ...]) -> Distribution:
        if len(self._series) >= _MOST_SERIES:
            labels = (_OVERFLOW,) * len(labels)
        return self._series.setdefault(labels, Distribution([0] * (len(self.boundaries) + 1)))

    def read(self) -> dict[tuple[str, ...], Distribution]:
        """Return a copy of the distributions so far by label values."""
        with self._lock:
            return {
                labels: Distribution(list(one.buckets), one.count, one.total, one.smallest, one.largest)
                for labels, one in self._series.items()
            }


class Metrics:
    """Every instrument of one service.

    Args:
        service: Name of the service, exported as `service.name`.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        rpc_labels = (names.RPC_SYSTEM_NAME, names.RPC_METHOD, names.RPC_RESPONSE_STATUS_CODE, names.ERROR_TYPE)
        self.rpc_server_duration = Histogram(
            Definition("rpc.server.call.duration", "s", "Time to answer a call.", rpc_labels)
        )
        self.rpc_client_duration = Histogram(
            Definition("rpc.client.call.duration", "s", "Time that a call to another service took.", rpc_labels)
        )
        self.http_server_duration = Histogram(
            Definition(
                "http.server.request.duration",
                "s",
                "Time to answer an HTTP request.",
                (
                    names.HTTP_REQUEST_METHOD,
                    names.HTTP_ROUTE,
                    names.HTTP_RESPONSE_STATUS_CODE,
                    names.URL_SCHEME,
                    names.ERROR_TYPE,
                ),
            )
        )
        self.orders = Counter(
            Definition("ordermesh.orders", "{order}", "Orders by the state they ended in.", (names.ORDER_STATE,))
        )
        self.orders_limited = Counter(
            Definition(
                "ordermesh.orders.limited",
                "{request}",
                "Requests turned away because their customer had reached a limit.",
                (names.LIMIT,),
            )
        )
        self.orders_in_review = Gauge(
            Definition("ordermesh.orders.needs_review", "{order}", "Orders that a person has to look at.")
        )
        self.unsettled_age = Gauge(
            Definition("ordermesh.orders.unsettled_age", "s", "Age of the oldest order neither paid nor given up.")
        )
        self.customer_time = Gauge(
            Definition("ordermesh.orders.customer_time", "s", "Time that a customer may take to pay an order.")
        )
        self.step_duration = Histogram(
            Definition("ordermesh.step.duration", "s", "Time that a step took.", (names.STEP, names.OUTCOME))
        )
        self.compensations = Counter(
            Definition("ordermesh.compensations", "{compensation}", "Effects taken back.", (names.STEP, names.OUTCOME))
        )
        self.outbox_depth = Gauge(
            Definition("ordermesh.outbox.depth", "{message}", "Messages that wait to be sent.", (names.QUEUE,))
        )
        self.outbox_age = Gauge(
            Definition("ordermesh.outbox.age", "s", "Age of the oldest message that waits.", (names.QUEUE,))
        )
        self.provider_calls = Counter(
            Definition(
                "ordermesh.provider.calls",
                "{call}",
                "Calls to providers by what became of them.",
                (names.PROVIDER, names.OPERATION, names.OUTCOME),
            )
        )
        self.providers_down = Gauge(
            Definition(
                "ordermesh.provider.down",
                "{provider}",
                "1 while a provider is left alone because it did not answer; 0 while it is called.",
                (names.PROVIDER,),
            )
        )
        self.admission_limit = Gauge(
            Definition("ordermesh.admission.limit", "{call}", "Calls that may be in flight; low under too much load.")
        )
        self.webhook_events = Counter(
            Definition(
                "ordermesh.webhook.events",
                "{event}",
                "Events of providers by what they came to.",
                (names.PROVIDER, names.OUTCOME),
            )
        )
        self.webhook_deliveries = Counter(
            Definition(
                "ordermesh.webhook.deliveries",
                "{attempt}",
                "Attempts to deliver messages to other systems, by what they came to.",
                (names.OUTCOME,),
            )
        )
        self.certificate_expires = Gauge(
            Definition(
                "ordermesh.tls.certificate.expires",
                "s",
                "Unix time from which on the certificate is void.",
                (names.CERTIFICATE_USE,),
            )
        )
        self.open_disputes = Gauge(
            Definition("ordermesh.disputes.open", "{dispute}", "Disputes that the customer's bank has not settled yet.")
        )
        self.commits = Counter(Definition("ordermesh.commits", "{commit}", "Group commits.", (names.OUTCOME,)))
        self.commit_size = Histogram(
            Definition("ordermesh.commit.size", "{transition}", "Transitions per group commit."), BATCH_SIZES
        )

    def provider_reachable(self, provider: str) -> Callable[[bool], None]:
        """Return who is told whether a provider is called, or left alone: what a Breaker takes."""

        def tell(reachable: bool) -> None:  # noqa: FBT001  (the only thing there is to tell)
            self.providers_down.set(0.0 if reachable else 1.0, provider)

        return tell

    def batch_committed(self, size: int, seconds: float) -> None:
        """Count a group commit; the observer that open_store takes."""
        self.commits.add("")
        self.commit_size.record(size)

    def instruments(self) -> tuple[Counter | Gauge | Histogram, ...]:
        """Return all instruments."""
        return tuple(value for value in vars(self).values() if isinstance(value, Counter | Gauge | Histogram))
