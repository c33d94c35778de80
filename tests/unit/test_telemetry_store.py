"""The span store: what is appended can be read, traces find their relatives, and the file stays within bounds."""

import sqlite3
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import pytest

from chassis.telemetry.spans import Span, SpanContext
from chassis.telemetry.store import SpanStore

HOUR = 3_600_000_000_000


def span(
    trace_id: int, span_id: int, *, start: int = 1_000, end: int = 2_000, links: tuple[SpanContext, ...] = ()
) -> Span:
    context = SpanContext(trace_id, span_id, sampled=True)
    made = Span("order", "PlaceOrder", "server", context, 0, start, {"rpc.method": "x", "count": 3, "ok": True}, links)
    made.end_ns = end
    return made


def hexadecimal(trace_id: int) -> str:
    return f"{trace_id:032x}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SpanStore]:
    opened = SpanStore(tmp_path / "new" / "spans.db")
    yield opened
    opened.close()


def test_a_span_reads_back_as_it_was(store: SpanStore) -> None:
    whole = span(2**127 + 1, 2**64 - 1, start=1_700_000_000_000_000_001, end=1_700_000_000_000_000_002)
    whole.parent_id = 9
    whole.links = (SpanContext(5, 6, sampled=True),)
    whole.fail("DEADLINE_EXCEEDED")

    store.append([whole])

    (stored,) = store.trace(hexadecimal(whole.trace_id))
    assert stored.trace_id == f"{2**127 + 1:032x}"
    assert (stored.span_id, stored.parent_id) == ("ffffffffffffffff", "0000000000000009")
    assert (stored.service, stored.name, stored.kind) == ("order", "PlaceOrder", "server")
    assert (stored.start_ns, stored.end_ns) == (1_700_000_000_000_000_001, 1_700_000_000_000_000_002)
    assert stored.attributes == {"rpc.method": "x", "count": 3, "ok": True}
    assert stored.links == ((f"{5:032x}", f"{6:016x}"),)
    assert (stored.status, stored.status_message) == ("error", "DEADLINE_EXCEEDED")


def test_a_trace_written_in_several_batches_is_one_and_in_order(store: SpanStore) -> None:
    store.append([span(1, 12, start=30), span(2, 20)])
    store.append([span(1, 10, start=10), span(1, 11, start=20)])

    assert [one.span_id[-2:] for one in store.trace(hexadecimal(1))] == ["0a", "0b", "0c"]
    assert store.trace(hexadecimal(3)) == []


def test_a_parent_comes_before_a_child_that_began_at_the_same_moment(store: SpanStore) -> None:
    store.append([span(1, 2, end=2_000), span(1, 1, end=3_000)])

    assert [one.span_id[-1] for one in store.trace(hexadecimal(1))] == ["1", "2"]


def test_traces_that_go_on_from_others_are_found_and_no_others(store: SpanStore) -> None:
    order, mail, retry, stranger = 1, 2, 3, 4
    store.append([span(order, 10, links=(SpanContext(retry, 30, sampled=True),)), span(retry, 30), span(stranger, 40)])
    store.append([span(mail, 20, links=(SpanContext(order, 10, sampled=True),))])

    def found(*traces: int) -> set[str]:
        return {one.trace_id for one in store.going_on_from([hexadecimal(trace) for trace in traces])}

    assert found(order) == {hexadecimal(mail)}
    assert found(retry) == {hexadecimal(order)}
    assert found(retry, order) == {hexadecimal(mail)}
    assert found(stranger) == set()


def test_what_ended_long_before_is_not_read(store: SpanStore) -> None:
    for number in range(1, 11):
        store.append([span(number, 1, end=number * HOUR, links=(SpanContext(99, 1, sampled=True),))])

    first = store.first_since(8 * HOUR)

    assert [number for number in range(1, 11) if store.trace(hexadecimal(number), first=first)] == [8, 9, 10]
    assert len(store.going_on_from([hexadecimal(99)], first=first)) == 3
    assert store.trace(hexadecimal(7), first=store.first_since(7 * HOUR + 1)), "others may have written theirs before"
    assert store.first_since(0) == 0


def test_a_span_that_cannot_be_written_is_left_out_and_the_others_stay(store: SpanStore) -> None:
    broken = span(1, 1)
    broken.attributes["too big"] = 2**70

    assert store.append([broken, span(2, 2)]) == 1
    assert store.trace(hexadecimal(1)) == []
    assert len(store.trace(hexadecimal(2))) == 1


def test_the_oldest_spans_go_when_there_are_too_many(tmp_path: Path) -> None:
    store = SpanStore(tmp_path / "spans.db", most_spans=20)
    for number in range(1, 31):
        store.append([span(number, 1), span(number, 2)])
        store.prune(2_000)

    kept = [number for number in range(1, 31) if store.trace(hexadecimal(number))]
    assert kept == list(range(21, 31))
    assert store._db.execute("SELECT count(*) FROM batches").fetchone() == (10,)
    assert store._db.execute("SELECT count(*) FROM contents").fetchone() == (10,)
    store.close()


def test_a_large_batch_is_whole_again_when_it_is_read(store: SpanStore) -> None:
    store.append([span(number % 7 + 1, number) for number in range(1, 5_001)])

    assert sum(len(store.trace(hexadecimal(trace_id))) for trace_id in range(1, 8)) == 5_000


def test_rows_go_when_they_are_too_old(tmp_path: Path) -> None:
    store = SpanStore(tmp_path / "spans.db", oldest_ns=HOUR)
    store.append([span(1, 1, end=1 * HOUR)])
    store.append([span(2, 1, end=5 * HOUR)])

    store.prune(int(5.5 * HOUR))

    assert store.trace(hexadecimal(1)) == []
    assert len(store.trace(hexadecimal(2))) == 1
    store.close()


def test_an_empty_store_can_be_pruned(store: SpanStore) -> None:
    store.prune(0)


def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    SpanStore(tmp_path / "new" / "spans.db").close()

    assert (tmp_path / "new" / "spans.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_store_is_an_error_and_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "spans.db"
    path.write_bytes(b"not a database" * 100)

    with pytest.raises(sqlite3.Error):
        SpanStore(path)

    assert path.read_bytes() == b"not a database" * 100


def _append_many(path: Path, first: int) -> None:
    store = SpanStore(path)
    for number in range(first, first + 50):
        store.append([span(number, 1), span(1_000_000, number)])
    store.close()


def test_several_processes_write_one_file(tmp_path: Path) -> None:
    spawn = get_context("spawn")
    processes = [spawn.Process(target=_append_many, args=(tmp_path / "spans.db", n * 100 + 1)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0, 0]
    store = SpanStore(tmp_path / "spans.db")
    assert len(store.trace(hexadecimal(1_000_000))) == 150
    store.close()
