"""Log lines: what stands on one, what never does, and that each is one line."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from chassis.logs import configure, log_defect
from tests.fakes.telemetry_sink import recording_tracer

logger = logging.getLogger("order_svc.app.sweeper")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    configure("order", stream=stream)
    return stream


def only(stream: io.StringIO) -> dict[str, object]:
    (line,) = stream.getvalue().splitlines()
    parsed: dict[str, object] = json.loads(line)
    return parsed


def test_a_line_is_an_object_with_time_level_service_and_event(stream: io.StringIO) -> None:
    logger.warning(
        "sweep.failed", extra={"order_id": "0191", "attempts": 3, "last": True, "seconds": 0.5, "cause": None}
    )

    line = only(stream)
    assert str(line.pop("time")).endswith("Z")
    assert line == {
        "level": "warning",
        "service": "order",
        "event": "sweep.failed",
        "logger": "order_svc.app.sweeper",
        "order_id": "0191",
        "attempts": 3,
        "last": True,
        "seconds": 0.5,
        "cause": None,
    }


def test_a_line_written_inside_a_span_names_it_and_its_service(stream: io.StringIO) -> None:
    tracer, _ = recording_tracer("tax")

    with tracer.span("QuoteTax") as span:
        logger.warning("quote.slow")

    line = only(stream)
    assert (line["trace_id"], line["span_id"]) == (f"{span.trace_id:032x}", f"{span.span_id:016x}")
    assert line["service"] == "tax"


def test_a_field_cannot_pass_for_what_the_line_itself_says(stream: io.StringIO) -> None:
    logger.warning("x", extra={"level": "debug", "service": "other", "event": "y", "time": 0})

    line = only(stream)
    assert (line["level"], line["service"], line["event"]) == ("warning", "order", "x")


def test_values_that_json_does_not_know_are_written_as_text(stream: io.StringIO) -> None:
    logger.warning(
        "x", extra={"a": float("nan"), "b": {1, 2}, "c": 2**70, "d": "\ud800", "e": b"\xff", "f": Exception("g")}
    )

    line = only(stream)
    assert (line["a"], line["b"], line["c"], line["d"], line["f"]) == ("nan", "{1, 2}", 2**70, "\ud800", "g")


@pytest.mark.parametrize(
    "fields",
    [
        {"detail": "bob@example.com"},
        {"detail": "key sk_live_51Habc"},
        {"detail": ["4242424242424242"]},
        {"number": 4242424242424242},
        {"number": -4242424242424242},
        {"authorization": "t0k3n"},
        {"stripe_api_key": "t0k3n"},
        {"webhook_secret": "t0k3n"},
        {"password": "t0k3n"},
        {"customer_email": "t0k3n"},
    ],
)
@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_nothing_secret_or_personal_is_written(fields: dict[str, object], kind: type[io.StringIO]) -> None:
    stream = kind()
    configure("order", stream=stream)

    logger.warning("x", extra=fields)

    for secret in ("bob@", "sk_live", "4242424242424242", "t0k3n"):
        assert secret not in stream.getvalue()


def test_the_text_of_an_event_is_redacted_too(stream: io.StringIO) -> None:
    logger.warning("mail to %s failed", "bob@example.com")

    assert only(stream)["event"] == "mail to [email] failed"


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_a_defect_is_written_with_its_stack_and_without_its_secrets(kind: type[io.StringIO]) -> None:
    stream = kind()
    configure("order", stream=stream)

    try:
        int("card 4242424242424242 of bob@example.com")
    except ValueError as error:
        log_defect(logger, "rpc.defect", error, method="PlaceOrder", error_id="0191")

    written = stream.getvalue()
    assert "rpc.defect" in written
    assert "PlaceOrder" in written
    assert "'card [card] of [email]'" in written
    assert "test_logs.py" in written
    assert "4242424242424242" not in written


def test_a_line_break_in_a_value_does_not_begin_a_line() -> None:
    for stream in (io.StringIO(), Terminal()):
        configure("order", stream=stream)
        logger.warning("a\nb", extra={"c": "d\r\ne\x1b[31m\u2028f"})

        assert len(stream.getvalue().splitlines()) == 1
        assert "\x1b" not in stream.getvalue()


def test_a_person_at_a_terminal_reads_a_short_line() -> None:
    stream = Terminal()
    configure("order", stream=stream)

    logger.warning("sweep.failed", extra={"error": "TimeoutError"})

    time, rest = stream.getvalue().split(" ", 1)
    assert len(time) == 8
    assert rest == "WARNING order    sweep.failed error=TimeoutError\n"


def test_libraries_that_talk_about_every_request_are_quiet(stream: io.StringIO) -> None:
    for name in ("httpx", "uvicorn.access", "grpc", "stripe"):
        logging.getLogger(name).info('HTTP Request: GET https://api.example/v1?email=bob "200 OK"')
        logging.getLogger(name).warning("trouble")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["trouble"] * 4


def test_the_level_is_the_least_that_is_written() -> None:
    stream = io.StringIO()
    configure("order", "ERROR", stream)

    logger.warning("x")
    logger.error("y")

    assert only(stream)["event"] == "y"


def test_a_library_that_set_up_its_own_handlers_is_heard_through_ours() -> None:
    stream, own = io.StringIO(), io.StringIO()
    library = logging.getLogger("uvicorn.access")
    library.addHandler(logging.StreamHandler(own))
    library.propagate = False

    configure("order", stream=stream)
    library.warning("trouble")

    assert only(stream)["event"] == "trouble"
    assert own.getvalue() == ""
