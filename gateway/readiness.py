"""Whether the services behind the gateway take calls: their grpc.health, watched in the background."""

import asyncio
from collections.abc import Collection, Mapping

import grpc
from grpc_health.v1 import health_pb2

from kernel.clock import Clock

# A frozen service is noticed by the channel's keepalive; the watch itself is opened anew once in a while.
_WATCH_SECONDS = 300.0
# A service that is away is waited for by its channel, which knows first when it is back. That is cut off once in a
# while: what is opened then may have a newer certificate.
_WAIT_SECONDS = 5.0
# How long after a watch was refused by whoever is there the next one is opened.
_RETRY_SECONDS = 1.0
# A watch is of one replica, and when that stops the others serve on: the channel is asked again before a service counts
# as away, so often, after pauses in which it has certainly heard of the replica's end.
_TRIES = 3
_TRY_SECONDS = 0.05

# By name and not by stub, whose methods have no types.
_WATCH = "/grpc.health.v1.Health/Watch"
_CHECK = "/grpc.health.v1.Health/Check"
_REQUEST = health_pb2.HealthCheckRequest()
_ENCODE, _DECODE = health_pb2.HealthCheckRequest.SerializeToString, health_pb2.HealthCheckResponse.FromString
_SERVING = health_pb2.HealthCheckResponse.SERVING


class Readiness:
    """Watches services and knows at any moment which of them are not serving.

    Args:
        channels: A bare channel to each service, by the name that people know it by: "order".
        clock: Waits between watches.
        needed: Services without which the gateway is of no use; where there is none of these, all are.
    """

    def __init__(self, channels: Mapping[str, grpc.aio.Channel], clock: Clock, needed: Collection[str] = ()) -> None:
        self._channels = channels
        self._clock = clock
        self._needed = [name for name in channels if name in needed] or list(channels)
        self._states = dict.fromkeys(channels, "unreachable")
        self._leaving = False
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Condition()

    def start(self) -> None:
        """Begin to watch."""
        self._tasks = [
            asyncio.create_task(self._watch(name, channel), name=f"readiness.{name}")
            for name, channel in self._channels.items()
        ]

    async def stop(self) -> None:
        """Stop watching."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def leaving(self) -> bool:
        """Whether the gateway is about to stop."""
        return self._leaving

    async def leave(self) -> None:
        """Say from now on that the gateway is not ready, whatever its services are: it is about to stop."""
        async with self._changed:
            self._leaving = True
            self._changed.notify_all()

    def states(self) -> Mapping[str, str]:
        """Return each service's state in words: "serving", "not serving" or "unreachable"."""
        return dict(self._states)

    def ready(self) -> bool:
        """Return whether every service is serving that is needed, and the gateway stays."""
        return not self._leaving and all(self._states[name] == "serving" for name in self._needed)

    def whole(self) -> bool:
        """Return whether every service is serving."""
        return all(state == "serving" for state in self._states.values())

    async def until(self, *, ready: bool) -> None:
        """Wait until the gateway is ready with all of its services, or until it is not ready."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.ready() is ready and (self.whole() or not ready))

    async def _watch(self, name: str, channel: grpc.aio.Channel) -> None:
        watch = channel.unary_stream(_WATCH, _ENCODE, _DECODE)
        lost = 0
        while True:
            away = lost >= _TRIES
            watching = watch(_REQUEST, timeout=_WAIT_SECONDS if away else _WATCH_SECONDS, wait_for_ready=away)
            try:
                async for answer in watching:
                    lost = 0
                    if answer.status == _SERVING:
                        await self._note(name, "serving")
                    elif await self._another_serves(channel):
                        break
                    else:
                        await self._note(name, "not serving")
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    continue
                lost += 1
                if lost >= _TRIES:
                    await self._note(name, "unreachable")
                await self._clock.sleep(_RETRY_SECONDS if away else _TRY_SECONDS)
            finally:
                watching.cancel()

    async def _another_serves(self, channel: grpc.aio.Channel) -> bool:
        """Tell whether calls still find a replica that serves, when the one that was watched says that it does not."""
        check = channel.unary_unary(_CHECK, _ENCODE, _DECODE)
        for _ in range(_TRIES):
            await self._clock.sleep(_TRY_SECONDS)
            try:
                answer = await check(_REQUEST, timeout=_RETRY_SECONDS)
            except grpc.aio.AioRpcError:
                return False
            if answer.status == _SERVING:
                return True
        return False

    async def _note(self, name: str, state: str) -> None:
        async with self._changed:
            self._states[name] = state
            self._changed.notify_all()
