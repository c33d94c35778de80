"""Sends messages to the shop's other systems: shares them out to the endpoints, posts them, and again until taken.

At least once, in no promised order: a process that dies between a post and its commit posts again, and a message that
has to wait is overtaken by those after it. Receivers know repetitions by the message id, and the order's present state
by reading it, or by its version.
"""

import logging
from collections import Counter
from collections.abc import Callable

from kernel.bell import Bell
from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import InDoubt
from order_svc.app.turns import take_turns
from order_svc.app.webhook_ports import Audience, HookQueue, HookTelling, Parcel, Pending, Poster
from order_svc.app.work import Work
from order_svc.domain.webhook_delivery import Answer, after_attempt

_logger = logging.getLogger(__name__)

# How often it says what is not delivered: collectors read gauges every ten seconds at the most.
_TELL_SECONDS = 10.0

# How many messages are shared out in a transaction: few enough that orders do not wait for it.
_BATCH = 100

# How many posts to one endpoint are under way in a process: one that hangs keeps so many waiting, and nobody else's.
AT_ONCE = 8

# How long a claim lasts: longer than any post, so that only what a dead process left behind is taken up by others.
_LEASE_SECONDS = 45.0


class Sender:
    """Looks, shares out, claims, posts.

    Args:
        queue: Where messages and deliveries are kept.
        poster: Posts them.
        audience: Is told whether anybody listens.
        work: Runs posts side by side.
        bell: Is rung when something was made due.
        clock: The time.
        random: Returns numbers from 0 to 1, to spread retries.
        telling: Traces and measures.
    """

    def __init__(
        self,
        queue: HookQueue,
        poster: Poster,
        audience: Audience,
        work: Work,
        bell: Bell,
        clock: Clock,
        random: Callable[[], float],
        telling: HookTelling,
    ) -> None:
        self._queue = queue
        self._poster = poster
        self._audience = audience
        self._work = work
        self._bell = bell
        self._clock = clock
        self._random = random
        self._telling = telling
        self._tell_at = 0.0
        self._busy: Counter[str] = Counter()

    async def run(self) -> None:
        """Send for ever; a database that is away is waited for, and no defect ends it."""
        await take_turns(self.turn, self._bell, _logger, "webhooks")

    async def look(self) -> Pending:
        """Return what there is to do, and learn whether anybody listens."""
        joined = self._audience.joined
        pending = await self._queue.pending()
        self._audience.found(listens=pending.listens, joined=joined)
        return pending

    async def turn(self) -> bool:
        """Do what there is room for, and say whether there may be more to do at once."""
        pending = await self.look()
        shared = await self._queue.share_out(_BATCH) if pending.messages else 0
        if pending.deliveries or shared:
            for parcel in await self._queue.claim(AT_ONCE, dict(self._busy), _LEASE_SECONDS):
                self._busy[parcel.endpoint.endpoint_id] += 1
                self._work.start(self._deliver(parcel), f"webhook {parcel.delivery.delivery_id}")
        if pending.listens:
            await self._tell()
        return shared == _BATCH

    async def _deliver(self, parcel: Parcel) -> None:
        """Post one message, and store what became of it."""
        endpoint_id = parcel.endpoint.endpoint_id
        try:
            with self._telling.attempt(parcel) as told:
                outcome = await self._posted(parcel)
                after = after_attempt(parcel.delivery, outcome, self._clock.now(), self._random())
                told.became(after, outcome)
            if isinstance(outcome, Done) and outcome.value.gone:
                _logger.warning("webhook.gone", extra={"endpoint_id": endpoint_id})
                await self._queue.switch_off(after)
            else:
                await self._queue.finish(after)
        except (InDoubt, Refusal):
            # The database is away. It is posted again when the lease is over; the receiver knows it by its message id.
            _logger.warning("webhook.left", extra={"delivery_id": parcel.delivery.delivery_id})
        finally:
            self._busy[endpoint_id] -= 1
            if not self._busy[endpoint_id]:
                del self._busy[endpoint_id]
            # There is room again for what else waits for this endpoint.
            self._bell.ring()

    async def _posted(self, parcel: Parcel) -> Done[Answer] | NotDone[str] | Unknown:
        """Post one message; a defect counts as an attempt, so that it is made ever less often, and not for ever."""
        try:
            return await self._poster.post(parcel)
        except Exception:
            _logger.exception("webhook.defect", extra={"delivery_id": parcel.delivery.delivery_id})
            return Unknown("could not be posted for a defect of this service, which its log names")

    async def _tell(self) -> None:
        if self._clock.monotonic() >= self._tell_at:
            self._telling.backlog(await self._queue.backlog())
            self._tell_at = self._clock.monotonic() + _TELL_SECONDS
