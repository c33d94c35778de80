"""SendGrid's events: signed, on their way to the notify service, out of order and more than once.

What becomes of a mail follows from its notification, so that all copies of one meet the same fate. An event that is not
answered with success is sent again until it is.
"""

import asyncio
import zlib

import grpc
import orjson
from ordermesh.notify.v1 import notify_service_pb2

from chassis.errors import refusal_of
from kernel.errors import Reason
from notify_svc.domain.notification import State
from tests.fakes.notify_signing import SendgridKey
from tests.simulation.wire import Stub
from tests.simulation.world import World

KEY = SendgridKey()

# By fate: which events come in which turn, and where they leave the notification, whatever the turn. Of one mail in
# four nothing is ever heard, so that nothing but our own bound keeps its copies few.
_FATES: tuple[tuple[tuple[str, ...], State | None], ...] = (
    ((), None),
    ((), None),
    (("processed", "delivered"), State.DELIVERED),
    (("delivered", "processed", "delivered", "open"), State.DELIVERED),
    (("deferred", "processed", "deferred", "delivered"), State.DELIVERED),
    (("bounce", "processed"), State.BOUNCED),
    (("dropped",), State.DROPPED),
    (("spamreport", "delivered", "processed"), State.SPAM_REPORTED),
)

# The first overtakes the answer to the mail itself, and our own commit of it.
_FIRST_SECONDS, _NEXT_SECONDS = 0.02, 2.0
_PATIENCE_SECONDS = 10.0
_AGAIN_SECONDS = 60.0


class MailEvents:
    """What SendGrid tells by itself.

    Args:
        world: Where it does.
        notify: Where the gateway hands events on to.
    """

    def __init__(self, world: World, notify: Stub) -> None:
        self._world = world
        self._notify = notify

    def tell(self, notification_id: str, message_id: str) -> None:
        """Send all events of a mail that went out, the last one twice."""
        kinds, _ = _fate(notification_id)
        told = [
            {
                "event": kind,
                "sg_event_id": f"{message_id}-{number}",
                "sg_message_id": f"{message_id}.simulated",
                "notification_id": notification_id,
                "timestamp": int(self._world.now_ms() / 1_000),
            }
            for number, kind in enumerate(kinds)
        ]
        for number, event in enumerate((*told, *told[-1:])):
            self._send(orjson.dumps([event]), _FIRST_SECONDS + number * _NEXT_SECONDS)

    async def deliver(self, payload: bytes) -> None:
        """Deliver a batch once, and again later if that was not answered with success."""
        at = str(int(self._world.now_ms() / 1_000))
        request = notify_service_pb2.IngestSendgridEventsRequest(
            payload=payload, signature=KEY.sign(at, payload), timestamp=at
        )
        try:
            await self._notify.IngestSendgridEvents(request, timeout=_PATIENCE_SECONDS)
        except grpc.aio.AioRpcError as error:
            refusal = refusal_of(error)
            if refusal is not None and refusal.reason is Reason.SIGNATURE_INVALID:
                self._world.violated("P-40: an event of SendGrid's is genuine and was refused")
            self._send(payload, _AGAIN_SECONDS)

    def _send(self, payload: bytes, delay: float) -> None:
        self._world.later(delay, _begin, self, payload)


def end_of(notification_id: str) -> State | None:
    """Return where the events of a mail leave its notification; None where there are none."""
    _, state = _fate(notification_id)
    return state


def _fate(notification_id: str) -> tuple[tuple[str, ...], State | None]:
    return _FATES[zlib.crc32(notification_id.encode()) % len(_FATES)]


def _begin(events: MailEvents, payload: bytes) -> None:
    asyncio.ensure_future(events.deliver(payload))  # noqa: RUF006  (it ends with its call)
