"""The client for threads."""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

import grpc

from ordermesh.client import channels
from ordermesh.client.calls import Call, Calls, Inject
from ordermesh.client.errors import OrdermeshError
from ordermesh.client.policy import Policy
from ordermesh.client.watching import Watch
from ordermesh.notify.v1 import notify_service_pb2_grpc
from ordermesh.order.v1 import order_pb2, order_service_pb2_grpc
from ordermesh.payment.v1 import payment_service_pb2_grpc
from ordermesh.tax.v1 import tax_service_pb2_grpc
from ordermesh.webhook.v1 import webhook_service_pb2_grpc

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")

if TYPE_CHECKING:
    from grpc import _CallFuture, _CallIterator

    _StreamBase = _CallIterator
else:

    class _StreamBase(grpc.Call, Generic[_Response]):
        """What the type checker knows as grpc's own iterator of a stream."""


class Client:
    """All services of Ordermesh behind their generated stubs: `client.orders.PlaceOrder(request)`.

    Every call takes `timeout=` (seconds, with all retries) and `metadata=`, as stubs do, and raises OrdermeshError. It
    is safe to share between threads. `.future()` of a stub does its work before it returns; AsyncClient does not wait.

    Args:
        order: Where the order service listens; the outgoing webhooks are there too.
        tax: Where the tax service listens.
        payment: Where the payment service listens.
        notify: Where the notify service listens.
        credentials: TLS. None means plain text, inside a network of your own.
        policy: Deadlines and retries.
        inject: Adds the trace context to the headers of each call: `opentelemetry.propagate.inject`.
        channel_options: grpc's own, in place of the defaults of the same name.

    Attributes:
        orders: OrderService.
        tax: TaxService.
        payments: PaymentService.
        notifications: NotifyService.
        webhooks: WebhookService.

    Raises:
        ValueError: The policy names an RPC that does not exist.
    """

    def __init__(
        self,
        *,
        order: str = channels.ORDER_ADDRESS,
        tax: str = channels.TAX_ADDRESS,
        payment: str = channels.PAYMENT_ADDRESS,
        notify: str = channels.NOTIFY_ADDRESS,
        credentials: grpc.ChannelCredentials | None = None,
        policy: Policy | None = None,
        inject: Inject | None = None,
        channel_options: Sequence[channels.Option] = (),
    ) -> None:
        self._policy = policy or Policy()
        self._options = channels.options(channel_options)
        self._credentials = credentials
        self._channels: list[grpc.Channel] = []
        around = _Around(Calls(self._policy, inject))
        at_order, at_tax, at_payment, at_notify = (
            grpc.intercept_channel(self._open(address), around) for address in (order, tax, payment, notify)
        )
        self.orders = order_service_pb2_grpc.OrderServiceStub(at_order)
        self.webhooks = webhook_service_pb2_grpc.WebhookServiceStub(at_order)
        self.tax = tax_service_pb2_grpc.TaxServiceStub(at_tax)
        self.payments = payment_service_pb2_grpc.PaymentServiceStub(at_payment)
        self.notifications = notify_service_pb2_grpc.NotifyServiceStub(at_notify)

    def watch_order(
        self, order_id: str, *, after_version: int = 0, until_final: bool = False, timeout: float | None = None
    ) -> Generator[order_pb2.Order, None, None]:
        """Yield the order as it is now and after each change, each version once, over disconnects.

        Args:
            order_id: The order.
            after_version: Leave out versions up to this one.
            until_final: Go on until the order has come to its end, and not only until it waits for the shop.
            timeout: Seconds until it ends with DeadlineExceeded; None means never.

        Raises:
            OrdermeshError: The order cannot be watched, or no service could be reached for the policy's patience.
        """
        watch = Watch(order_id, after_version, self._policy, until_final=until_final, timeout=timeout)
        while True:
            request, seconds = watch.connect()
            stream = self.orders.WatchOrder(request, timeout=seconds)
            try:
                for seen in stream:
                    if watch.is_news(seen.order):
                        yield seen.order
            except OrdermeshError as error:
                pause = watch.pause_after(error)
                if pause is None:
                    raise
                time.sleep(pause)
            else:
                return
            finally:
                stream.cancel()

    def close(self) -> None:
        """Close all connections; calls in flight are cancelled."""
        for channel in self._channels:
            channel.close()

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _open(self, address: str) -> grpc.Channel:
        if self._credentials is None:
            channel = grpc.insecure_channel(address, self._options)
        else:
            channel = grpc.secure_channel(address, self._credentials, self._options)
        self._channels.append(channel)
        return channel


@dataclass(frozen=True)
class _Details(grpc.ClientCallDetails):
    """What one attempt is sent with."""

    method: str
    timeout: float | None
    metadata: tuple[tuple[str, str | bytes], ...]
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


def _details(given: grpc.ClientCallDetails, call: Call[_Request]) -> _Details:
    return _Details(
        given.method, call.remaining(), call.metadata, given.credentials, given.wait_for_ready, given.compression
    )


class _Around(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """What happens around every call."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def intercept_unary_unary(
        self,
        continuation: "Callable[[grpc.ClientCallDetails, _Request], _CallFuture[_Response]]",
        client_call_details: grpc.ClientCallDetails,
        request: _Request,
    ) -> "_CallFuture[_Response]":
        """Send it until it is answered, or must not be sent again."""
        given = client_call_details
        call = self._calls.begin(given.method, request, given.timeout, given.metadata)
        while True:
            outcome = continuation(_details(given, call), call.request)
            failure = outcome.exception()
            if failure is None:
                return outcome
            if not isinstance(failure, grpc.RpcError):
                raise failure
            error = call.failed(failure)
            pause = call.pause_after(error)
            if pause is None:
                raise error from failure
            time.sleep(pause)

    def intercept_unary_stream(
        self,
        continuation: "Callable[[grpc.ClientCallDetails, _Request], _CallIterator[_Response]]",
        client_call_details: grpc.ClientCallDetails,
        request: _Request,
    ) -> "_CallIterator[_Response]":
        """Open it once; watch_order opens it again."""
        given = client_call_details
        call = self._calls.begin(given.method, request, given.timeout, given.metadata)
        return _Stream(continuation(_details(given, call), call.request), call.failed)


class _Stream(_StreamBase[_Response]):
    """A stream that fails with our errors; all else is grpc's."""

    def __init__(self, stream: "_CallIterator[_Response]", failed: Callable[[grpc.RpcError], OrdermeshError]) -> None:
        self._stream = stream
        self._failed = failed

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _Response:
        try:
            return next(self._stream)
        except grpc.RpcError as error:
            raise self._failed(error) from error

    def is_active(self) -> bool:
        return self._stream.is_active()

    def time_remaining(self) -> float:
        return self._stream.time_remaining()

    def cancel(self) -> bool:
        return self._stream.cancel()

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return self._stream.add_callback(callback)

    def initial_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return tuple(self._stream.initial_metadata())

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return tuple(self._stream.trailing_metadata())

    def code(self) -> grpc.StatusCode:
        return self._stream.code()

    def details(self) -> str:
        return self._stream.details()
