"""The layer that turns refusals into statuses, and whatever else escapes into INTERNAL with an id and nothing more."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.message import Message

from chassis.errors import to_grpc_status
from chassis.layers import Context, Method, Stream, Unary
from chassis.logs import log_defect
from chassis.serving.ending import NEVER_SENT, ended, forget_origin
from kernel.errors import Reason, Refusal
from kernel.ids import Ids

_logger = logging.getLogger(__name__)


class ErrorsLayer:
    """Nothing but a Refusal ever reaches a caller with its own words."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    def around_unary(self, method: Method, handler: Unary) -> Unary:
        """Return a handler whose failures are statuses."""
        end = self._end

        async def call(request: Any, context: Context) -> Message:  # noqa: ANN401  (see layers.Unary)
            try:
                return await handler(request, context)
            except (Exception, asyncio.CancelledError) as error:
                if not await end(error, method, context):
                    raise
                forget_origin(error)
            return NEVER_SENT

        return call

    def around_stream(self, method: Method, handler: Stream) -> Stream:
        """Return a streaming handler whose failures are statuses."""
        end = self._end

        async def call(request: Any, context: Context) -> AsyncIterator[Message]:  # noqa: ANN401  (see layers.Unary)
            try:
                async for answer in handler(request, context):
                    yield answer
            except (Exception, asyncio.CancelledError) as error:
                if not await end(error, method, context):
                    raise
                forget_origin(error)

        return call

    async def _end(self, error: BaseException, method: Method, context: Context) -> bool:
        """End the call with the status of the error; False when the error has to go on as it is."""
        if isinstance(error, grpc.aio.AbortError):
            return True
        if isinstance(error, asyncio.CancelledError) and (context.cancelled() or context.done()):
            return False
        await ended(context.abort_with_status(to_grpc_status(self._refusal(error, method))))
        return True

    def _refusal(self, error: BaseException, method: Method) -> Refusal:
        """Return what the caller is told of the error."""
        if isinstance(error, Refusal):
            return error
        if isinstance(error, asyncio.CancelledError):
            # The call itself was not cancelled, something it waited for was. Left alone, the caller would hear nothing
            # until its deadline (grpc#29248).
            return Refusal(Reason.UNAVAILABLE, "The service is stopping; try again.", retry_after=1.0)
        error_id = self._ids.new()
        log_defect(_logger, "rpc.defect", error, method=method.name, error_id=error_id)
        return Refusal(
            Reason.INTERNAL,
            f"Something went wrong on our side; our log has it under {error_id}.",
            metadata={"errorId": error_id},
        )
