"""A service as others meet it: started as its __main__ does, and called over a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import grpc
import pytest

from chassis.errors import refusal_of
from chassis.telemetry.setup import Telemetry, start_telemetry
from kernel.errors import Refusal

Starting = Callable[[Telemetry], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def called(name: str, data_dir: Path, running: Starting) -> AsyncIterator[grpc.aio.Channel]:
    """Run a service while the context is open, and yield a channel to it.

    Args:
        name: Of the service.
        data_dir: Where its spans go.
        running: The service, given what it records with; yields the address that it listens on.
    """
    telemetry = start_telemetry(name, data_dir, None)
    try:
        async with running(telemetry) as address, grpc.aio.insecure_channel(address) as channel:
            yield channel
    finally:
        await telemetry.aclose()


async def refused(call: Awaitable[object]) -> Refusal:
    """Return the refusal that a call has to end in."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    refusal = refusal_of(error.value)
    assert refusal is not None, error.value
    return refusal
