"""Requests to one origin: bytes out, an answer in.

httpx's own transport costs more than ten times as much per request and its objects as much again as ours; other
transports blur what matters most: one of them reports a connection that broke after the request was sent as a failed
connect. Here every failure says whether the request was sent. There are no redirects, cookies, proxies, hidden retries
or compressed answers.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping, Sequence
from functools import cache

import httpx

from chassis.http.connection import Answer
from chassis.http.errors import HttpError, Lost, NotSent
from chassis.http.pool import Pool
from chassis.http.reach import OutOfReach, Resolve
from chassis.telemetry import conventions as names
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import AttributeValue, Span, Tracer, type_name

# A host that does not answer within this is not there: a connect is one round trip, two more with TLS.
_CONNECT_SECONDS = 3.0

# Load balancers drop idle connections after 60 s or more; one that is dropped earlier is noticed and forgotten.
_KEEPALIVE_SECONDS = 60.0

# The largest answer we ask for is a page of a hundred refunds, some 200 kB.
_MOST_BYTES = 2 * 1024 * 1024

_USER_AGENT = "ordermesh"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})  # what needs no special rule about bodies

# Printable ASCII: everything else could end a line and begin a header or a request of somebody else's.
_TARGET = re.compile(r"/[!-~]*")

_SERVER_FAULT = 500
_CALLER_FAULT = 400


class HttpTransport:
    """Sends requests to one origin and traces and counts each.

    It belongs to the event loop of its first request.

    Args:
        name: The provider, as it is called in spans and metrics: "stripe".
        base_url: Scheme, host and port of the origin; a path is ignored.
        tracer: Makes the client spans. Our trace context is not sent: it is nobody else's business.
        metrics: Counts the calls by outcome.
        timeout_seconds: For a whole request, from waiting for a connection to the answer's last byte.
        max_connections: At most so many requests at a time; further ones wait, within their timeout.
        max_answer_bytes: Bound of an answer with its headers.
        bodies: False where an answer's status and headers are all that is wanted: it then counts whatever becomes of
            its body, which is dropped.
        resolve: Finds the addresses that may be connected to (reach.py), where somebody else has chosen the URL.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        tracer: Tracer,
        metrics: Metrics,
        timeout_seconds: float,
        max_connections: int,
        max_answer_bytes: int = _MOST_BYTES,
        bodies: bool = True,
        resolve: Resolve | None = None,
    ) -> None:
        url = httpx.URL(base_url)
        if url.scheme not in _DEFAULT_PORTS or not url.raw_host:
            raise ValueError(f"the address of {name} must be http://host or https://host, with a port if need be")
        self.name = name
        self._host = url.raw_host.decode()  # as DNS knows it: what is no valid punycode is no defect, but not there
        self._prefix = f"{url.scheme}://{url.netloc.decode()}"
        self._host_line = b"host: " + url.netloc
        self._port = url.port or _DEFAULT_PORTS[url.scheme]
        self._tracer = tracer
        self._calls = metrics.provider_calls
        self._timeout_seconds = timeout_seconds
        self._pool = Pool(
            self._host,
            self._port,
            _tls_context() if url.scheme == "https" else None,
            most_connections=max_connections,
            keepalive_seconds=_KEEPALIVE_SECONDS,
            most_bytes=max_answer_bytes,
            bodies=bodies,
            resolve=resolve,
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        headers: Mapping[str, str],
        content: bytes = b"",
        timeout: float | None = None,  # noqa: ASYNC109  (its end means NotSent or Lost, which a caller's timer cannot tell)
    ) -> Answer:
        """Send a request and read the whole answer, whatever its status.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            url: A path with its query, or a whole URL of this client's origin.
            operation: What is asked for, of few distinct values, for spans and metrics: "create_payment_intent".
            headers: Without Host and Content-Length.
            content: The body.
            timeout: Seconds for the whole request instead of the client's own.

        Raises:
            NotSent: It had no effect.
            Lost: Its effect is unknown.
            TooLarge: Its effect is unknown.
            ValueError: The URL is of another origin, or a header cannot be written.
        """
        target = url.removeprefix(self._prefix)
        return await self.request_lines(
            method, target, _written(headers), operation=operation, content=content, timeout=timeout
        )

    async def request_lines(
        self,
        method: str,
        target: str,
        lines: Sequence[bytes],
        *,
        operation: str,
        content: bytes = b"",
        timeout: float | None = None,  # noqa: ASYNC109  (as above)
    ) -> Answer:
        """Do the same with headers that are written already, b"name: value", for whoever sends the same ones always."""
        head = [*lines, self._host_line]
        if content or method != "GET":
            head.append(b"content-length: %d" % len(content))
        encoded = _encode(method, target, head, content)
        return await self._traced(method, operation, encoded, self._timeout_seconds if timeout is None else timeout)

    async def aclose(self) -> None:
        """Drop all connections."""
        self._pool.close()

    async def _traced(self, method: str, operation: str, request: bytes, timeout: float) -> Answer:  # noqa: ASYNC109  (as above)
        attributes: dict[str, AttributeValue] = {
            names.HTTP_REQUEST_METHOD: method,
            names.SERVER_ADDRESS: self._host,
            names.SERVER_PORT: self._port,
            names.PROVIDER: self.name,
            names.OPERATION: operation,
        }
        span = self._tracer.start(f"{method} {operation}" if operation else method, "client", attributes=attributes)
        outcome = "cancelled"
        try:
            answer = await self._exchange(request, timeout)
            outcome = _judge(span, answer.status)
        except BaseException as error:
            if isinstance(error, HttpError):
                outcome = error.outcome
            span.set(names.ERROR_TYPE, type_name(type(error)))
            span.fail(outcome)
            raise
        finally:
            self._tracer.finish(span)
            self._calls.add(self.name, operation, outcome)
        return answer

    async def _exchange(self, request: bytes, timeout: float) -> Answer:  # noqa: ASYNC109  (as above)
        if timeout <= 0:
            raise NotSent("no time was left for it")
        connection = None
        try:
            async with asyncio.timeout(timeout):
                connection = await self._pool.acquire(_CONNECT_SECONDS)
                return await connection.send(request)
        except TimeoutError:
            if connection is None:
                raise NotSent("no connection was free or could be made in time") from None
            raise Lost("no whole answer came in time") from None
        except OutOfReach as error:
            raise NotSent(str(error)) from error
        except OSError as error:
            raise NotSent(f"no connection could be made: {type(error).__name__}") from error
        finally:
            if connection is not None:
                self._pool.release(connection)


