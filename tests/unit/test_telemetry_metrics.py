"""The numbers: sums add up, values fall into their buckets, and no mistake in a label can eat the memory."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.telemetry.metrics import Counter, Definition, Gauge, Histogram, Metrics

LABELLED = Definition("x", "{x}", "X.", ("color",))


def test_a_counter_adds_up_by_labels() -> None:
    counter = Counter(LABELLED)
    counter.add("red")
    counter.add("red", amount=2)
    counter.add("blue")

    assert counter.read() == {("red",): 3, ("blue",): 1}


def test_a_gauge_says_the_last_value() -> None:
    gauge = Gauge(LABELLED)
    gauge.set(5, "red")
    gauge.set(2, "red")

    assert gauge.read() == {("red",): 2}


@pytest.mark.parametrize(("value", "bucket"), [(0, 0), (1, 0), (1.1, 1), (10, 1), (10.1, 2), (1e9, 2)])
def test_a_boundary_belongs_to_the_bucket_below_it(value: float, bucket: int) -> None:
    histogram = Histogram(LABELLED, (1.0, 10.0))
    histogram.record(value, "red")

    (series,) = histogram.read().values()
    assert [index for index, count in enumerate(series.buckets) if count] == [bucket]


def test_a_histogram_keeps_count_sum_and_extremes() -> None:
    histogram = Histogram(LABELLED)
    for value in (0.2, 0.1, 0.4):
        histogram.record(value, "red")

    series = histogram.read()[("red",)]
    assert (series.count, series.smallest, series.largest) == (3, 0.1, 0.4)
    assert series.total == pytest.approx(0.7)


def test_what_was_read_does_not_change_any_more() -> None:
    histogram = Histogram(LABELLED)
    histogram.record(1, "red")
    before = histogram.read()
    histogram.record(1, "red")

    assert before[("red",)].count == 1
    assert sum(before[("red",)].buckets) == 1


def test_labels_without_bound_end_in_one_series() -> None:
    counter, gauge, histogram = Counter(LABELLED), Gauge(LABELLED), Histogram(LABELLED)
    for number in range(5_000):
        counter.add(str(number))
        gauge.set(1, str(number))
        histogram.record(1, str(number))

    for labels in (counter.read().keys(), gauge.read().keys(), histogram.read().keys()):
        assert len(labels) == 2_001
        assert ("overflow",) in labels


def test_threads_do_not_lose_each_others_counts() -> None:
    counter, histogram = Counter(LABELLED), Histogram(LABELLED)

    def work() -> None:
        for _ in range(2_000):
            counter.add("red")
            histogram.record(1, "red")

    with ThreadPoolExecutor(4) as threads:
        for _ in range(4):
            threads.submit(work)

    assert counter.read() == {("red",): 8_000}
    assert histogram.read()[("red",)].count == 8_000


def test_every_instrument_has_a_name_of_its_own() -> None:
    names = [instrument.definition.name for instrument in Metrics("order").instruments()]

    assert len(names) == len(set(names)) == 21
