"""Span records and the W3C trace context, made for a hot path that records every order.

An opentelemetry-sdk span would add half the cost of an empty RPC, a record of ours a twelfth. So a span here is
a plain object that is filled in, finished and handed to a sink; everything else (encoding, storing, exporting) happens
on another thread. It knows no exporter, no clock and no random source of its own.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar, Token
from enum import Enum
from types import TracebackType
from typing import Final, Literal, NamedTuple, Protocol

from chassis.redaction import is_suspicious, redact
from chassis.telemetry.conventions import ERROR_TYPE

Kind = Literal["server", "client", "internal", "producer", "consumer"]
Status = Literal["unset", "ok", "error"]
AttributeValue = str | int | bool | float

# W3C Trace Context, level 1: version, trace id, parent id, flags; a version above 00 may append more fields.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED_FLAG = 1

# A batch of mail events may be about a thousand mails; nobody follows all of them from there.
_MOST_LINKS = 32


class SpanContext(NamedTuple):
    """The part of a span that travels to other processes.

    A named tuple and not a dataclass, because one is made per incoming call and it costs half as much.

    Attributes:
        trace_id: 128 bits, not zero.
        span_id: 64 bits, not zero.
        sampled: Whether the spans of this trace are recorded.
        tracestate: Other vendors' data, passed on as it came; empty when there was none.
    """

    trace_id: int
    span_id: int
    sampled: bool
    tracestate: str = ""

    @classmethod
    def parse(cls, traceparent: str, tracestate: str = "") -> "SpanContext | None":
        """Read the `traceparent` and `tracestate` headers; None when the first is not valid, as W3C demands."""
        match = _TRACEPARENT.fullmatch(traceparent)
        if match is None:
            return None
        version, trace_hex, span_hex, flags, rest = match.groups()
        trace_id, span_id = int(trace_hex, 16), int(span_hex, 16)
        if not trace_id or not span_id or (version == "00" and rest is not None):
            return None
        return cls(trace_id, span_id, bool(int(flags, 16) & _SAMPLED_FLAG), tracestate)

    def traceparent(self) -> str:
        """Return the value of the `traceparent` header."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-0{1 if self.sampled else 0}"


