"""The one place where a failed call to another service becomes an outcome."""

from collections.abc import Awaitable
from typing import TypeVar

import grpc

from chassis.errors import from_rpc_error
from kernel.errors import Refusal
from kernel.outcome import Done, NotDone, Unknown

T = TypeVar("T")


async def outcome(call: Awaitable[T]) -> Done[T] | NotDone[Refusal] | Unknown:
    """Return what became of a call."""
    try:
        return Done(await call)
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
