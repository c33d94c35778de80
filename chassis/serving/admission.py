"""The layer that refuses a call before it costs anything, when there is too much to do."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from google.protobuf.message import Message

from chassis import caller
from chassis.admission import BUSY_KEY, RETRY_SECONDS, Admission, overloaded
from chassis.errors import to_grpc_status
from chassis.layers import Chain, Context, Method, Seat, Stream, Unary
from chassis.serving.ending import NEVER_SENT, ended
from kernel.errors import Reason, Refusal

_BUSY = ((BUSY_KEY, "1"),)

# There are many refusals when there is much to do, and all are alike.
_REFUSED = to_grpc_status(overloaded())

# A stream waits most of its life, so streams and calls are counted apart; each costs some 30 KB. One connection carries
# all of them and calls besides (grpc.max_concurrent_streams): where streams filled it, every call on it would wait.
MOST_STREAMS = 2_000


class AdmissionLayer:
    """Lets in as many calls as are done in good time. Health is not behind it, and always answers.

    Most of what is too much does not come this far: the server has it refused at its door (chassis/accepting.py).

    Attributes:
        admission: Counts what is in flight.
    """

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self._streams = 0

    def around_unary(self, method: Method, handler: Unary) -> Unary:
        """Return a handler that holds a place while it runs."""
        admission, enter, leave = self.admission, self.admission.enter, self.admission.leave

        async def call(request: Any, context: Context) -> Message:  # noqa: ANN401  (see layers.Unary)
            enter(caller.current().rate_owner)
            try:
                return await handler(request, context)
            finally:
                leave()
                if admission.busy:
                    context.set_trailing_metadata(_BUSY)

        return call

    def around_stream(self, method: Method, handler: Stream) -> Stream:
        """Return a streaming handler that passes the door as a call does, and is counted among the streams then."""

        async def call(request: Any, context: Context) -> AsyncIterator[Message]:  # noqa: ANN401  (see layers.Unary)
            with self.admission.admitted(caller.current().rate_owner):
                pass
            if self._streams >= MOST_STREAMS:
                raise Refusal(Reason.OVERLOADED, "Too many streams are open here.", retry_after=RETRY_SECONDS)
            self._streams += 1
            try:
                async for answer in handler(request, context):
                    yield answer
            finally:
                self._streams -= 1

        return call


def full_of(chain: Chain) -> Callable[[], bool]:
    """Return what says whether there is no room for one call more; where nobody counts, there always is."""
    layer = chain.at(Seat.ADMISSION)
    return layer.admission.full if isinstance(layer, AdmissionLayer) else lambda: False


async def refuse(_requests: object, context: Context) -> Message:
    """Refuse a call of which nothing has been read."""
    await ended(context.abort_with_status(_REFUSED))
    return NEVER_SENT