class Span:
    """One timed piece of work. Written by one task; frozen in spirit once it is finished.

    Attributes:
        service: Name of the service that did the work.
        name: What was done, of few distinct values: the RPC method, the HTTP method and route.
        kind: Its side of a call.
        trace_id: 128 bits.
        span_id: 64 bits.
        parent_id: Span id of the parent; 0 at the root.
        sampled: False for a span that only carries the context on and is never recorded.
        tracestate: As in SpanContext.
        start_ns: Wall-clock nanoseconds since 1970.
        end_ns: The same; 0 until it is finished.
        attributes: Facts of few kinds; never a secret or personal data.
        links: Spans of other traces that caused this one or that it continues.
        status: "unset" means that nothing went wrong that the service answers for.
        status_message: Why it failed, in fixed words.
    """

    __slots__ = (
        "attributes",
        "end_ns",
        "kind",
        "links",
        "name",
        "parent_id",
        "sampled",
        "service",
        "span_id",
        "start_ns",
        "status",
        "status_message",
        "trace_id",
        "tracestate",
    )

    def __init__(
        self,
        service: str,
        name: str,
        kind: Kind,
        context: SpanContext,
        parent_id: int,
        start_ns: int,
        attributes: dict[str, AttributeValue],
        links: tuple[SpanContext, ...] = (),
    ) -> None:
        self.service = service
        self.name = name
        self.kind: Kind = kind
        self.trace_id, self.span_id, self.sampled, self.tracestate = context
        self.parent_id = parent_id
        self.start_ns = start_ns
        self.end_ns = 0
        self.attributes = attributes
        self.links = links
        self.status: Status = "unset"
        self.status_message = ""

    def set(self, key: str, value: AttributeValue) -> None:
        """State a fact about the work; the last one stated for a key wins."""
        self.attributes[key] = value

    def fail(self, message: str) -> None:
        """Mark the work as failed, in fixed words: an exception's text may hold personal data."""
        self.status = "error"
        self.status_message = message

    def texts(self) -> list[str]:
        """Return every text in it that somebody else may have written."""
        return [
            self.status_message,
            self.tracestate,
            *[value for value in self.attributes.values() if type(value) is str],
        ]

    def redact(self) -> None:
        """Take out what has the shape of a secret: the last net, under code that states what it should not."""
        if not is_suspicious("\n".join(self.texts())):
            return
        for key, value in self.attributes.items():
            if type(value) is str:
                self.attributes[key] = redact(value)
        self.status_message = redact(self.status_message)
        self.tracestate = redact(self.tracestate)

    def context(self) -> SpanContext:
        """Return the part that travels."""
        return SpanContext(self.trace_id, self.span_id, self.sampled, self.tracestate)

    def traceparent(self) -> str:
        """Return the value of the `traceparent` header for a call made inside this span."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-0{1 if self.sampled else 0}"


def redact_all(spans: Sequence[Span]) -> None:
    """Redact every span; their texts, which are mostly the same ones, are searched together, for a quarter of it."""
    if is_suspicious("\n".join({text for span in spans for text in span.texts()})):
        for span in spans:
            span.redact()


class _FromContext(Enum):
    CURRENT = "current"


CURRENT: Final = _FromContext.CURRENT
"""As a parent: whatever span the running task is in."""

_current: ContextVar[Span | None] = ContextVar("ordermesh_span", default=None)


def current() -> Span | None:
    """Return the span that the running task is in, if it is in one."""
    return _current.get()


def goes_on_from(traceparents: Iterable[str]) -> None:
    """Link the span that the running task is in to the spans whose work it goes on with, unless it is in their trace.

    Args:
        traceparents: W3C; what is none is left out.
    """
    span = _current.get()
    if span is None:
        return
    for traceparent in traceparents:
        cause = SpanContext.parse(traceparent)
        known = {span.trace_id, *(link.trace_id for link in span.links)}
        if cause is not None and cause.sampled and cause.trace_id not in known and len(span.links) < _MOST_LINKS:
            span.links = (*span.links, cause)


def attach(span: Span) -> Token[Span | None]:
    """Make the span current for the running task; give the token to `detach` when the work is over."""
    return _current.set(span)


def detach(token: Token[Span | None]) -> None:
    """Make current again what was current before `attach`."""
    _current.reset(token)


class Sink(Protocol):
    """Where finished spans go. It must neither block nor raise."""

    def put(self, span: Span) -> None:
        """Take a finished span."""
        ...


class Tracer:
    """Makes the spans of one service.

    Args:
        service: Name of the service, written on every span.
        sink: Takes the finished, sampled spans.
        now_ns: Wall-clock nanoseconds since 1970.
        random_bits: Returns that many random bits; span ids need to be unique, not secret.
    """

    __slots__ = ("_now_ns", "_random_bits", "_sink", "service")

    def __init__(self, service: str, sink: Sink, now_ns: Callable[[], int], random_bits: Callable[[int], int]) -> None:
        self.service = service
        self._sink = sink
        self._now_ns = now_ns
        self._random_bits = random_bits

    def start(
        self,
        name: str,
        kind: Kind = "internal",
        parent: SpanContext | Span | Literal[_FromContext.CURRENT] | None = CURRENT,
        links: tuple[SpanContext, ...] = (),
        attributes: dict[str, AttributeValue] | None = None,
    ) -> Span:
        """Start a span without making it current.

        Args:
            name: As in Span.
            kind: As in Span.
            parent: None starts a new trace, which is recorded; otherwise the parent's trace goes on, recorded or not.
            links: As in Span.
            attributes: Becomes the span's own dict; do not share it.
        """
        if parent is CURRENT:
            parent = _current.get()
        random_bits = self._random_bits
        span_id = random_bits(64) or 1
        if parent is None:
            context, parent_id = SpanContext(random_bits(128) or 1, span_id, sampled=True), 0
        else:
            context = SpanContext(parent.trace_id, span_id, parent.sampled, parent.tracestate)
            parent_id = parent.span_id
        if attributes is None:
            attributes = {}
        return Span(self.service, name, kind, context, parent_id, self._now_ns(), attributes, links)

    def finish(self, span: Span) -> None:
        """End the span and hand it to the sink. Finishing it again does nothing."""
        if span.end_ns:
            return
        # A wall clock can step back; a span cannot end before it began.
        span.end_ns = max(self._now_ns(), span.start_ns)
        if span.sampled:
            self._sink.put(span)

    def span(
        self,
        name: str,
        kind: Kind = "internal",
        parent: SpanContext | Span | Literal[_FromContext.CURRENT] | None = CURRENT,
        links: tuple[SpanContext, ...] = (),
        attributes: dict[str, AttributeValue] | None = None,
    ) -> "ActiveSpan":
        """Start a span for a `with` block: current inside it, finished after it, failed when the block raises."""
        return ActiveSpan(self, self.start(name, kind, parent, links, attributes))


class ActiveSpan:
    """The context manager of `Tracer.span`. A class, because a generator costs twice as much."""

    __slots__ = ("_span", "_token", "_tracer")

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span
        self._token: Token[Span | None] | None = None

    def __enter__(self) -> Span:
        """Make the span current."""
        self._token = _current.set(self._span)
        return self._span

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Finish the span; of an exception it keeps the type alone, because its text may hold personal data."""
        if self._token is not None:
            _current.reset(self._token)
        if error_type is not None:
            self._span.attributes[ERROR_TYPE] = type_name(error_type)
            self._span.fail(error_type.__name__)
        self._tracer.finish(self._span)


def type_name(error_type: type[BaseException]) -> str:
    """Return the value of `error.type` for an exception: its full name, plain for built-in ones."""
    if error_type.__module__ == "builtins":
        return error_type.__qualname__
    return f"{error_type.__module__}.{error_type.__qualname__}"
