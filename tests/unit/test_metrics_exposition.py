"""What Prometheus reads is what was recorded, under the names that it gives to what comes by OTLP."""

from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chassis.telemetry import exposition
from chassis.telemetry.metrics import Counter, Gauge, Histogram, Metrics
from tests.fakes.unused_ports import unused_port

LOOPBACK = "127.0.0.1"


def samples(every: list[Metrics]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return what Prometheus makes of the text, by name and labels."""
    text = exposition.text(every).decode()
    return {
        (sample.name, tuple(sorted((name, value) for name, value in sample.labels.items() if value))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counters_gauges_and_histograms_are_read_as_they_were_recorded() -> None:
    metrics = Metrics("order")
    metrics.orders.add("PAID", amount=3)
    metrics.unsettled_age.set(12.5)
    for seconds in (0.004, 0.02, 0.02, 99.0):
        metrics.step_duration.record(seconds, "charge", "done")

    read = samples([metrics])

    job = ("job", "ordermesh/order")
    step = (("ordermesh_outcome", "done"), ("ordermesh_step", "charge"))
    assert read["ordermesh_orders_total", (job, ("ordermesh_order_state", "PAID"))] == 3
    assert read["ordermesh_orders_unsettled_age_seconds", (job,)] == 12.5
    assert read["ordermesh_step_duration_seconds_count", (job, *step)] == 4
    assert read["ordermesh_step_duration_seconds_sum", (job, *step)] == pytest.approx(99.044)
    buckets = {
        float(dict(labels)["le"]): value
        for (name, labels), value in read.items()
        if name == "ordermesh_step_duration_seconds_bucket"
    }
    assert [buckets[bound] for bound in (0.005, 0.01, 0.025, 10.0, float("inf"))] == [1, 1, 3, 3, 4]


def test_services_of_one_process_are_told_apart() -> None:
    order, notify = Metrics("order"), Metrics("notify")
    for metrics in (order, notify):
        metrics.outbox_depth.set(1, "mail")

    jobs = {dict(labels)["job"] for name, labels in samples([order, notify]) if name == "ordermesh_outbox_depth"}

    assert jobs == {"ordermesh/order", "ordermesh/notify"}


def test_what_nobody_used_is_not_shown() -> None:
    assert samples([Metrics("order")]) == {}


@pytest.mark.parametrize("kind", [Counter, Gauge, Histogram])
def test_every_name_is_one_that_prometheus_takes(kind: type[Counter | Gauge | Histogram]) -> None:
    of_kind = [each for each in Metrics("order").instruments() if isinstance(each, kind)]

    names = [exposition.exported_name(each.definition, kind) for each in of_kind]

    assert names
    assert all(name.replace("_", "").isalnum() and name.islower() for name in names)


def test_they_are_served_on_an_address_of_their_own_until_that_is_ended() -> None:
    metrics = Metrics("order")
    metrics.orders.add("PAID")
    port = unused_port()

    end = exposition.listen(f"{LOOPBACK}:{port}", lambda: [metrics])
    try:
        with urlopen(f"http://{LOOPBACK}:{port}/metrics", timeout=5) as answer:
            assert b"ordermesh_orders_total" in answer.read()
        with pytest.raises(OSError, match="in use"):
            exposition.listen(f"{LOOPBACK}:{port}", lambda: [metrics])
    finally:
        end()

    with pytest.raises(OSError, match="refused"):
        urlopen(f"http://{LOOPBACK}:{port}/metrics", timeout=5)
