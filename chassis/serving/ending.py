"""How a call is ended before its time, so that nothing of it stays behind."""

from collections.abc import Awaitable

import grpc
from google.protobuf.empty_pb2 import Empty

# What the handler of a call that was ended returns, for it has to return something.
NEVER_SENT = Empty()


async def ended(abort: Awaitable[object]) -> None:
    """End a call with what its context's `abort` returns; its handler has to return then, and nothing of that is sent.

    grpc ends a call by raising an error, which the call keeps, and raises it once more when a handler has returned
    after it. On its way out through our handlers it would remember their frames, in those the request, and the context,
    through which they keep the call: a cycle that stays until the garbage collector looks, with a quarter of a mebibyte
    each where a hostile caller wants that.
    """
    try:
        await abort
    except (grpc.aio.AbortError, grpc.aio.InternalError) as error:
        # The latter where the caller has gone: nobody is left to hear it.
        forget_origin(error)


def forget_origin(error: BaseException) -> None:
    """Have an error that is done with, and what led to it, remember no frames: any of them may keep the error."""
    last: BaseException | None = error
    while last is not None:
        earlier = last.__cause__ or last.__context__
        last.__traceback__ = last.__context__ = last.__cause__ = None
        last = earlier
