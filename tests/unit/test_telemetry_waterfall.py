"""The waterfall: several traces become one tree on one time line, and one drawing."""

from io import StringIO

import pytest
from rich.console import Console

from chassis.telemetry.spans import AttributeValue
from chassis.telemetry.store import StoredSpan
from chassis.telemetry.waterfall import Row, TimeLine, rows
from cli.waterfall_view import waterfall
from gateway.console.drawing import bars
from tests.fakes.stored_spans import MILLISECOND, stored_span


def shape(tree: list[Row]) -> list[tuple[int, str, bool]]:
    return [(len(row.branches), row.span.span_id, row.linked) for row in tree]


def drawn(spans: list[StoredSpan], *, width: int = 100, with_attributes: bool = False, colour: bool = False) -> str:
    out = Console(file=StringIO(), width=width, highlight=False, force_terminal=colour)
    out.print(waterfall(spans, width, with_attributes=with_attributes))
    assert isinstance(out.file, StringIO)
    return out.file.getvalue()


def test_children_stand_below_their_parent_in_the_order_in_which_they_began() -> None:
    spans = [
        stored_span("t", "late", "root", start=5, end=9),
        stored_span("t", "early", "root", start=1, end=4),
        stored_span("t", "within", "early", start=2, end=3),
        stored_span("t", "root", start=0, end=10),
    ]

    assert shape(rows(spans)) == [(0, "root", False), (1, "early", False), (2, "within", False), (1, "late", False)]


def test_a_trace_that_goes_on_later_hangs_under_the_span_that_it_links_to() -> None:
    spans = [
        stored_span("t", "root", start=0, end=3),
        stored_span("t", "child", "root", start=1, end=2),
        stored_span("later", "task", links=(("t", "child"),), start=50, end=60),
        stored_span("later", "call", "task", start=51, end=52),
    ]

    assert shape(rows(spans)) == [(0, "root", False), (1, "child", False), (2, "task", True), (3, "call", False)]


def test_a_span_whose_parent_is_outside_the_mesh_is_a_root() -> None:
    assert shape(rows([stored_span("t", "server", "client-of-the-shop")])) == [(0, "server", False)]


def test_a_link_to_a_trace_that_is_not_there_leaves_a_root() -> None:
    assert shape(rows([stored_span("t", "task", links=(("gone", "x"),))])) == [(0, "task", False)]


def test_a_trace_hangs_where_any_of_its_spans_links_to() -> None:
    spans = [
        stored_span("t", "root", start=0, end=3),
        stored_span("t", "charge", "root", start=1, end=2),
        stored_span("hook", "received", start=50, end=60),
        stored_span("hook", "read", "received", links=(("gone", "x"), ("t", "charge")), start=51, end=52),
        stored_span("work", "apply", links=(("hook", "read"), ("t", "charge")), start=53, end=54),
    ]

    assert shape(rows(spans)) == [
        (0, "root", False),
        (1, "charge", False),
        (2, "received", True),
        (3, "read", False),
        (4, "apply", True),
    ]


def test_what_goes_on_with_two_spans_at_once_is_shown_once_under_the_one_that_it_names_first() -> None:
    """As a batch of events about two mails of one order."""
    spans = [
        stored_span("one", "first", start=0, end=1),
        stored_span("two", "second", start=2, end=3),
        stored_span("both", "batch", links=(("two", "second"), ("one", "first")), start=5, end=6),
    ]

    assert shape(rows(spans)) == [(0, "first", False), (0, "second", False), (1, "batch", True)]


def test_traces_that_link_to_each_other_are_all_shown_once() -> None:
    spans = [
        stored_span("a", "a1", links=(("b", "b1"),), start=0),
        stored_span("b", "b1", links=(("a", "a1"),), start=1),
    ]

    assert sorted(row.span.span_id for row in rows(spans)) == ["a1", "b1"]


def test_times_lie_on_the_line_to_scale() -> None:
    line = TimeLine([stored_span("t", "a", start=100, end=200), stored_span("t", "b", start=150, end=300)])

    assert line.start_ns == 100 * MILLISECOND
    assert [line.position(time * MILLISECOND) for time in (100, 150, 300)] == [0.0, 0.25, 1.0]


def test_an_idle_gap_is_cut_to_a_twentieth_of_the_busy_time() -> None:
    line = TimeLine([stored_span("t", "a", start=0, end=100), stored_span("u", "b", start=60_000, end=60_100)])

    assert line.position(100 * MILLISECOND) == pytest.approx(100 / 210)
    assert line.position(60_000 * MILLISECOND) == pytest.approx(110 / 210)
    assert line.position(60_100 * MILLISECOND) == pytest.approx(1.0)


def test_a_span_without_length_does_not_break_the_line() -> None:
    line = TimeLine([stored_span("t", "a", start=5, end=5)])

    assert line.position(5 * MILLISECOND) == 0.0


def test_the_drawing_names_service_start_and_duration_and_scales_the_bar() -> None:
    spans = [
        stored_span("t", "root", name="ordermesh.order.v1.OrderService/PlaceOrder", kind="server", end=40),
        stored_span("t", "c", "root", name="POST create", kind="client", service="tax", start=20, end=40),
    ]

    head, root, child = drawn(spans).splitlines()

    assert head == "2 spans in 1 trace"
    assert root.startswith("OrderService/PlaceOrder")
    assert "order" in root
    assert "+0.0 ms" in root
    assert "40.0 ms" in root
    assert child.startswith("└─ → POST create")
    assert "+20.0 ms" in child
    assert child.count("█") == pytest.approx(root.count("█") / 2, abs=1)
    assert child.rstrip().endswith("█")


def test_linked_and_failed_spans_say_so() -> None:
    spans = [
        stored_span("t", "root", end=10),
        stored_span("u", "task", name="send mail", links=(("t", "root"),), start=11, end=12, failed="UNAVAILABLE"),
    ]

    text = drawn(spans)

    assert "2 spans in 2 traces, 1 failed" in text
    assert "└─ ↳ linked send mail UNAVAILABLE" in text
    assert "\x1b[31m" in drawn(spans, colour=True), "errors are red on a terminal"


def test_tries_after_the_first_and_unusual_ends_are_marked_in_both_drawings() -> None:
    def marks(**attributes: AttributeValue) -> tuple[str, ...]:
        named = {f"ordermesh.{name}": value for name, value in attributes.items()}
        span = stored_span("t", "root", name="send mail", attributes=named)
        (bar,) = bars([span])
        assert drawn([span]).splitlines()[1].startswith(" · ".join(("send mail", *bar.marks)))
        return bar.marks

    assert marks(attempt=3, outcome="not_done") == ("not done", "attempt 3")
    assert marks(attempt=2) == ("attempt 2",)
    assert marks(outcome="fallback", attempt=1) == ("fallback",)
    assert marks(outcome="done") == marks() == ()


def test_attributes_are_shown_on_demand_only() -> None:
    spans = [stored_span("t", "root", attributes={"http.route": "/x", "a.count": 3})]

    assert "http.route" not in drawn(spans)
    assert [line.strip() for line in drawn(spans, with_attributes=True).splitlines()[2:]] == [
        "a.count=3",
        "http.route=/x",
    ]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_line_is_never_wider_than_the_terminal_from_sixty_columns_on(width: int) -> None:
    name = "a name that is far too long for any terminal " * 3
    spans = [stored_span("t", "root", name=name, end=1_234), stored_span("t", "c", "root", name=name, start=3, end=9)]

    lines = drawn(spans, width=width).splitlines()

    assert len(lines) == 3
    assert max(map(len, lines)) <= width
