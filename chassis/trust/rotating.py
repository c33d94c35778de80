"""A client channel whose certificate can be replaced without a call being lost.

grpcio has no way to give a channel another certificate (grpc#41779), so a new channel is opened beside the old one. It
takes the calls over once it is connected: a certificate that the servers do not accept yet costs nothing, for the old
channel goes on as long as it can. The old one is closed when the last call on it must have ended.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

import grpc

from chassis.trust.certificate import Certificate

_logger = logging.getLogger(__name__)

# How often a channel looks whether its files have changed, when it is used.
RELOAD_SECONDS = 5.0

# No unary call may take longer, whatever its caller allows: the longest deadline in the mesh is the gateway's, 16 s.
_LONGEST_CALL_SECONDS = 20.0

# Streams have no deadline; servers end them when their connection gets too old: SERVER_OPTIONS, 300 s and a tenth more
# at random, and 60 s of grace.
_LONGEST_STREAM_SECONDS = 400.0

Open = Callable[[Certificate], grpc.aio.Channel]


class RotatingChannel:
    """Stands in for a grpc.aio.Channel; it has the methods that this house uses.

    Args:
        files: Returns the newest certificate; the same object until there is another.
        open_channel: Opens a channel that shows a certificate.
        reload_seconds: How often it asks for a new certificate, when it is used.
        longest_call_seconds: How long an old channel is kept for its unary calls.
        longest_stream_seconds: How long after that it is kept for streams, while there are any.
    """

    def __init__(
        self,
        files: Callable[[], Certificate],
        open_channel: Open,
        *,
        reload_seconds: float = RELOAD_SECONDS,
        longest_call_seconds: float = _LONGEST_CALL_SECONDS,
        longest_stream_seconds: float = _LONGEST_STREAM_SECONDS,
    ) -> None:
        self._files = files
        self._open = open_channel
        self._reload_seconds = reload_seconds
        self._longest_call_seconds = longest_call_seconds
        self._longest_stream_seconds = longest_stream_seconds
        self._certificate = files()
        self._channel = open_channel(self._certificate)
        self._look_at = time.monotonic() + reload_seconds
        self._moving: asyncio.Task[None] | None = None
        self._streams: dict[grpc.aio.Channel, int] = {}
        self._ended: dict[grpc.aio.Channel, asyncio.Event] = {}
        self._retiring: dict[grpc.aio.Channel, asyncio.Task[None]] = {}

    def current(self) -> grpc.aio.Channel:
        """Return the channel that new calls go to."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + self._reload_seconds
            self._look()
        return self._channel

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        _registered_method: bool | None = None,  # noqa: FBT001  (grpc's own signature)
    ) -> Callable[..., Any]:
        """Return the callable behind one RPC of a stub."""
        made = _Made(lambda channel: channel.unary_unary(method, request_serializer, response_deserializer))

        def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401  (grpc's own)
            return made.on(self.current())(*args, **options)

        return call

    def unary_stream(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        _registered_method: bool | None = None,  # noqa: FBT001  (grpc's own signature)
    ) -> Callable[..., Any]:
        """Return the callable behind one server-streaming RPC of a stub."""
        made = _Made(lambda channel: channel.unary_stream(method, request_serializer, response_deserializer))

        def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401  (grpc's own)
            channel = self.current()
            stream = made.on(channel)(*args, **options)
            self._streams[channel] = self._streams.get(channel, 0) + 1
            stream.add_done_callback(lambda _: self._stream_ended(channel))
            return stream

        return call

    async def close(self) -> None:
        """Close the connections; calls in flight are cancelled."""
        tasks = [*self._retiring.values(), *([self._moving] if self._moving else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for channel in (*self._retiring, self._channel):
            await channel.close()

    def _look(self) -> None:
        newest = self._files()
        if newest is self._certificate:
            return
        self._certificate = newest
        if self._moving is not None:
            self._moving.cancel()
        self._moving = asyncio.create_task(self._move(newest), name="trust.move")

    async def _move(self, certificate: Certificate) -> None:
        fresh = self._open(certificate)
        try:
            state = fresh.get_state(try_to_connect=True)
            while state is not grpc.ChannelConnectivity.READY:
                await fresh.wait_for_state_change(state)
                state = fresh.get_state(try_to_connect=True)
        except asyncio.CancelledError:
            await fresh.close()
            raise
        old, self._channel = self._channel, fresh
        self._moving = None
        _logger.info("trust.channel_moved", extra={"until": certificate.expires.isoformat()})
        self._retiring[old] = asyncio.create_task(self._retire(old), name="trust.retire")

    async def _retire(self, old: grpc.aio.Channel) -> None:
        await asyncio.sleep(self._longest_call_seconds)
        if self._streams.get(old):
            ended = self._ended[old] = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._longest_stream_seconds):
                    await ended.wait()
        await old.close()
        for noted in (self._streams, self._ended, self._retiring):
            noted.pop(old, None)

    def _stream_ended(self, channel: grpc.aio.Channel) -> None:
        if channel in self._streams:
            self._streams[channel] -= 1
            if not self._streams[channel] and channel in self._ended:
                self._ended[channel].set()


class _Made:
    """The callable of one RPC, made anew when the channel is another."""

    def __init__(self, make: Callable[[grpc.aio.Channel], Any]) -> None:
        self._make = make
        self._channel: grpc.aio.Channel | None = None
        self._callable: Any = None

    def on(self, channel: grpc.aio.Channel) -> Any:  # noqa: ANN401  (grpc's own)
        if channel is not self._channel:
            self._channel, self._callable = channel, self._make(channel)
        return self._callable
