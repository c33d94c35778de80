"""Every service of the mesh on one real port, answering what a test scripts, for the clients that other teams use.

It stands on grpc's threaded server, so that the client for threads and the one for asyncio can both be tested on it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from ordermesh.client.calls import services

from chassis.errors import to_grpc_status
from kernel.errors import Refusal

# What takes milliseconds on an idle machine.
_PATIENCE_SECONDS = 30.0

Answer = Message | Refusal | grpc.StatusCode | Callable[[], Message]
"""A message; a refusal as a service of ours sends it; a bare code as the transport or a foreign server does."""


@dataclass(frozen=True)
class Seen:
    """A call as it arrived.

    Attributes:
        method: "PlaceOrder".
        request: Its message.
        metadata: Its headers.
        seconds: How long its caller still waited.
        at: When, on the monotonic clock.
    """

    method: str
    request: Any
    metadata: dict[str, str]
    seconds: float
    at: float


class Peer:
    """The script and what was seen.

    Attributes:
        script: For each RPC the answers to give, one a call; the last one again and again. For a stream, the answers of
            one connection in a list.
        seen: The calls, oldest first.
        address: Where it listens.
        open: The calls that have not ended, also for their callers; a count.
    """

    def __init__(self) -> None:
        self.script: dict[str, list[Answer | list[Answer]]] = {}
        self.seen: list[Seen] = []
        self.address = "127.0.0.1:0"
        self.open = 0
        self._lock = threading.Lock()
        self._server: grpc.Server | None = None

    def start(self) -> None:
        """Listen, where it did before if it did."""
        self._server = grpc.server(ThreadPoolExecutor(max_workers=20), options=[("grpc.so_reuseport", 0)])
        for service in services():
            handlers = {method.name: self._handler(method) for method in service.methods}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
        port = self._server.add_insecure_port(self.address)
        self.address = f"127.0.0.1:{port}"
        self._server.start()

    def stop(self) -> None:
        """Stop at once, as a killed process does."""
        if self._server is not None:
            self._server.stop(0).wait()
            self._server = None

    def _handler(self, method: MethodDescriptor) -> "grpc.RpcMethodHandler[Any, Any]":
        handle, kind = (
            (self._stream, grpc.unary_stream_rpc_method_handler)
            if method.server_streaming
            else (self._unary, grpc.unary_unary_rpc_method_handler)
        )

        def answer(request: Message, context: grpc.ServicerContext) -> Any:  # noqa: ANN401  (one message or many)
            return handle(self._next(method.name, request, context), context)

        return kind(
            answer,
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )

    def _next(self, name: str, request: Message, context: grpc.ServicerContext) -> Any:  # noqa: ANN401  (see above)
        headers = {key: value if isinstance(value, str) else "" for key, value in context.invocation_metadata()}
        context.add_callback(self._ended)
        with self._lock:
            self.open += 1
            self.seen.append(Seen(name, request, headers, context.time_remaining(), time.monotonic()))
            answers = self.script[name]
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def _ended(self) -> None:
        with self._lock:
            self.open -= 1

    def wait_until_all_ended(self) -> None:
        """Return once no caller waits any more."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while self.open:
            assert time.monotonic() < end, f"{self.open} calls are still open"
            time.sleep(0.01)

    def _unary(self, answer: Any, context: grpc.ServicerContext) -> Message:  # noqa: ANN401  (see above)
        if isinstance(answer, Refusal):
            context.abort_with_status(to_grpc_status(answer))
        if isinstance(answer, grpc.StatusCode):
            context.abort(answer, "said a proxy")
        if isinstance(answer, Message):
            return answer
        made: Message = answer()
        return made

    def _stream(self, answers: Any, context: grpc.ServicerContext) -> Iterator[Message]:  # noqa: ANN401  (see above)
        for answer in answers:
            yield self._unary(answer, context)


@contextmanager
def client_peer() -> Iterator[Peer]:
    """Run one while the context is open."""
    peer = Peer()
    peer.start()
    try:
        yield peer
    finally:
        peer.stop()
