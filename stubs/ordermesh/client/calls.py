"""One logical call: its key, its deadline, and whether it may be sent again. Nothing here knows of threads or loops."""

import copy
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message

from ordermesh.client.errors import OrdermeshError
from ordermesh.client.policy import Policy
from ordermesh.client.reading import read_error
from ordermesh.notify.v1 import notify_service_pb2
from ordermesh.order.v1 import order_service_pb2
from ordermesh.payment.v1 import payment_service_pb2
from ordermesh.tax.v1 import tax_service_pb2
from ordermesh.webhook.v1 import webhook_service_pb2

Inject = Callable[[dict[str, str]], None]
"""Writes headers into the dict it is given: `opentelemetry.propagate.inject`, or your own."""

_Request = TypeVar("_Request")
_Message = TypeVar("_Message", bound=Message)

_FILES = (order_service_pb2, tax_service_pb2, payment_service_pb2, notify_service_pb2, webhook_service_pb2)


def services() -> list[ServiceDescriptor]:
    """Return the services that the client speaks to."""
    return [service for file in _FILES for service in file.DESCRIPTOR.services_by_name.values()]


class Call(Generic[_Request]):
    """A call from its beginning to its end, however often it is sent.

    Attributes:
        request: What to send each time; the caller's own message is never changed.
        request_id: The key in it. Empty when such a request has none.
        metadata: The headers to send.

    Raises:
        TypeError: The request is not the RPC's own message; it would arrive as something else.
    """

    def __init__(
        self,
        method: MethodDescriptor,
        request: _Request,
        seconds: float | None,
        metadata: tuple[tuple[str, str | bytes], ...],
        policy: Policy,
    ) -> None:
        if not isinstance(request, Message) or request.DESCRIPTOR is not method.input_type:
            raise TypeError(f"{method.name} takes a {method.input_type.name}, not a {type(request).__name__}")
        self.request, self.request_id = _keyed(request)
        self.metadata = metadata
        self._name = f"{method.containing_service.full_name}/{method.name}"
        self._repeatable = method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
        self._end = None if seconds is None else time.monotonic() + seconds
        self._policy = policy
        self._failures = 0

    def remaining(self) -> float | None:
        """Return the seconds that are left to it; None means no limit."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def failed(self, error: grpc.RpcError) -> OrdermeshError:
        """Return what an attempt failed with."""
        return read_error(error, method=self._name, request_id=self.request_id)

    def pause_after(self, error: OrdermeshError) -> float | None:
        """Return the seconds to wait before it is sent again, or None when it must not be, or would come too late."""
        self._failures += 1
        if not (self._repeatable and error.code is grpc.StatusCode.UNAVAILABLE):
            return None
        if self._failures >= self._policy.attempts:
            return None
        pause = self._policy.pause(self._failures, error.retry_after)
        left = self.remaining()
        return None if left is not None and pause >= left else pause


class Calls:
    """Makes calls after a policy; the descriptors say what each RPC is.

    Raises:
        ValueError: The policy names an RPC that does not exist.
    """

    def __init__(self, policy: Policy, inject: Inject | None) -> None:
        self._methods = {
            f"/{service.full_name}/{method.name}": method for service in services() for method in service.methods
        }
        self._seconds = dict(_deadlines(self._methods, policy))
        self._policy = policy
        self._inject = inject

    def begin(
        self,
        path: str | bytes,
        request: _Request,
        timeout: float | None,
        metadata: Iterable[tuple[str, str | bytes]] | None,
    ) -> Call[_Request]:
        """Return a call that begins now.

        Args:
            path: "/ordermesh.order.v1.OrderService/PlaceOrder"; the asynchronous stack has it in bytes.
            request: The caller's message.
            timeout: The caller's own deadline in seconds; None means the policy's.
            metadata: The caller's own headers.
        """
        path = path.decode() if isinstance(path, bytes) else path
        seconds = self._seconds[path] if timeout is None else timeout
        return Call(self._methods[path], request, seconds, self._headers(metadata), self._policy)

    def _headers(self, given: Iterable[tuple[str, str | bytes]] | None) -> tuple[tuple[str, str | bytes], ...]:
        """Return the caller's headers and those of the trace, without the latter where the caller gave them."""
        own = tuple(given or ())
        if self._inject is None:
            return own
        carrier: dict[str, str] = {}
        self._inject(carrier)
        names = {name for name, _ in own}
        return (*own, *((name.lower(), value) for name, value in carrier.items() if name.lower() not in names))


def _deadlines(methods: dict[str, MethodDescriptor], policy: Policy) -> Iterable[tuple[str, float | None]]:
    """Return the seconds of every RPC by its path; None for a stream, which runs for as long as somebody listens."""
    named = dict(policy.timeouts)
    for path, method in methods.items():
        short = f"{method.containing_service.name}/{method.name}"
        by_name = [named.get(key) for key in (short, method.name)]
        reads = method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
        usual = None if method.server_streaming else policy.read_seconds if reads else policy.command_seconds
        yield path, next((each for each in by_name if each is not None), usual)
    known = {name for each in methods.values() for name in (each.name, f"{each.containing_service.name}/{each.name}")}
    if unknown := named.keys() - known:
        raise ValueError(f"no such RPC: {', '.join(sorted(unknown))}")


def _keyed(request: _Message) -> tuple[_Message, str]:
    """Return the request with a key, and the key; a request that needs one and has none is copied and given one."""
    if "request_id" not in request.DESCRIPTOR.fields_by_name:
        return request, ""
    given = str(getattr(request, "request_id"))  # noqa: B009  (a field that the type of all messages does not have)
    if given:
        return request, given
    made = str(uuid.uuid4())  # noqa: TID251  (the client is outside the mesh, where there are no Ids)
    copied = copy.deepcopy(request)
    setattr(copied, "request_id", made)  # noqa: B010  (see above)
    return copied, made
