"""Log lines: one JSON object each on standard error, or a short line for a person at a terminal.

A line is an event's name and its fields: `logger.warning("sweep.failed", extra={"order_id": …})`. It carries the ids of
the span that the task is in, and nothing leaves without passing the redactor. Callers never see a log line or a stack.
"""

import json
import logging
import math
import re
import sys
from datetime import UTC, datetime
from typing import Final, TextIO

from chassis.cards import fits_luhn
from chassis.redaction import redact
from chassis.telemetry.spans import current

# What the logging module itself puts on a record; everything else on it is a field of ours.
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

# Fields whose whole value is withheld, whatever it looks like.
_WITHHELD = re.compile(r"authori|passw|secret|api_?key|cookie|email|card_number", re.IGNORECASE)

# Libraries that say on INFO what our spans say better, some of them with whole URLs.
_TALKATIVE: Final = (
    "alembic",
    "asyncio",
    "grpc",
    "httpcore",
    "httpx",
    "stripe",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
)

# What could end a line early, or steer a terminal.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send all logging of the process to the stream; once, before the event loop starts.

    Reconfiguring while grpc collects its objects can deadlock (grpc#43421).

    Args:
        service: Stands on lines that are written outside any span.
        level: The least severe level that is written.
        stream: Standard error, unless given.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TerminalFormatter(service) if stream.isatty() else JsonFormatter(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in _TALKATIVE:
        library = logging.getLogger(name)
        library.setLevel(logging.WARNING)
        # Some libraries bring handlers of their own, which know nothing of our redactor.
        library.handlers.clear()
        library.propagate = True


def log_defect(logger: logging.Logger, event: str, error: BaseException, **fields: str | int | bool) -> None:
    """Log an exception that nobody expected, with its stack."""
    logger.error(event, exc_info=error, extra=fields)


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time, level, service, event, logger, trace_id, span_id, its fields, error and stack.

    Args:
        service: Stands on lines that are written outside any span.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its end."""
        span = current()
        line: dict[str, object] = {
            "time": _time(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "service": span.service if span else self._service,
            "event": redact(record.getMessage()),
            "logger": record.name,
        }
        if span is not None:
            line["trace_id"] = f"{span.trace_id:032x}"
            line["span_id"] = f"{span.span_id:016x}"
        line = {**line, **_fields(record), **line}  # a field cannot pass for one of ours
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__qualname__
            line["stack"] = redact(self.formatException(record.exc_info))
        return json.dumps(line)


class TerminalFormatter(logging.Formatter):
    """A short line per record for a person: time, level, service, event and fields; a stack on the lines below.

    Args:
        service: As in JsonFormatter.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its end."""
        span = current()
        service = span.service if span else self._service
        words = [f"{_time(record):%H:%M:%S} {record.levelname:<7} {service:<8} {redact(record.getMessage())}"]
        words += [f"{name}={value}" for name, value in _fields(record).items()]
        text = _CONTROL.sub(lambda control: repr(control.group())[1:-1], " ".join(words))
        if record.exc_info and record.exc_info[0]:
            text += "\n" + redact(self.formatException(record.exc_info))
        return text


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {
        name: "[withheld]" if _WITHHELD.search(name) else _plain(value)
        for name, value in vars(record).items()
        if name not in _OWN
    }


def _plain(value: object) -> object:
    """Return a field's value as JSON can hold it, redacted."""
    match value:
        case bool() | None:
            return value
        case int():
            return "[card]" if fits_luhn(str(abs(value))) else value
        case float() if math.isfinite(value):
            return value
        case _:
            return redact(str(value))
