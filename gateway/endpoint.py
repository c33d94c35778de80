"""What every request to a service has in common: a span, a measured duration, and an answer whatever happens."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import grpc

from chassis.admission import Admission, overloaded
from chassis.logs import log_defect
from chassis.telemetry import conventions
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import Span, SpanContext, Tracer, attach, detach
from gateway import problem
from gateway.asgi import Disconnected, Exchange, HttpRefusal
from gateway.bodies import MOST_OF_CALLERS, MOST_OF_STRANGERS, STRANGERS_SECONDS, Bodies
from gateway.problem import Problem
from gateway.streams import Streams
from kernel.errors import Refusal
from kernel.ids import Ids

_logger = logging.getLogger(__name__)

# nginx's number for a client that went away; it is recorded, never sent.
_CLIENT_CLOSED = 499


class Endpoints:
    """Runs the handlers of routes and webhooks, each in a span that continues the client's trace.

    Attributes:
        admission: How many calls are taken on; streams, which wait most of the time, are not counted once open.
        streams: How many event streams are open.
        bodies: What those send who have shown who they are.
        strangers_bodies: What everybody else sends: providers, whose signatures are looked at later, and browsers.
    """

    def __init__(self, tracer: Tracer, metrics: Metrics, ids: Ids, admission: Admission) -> None:
        self.admission = admission
        self.streams = Streams()
        self.bodies = Bodies(MOST_OF_CALLERS)
        self.strangers_bodies = Bodies(MOST_OF_STRANGERS, STRANGERS_SECONDS)
        self._tracer = tracer
        self._metrics = metrics
        self._ids = ids

    def require_room(self) -> None:
        """Make sure, before a body is waited for, that there is room for the call that it is to become.

        A place is held only once the body is here: it may come as slowly as its sender likes.

        Raises:
            Refusal: There is none.
        """
        if self.admission.full():
            raise overloaded()

    async def run(self, method: str, route: str, exchange: Exchange, handle: Callable[[], Awaitable[None]]) -> None:
        """Have the request handled; whatever that raises becomes a problem.

        Args:
            method: The HTTP method.
            route: The path's template: traces and metrics are named by it, never by the path.
            exchange: The request.
            handle: Answers it.
        """
        span = self._begin(method, route, exchange)
        token = attach(span)
        try:
            await handle()
        except Disconnected:
            exchange.status = _CLIENT_CLOSED
        except Exception as error:
            if exchange.status:
                # Half of the answer is out; all that is left is to cut it short, which the server does.
                raise
            told = self.problem_of(error)
            await exchange.tell(problem.of_condition(told) if exchange.headers.one(b"if-match") else told)
        finally:
            detach(token)
            self._end(span, method, route, exchange)

    def problem_of(self, error: BaseException) -> Problem:
        """Return what the client is told of an error; a defect goes to the log and shows nothing but its id."""
        if isinstance(error, HttpRefusal):
            headers = {"Connection": "close"} if error.status == HTTPStatus.REQUEST_TIMEOUT else None
            return problem.of_refusal(error, status=error.status, headers=headers)
        if isinstance(error, Refusal):
            return problem.of_refusal(error)
        told = problem.of_rpc_error(error) if isinstance(error, grpc.aio.AioRpcError) else None
        if told is None:
            error_id = self._ids.new()
            log_defect(_logger, "http.defect", error, error_id=error_id)
            told = problem.of_defect(error_id)
        return told

    def _begin(self, method: str, route: str, exchange: Exchange) -> Span:
        traceparent = exchange.headers.one(b"traceparent")
        parent = SpanContext.parse(traceparent, exchange.headers.one(b"tracestate")) if traceparent else None
        return self._tracer.start(
            f"{method} {route}",
            "server",
            parent=parent,
            attributes={
                conventions.HTTP_REQUEST_METHOD: method,
                conventions.HTTP_ROUTE: route,
                conventions.URL_SCHEME: exchange.scope["scheme"],
            },
        )

    def _end(self, span: Span, method: str, route: str, exchange: Exchange) -> None:
        status = exchange.status or int(HTTPStatus.INTERNAL_SERVER_ERROR)
        span.set(conventions.HTTP_RESPONSE_STATUS_CODE, status)
        fault = str(status) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ""
        if fault:
            span.set(conventions.ERROR_TYPE, fault)
            span.fail(HTTPStatus(status).phrase)
        self._tracer.finish(span)
        seconds = (span.end_ns - span.start_ns) / 1e9
        self._metrics.http_server_duration.record(seconds, method, route, str(status), exchange.scope["scheme"], fault)
