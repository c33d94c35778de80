"""The client for asyncio."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

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


class AsyncClient:
    """The same as Client, for asyncio: `await client.orders.PlaceOrder(request)`. Made inside a running loop.

    Args and attributes are those of Client.

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
        calls = Calls(self._policy, inject)
        self._around = [_AroundUnary(calls), _AroundStream(calls)]
        self._channels = [self._open(address) for address in (order, tax, payment, notify)]
        at_order, at_tax, at_payment, at_notify = self._channels
        self.orders = order_service_pb2_grpc.OrderServiceStub(at_order)
        self.webhooks = webhook_service_pb2_grpc.WebhookServiceStub(at_order)
        self.tax = tax_service_pb2_grpc.TaxServiceStub(at_tax)
        self.payments = payment_service_pb2_grpc.PaymentServiceStub(at_payment)
        self.notifications = notify_service_pb2_grpc.NotifyServiceStub(at_notify)

    async def watch_order(
        self,
        order_id: str,
        *,
        after_version: int = 0,
        until_final: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109  (grpc's own name)
    ) -> AsyncGenerator[order_pb2.Order, None]:
        """Yield the order as it is now and after each change, each version once, over disconnects.

        Args and errors are those of Client.watch_order.
        """
        watch = Watch(order_id, after_version, self._policy, until_final=until_final, timeout=timeout)
        while True:
            request, seconds = watch.connect()
            stream = self.orders.WatchOrder(request, timeout=seconds)
            try:
                async for seen in stream:
                    if watch.is_news(seen.order):
                        yield seen.order
            except OrdermeshError as error:
                pause = watch.pause_after(error)
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                return
            finally:
                stream.cancel()

    async def close(self) -> None:
        """Close all connections; calls in flight are cancelled."""
        for channel in self._channels:
            await channel.close()

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    def _open(self, address: str) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(address, self._options, interceptors=self._around)
        return grpc.aio.secure_channel(address, self._credentials, self._options, interceptors=self._around)


def _details(given: grpc.aio.ClientCallDetails, call: Call[_Request]) -> grpc.aio.ClientCallDetails:
    return grpc.aio.ClientCallDetails(
        given.method, call.remaining(), grpc.aio.Metadata(*call.metadata), given.credentials, given.wait_for_ready
    )


class _AroundUnary(grpc.aio.UnaryUnaryClientInterceptor):
    """What happens around every call with one answer."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def intercept_unary_unary(
        self,
        continuation: Callable[
            [grpc.aio.ClientCallDetails, _Request], Awaitable["grpc.aio.UnaryUnaryCall[_Request, _Response]"]
        ],
        client_call_details: grpc.aio.ClientCallDetails,
        request: _Request,
    ) -> "grpc.aio.UnaryUnaryCall[_Request, _Response]":
        """Send it until it is answered, or must not be sent again."""
        given = client_call_details
        call = self._calls.begin(given.method, request, given.timeout, given.metadata)
        while True:
            attempt = await continuation(_details(given, call), call.request)
            try:
                await attempt
            except grpc.RpcError as failure:
                error = call.failed(failure)
                pause = call.pause_after(error)
                if pause is None:
                    raise error from failure
            else:
                return attempt
            await asyncio.sleep(pause)


class _AroundStream(grpc.aio.UnaryStreamClientInterceptor):
    """What happens around every call with a stream of answers."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def intercept_unary_stream(
        self,
        continuation: Callable[
            [grpc.aio.ClientCallDetails, _Request], Awaitable["grpc.aio.UnaryStreamCall[_Request, _Response]"]
        ],
        client_call_details: grpc.aio.ClientCallDetails,
        request: _Request,
    ) -> "AsyncIterator[_Response]":
        """Open it once; watch_order opens it again."""
        given = client_call_details
        call = self._calls.begin(given.method, request, given.timeout, given.metadata)
        stream = await continuation(_details(given, call), call.request)
        return _with_our_errors(stream, call.failed)


async def _with_our_errors(
    stream: "grpc.aio.UnaryStreamCall[_Request, _Response]", failed: Callable[[grpc.RpcError], OrdermeshError]
) -> AsyncIterator[_Response]:
    try:
        async for answer in stream:
            yield answer
    except grpc.RpcError as error:
        raise failed(error) from error