class HttpClient:
    """Requests to one provider's API, all with the same headers.

    Args:
        transport: Connections to the origin.
        base_url: Paths are appended to it.
        headers: Of every request.
    """

    def __init__(self, transport: HttpTransport, *, base_url: str, headers: Mapping[str, str]) -> None:
        self._transport = transport
        self._path = httpx.URL(base_url).raw_path.decode("ascii").removesuffix("/")
        # Written once: they are the same for every order.
        self._lines = _written(headers)

    async def request(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        content: bytes = b"",
        timeout: float | None = None,  # noqa: ASYNC109  (as in HttpTransport)
    ) -> Answer:
        """Send a request and read the whole answer, whatever its status.

        Args:
            method: As in HttpTransport.request.
            path: Percent-encoded, with its query.
            operation: As in HttpTransport.request.
            content: The body.
            timeout: Seconds for the whole request instead of the client's own.

        Raises:
            HttpError: There was no answer; the kind says whether the request was sent.
            ValueError: The path cannot be written.
        """
        return await self._transport.request_lines(
            method, self._path + path, self._lines, operation=operation, content=content, timeout=timeout
        )

    async def aclose(self) -> None:
        """Drop all connections."""
        await self._transport.aclose()


def create_client(
    name: str,
    base_url: str,
    *,
    tracer: Tracer,
    metrics: Metrics,
    timeout_seconds: float,
    max_connections: int,
    headers: Mapping[str, str] | None = None,
) -> HttpClient:
    """Return a client for one provider; the arguments are those of HttpTransport and HttpClient."""
    transport = HttpTransport(
        name,
        base_url,
        tracer=tracer,
        metrics=metrics,
        timeout_seconds=timeout_seconds,
        max_connections=max_connections,
    )
    plain = {"accept": "application/json", "accept-encoding": "identity", "user-agent": _USER_AGENT}
    return HttpClient(transport, base_url=base_url, headers={**plain, **(headers or {})})


@cache
def _tls_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _written(headers: Mapping[str, str]) -> list[bytes]:
    return [f"{name}: {value}".encode("latin-1") for name, value in headers.items()]


def _encode(method: str, target: str, lines: list[bytes], content: bytes) -> bytes:
    if method not in _METHODS:
        raise ValueError(f"{method} is not among {', '.join(sorted(_METHODS))}")
    if not _TARGET.fullmatch(target):
        raise ValueError("the URL must be a percent-encoded path, or one of this client's origin")
    head = b"%s %s HTTP/1.1\r\n%s\r\n\r\n" % (method.encode(), target.encode(), b"\r\n".join(lines))
    breaks = len(lines) + 2
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
        raise ValueError("a header holds a line break")
    return head + content


def _judge(span: Span, status: int) -> str:
    span.set(names.HTTP_RESPONSE_STATUS_CODE, status)
    if status < _CALLER_FAULT:
        return "answered"
    span.set(names.ERROR_TYPE, str(status))
    span.fail(f"HTTP {status}")
    return "refused" if status < _SERVER_FAULT else "failed"
