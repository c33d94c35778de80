"""Outgoing webhooks, put together: the parts of the order service that its other parts need not know."""

from collections.abc import Callable
from functools import partial

from chassis.http.client import HttpTransport
from chassis.http.reach import Resolve, within
from chassis.storage.store import Store
from chassis.telemetry.setup import Telemetry
from kernel.bell import Bell
from kernel.clock import Clock
from kernel.ids import Ids
from order_svc.adapters.webhook_announcer import Announcer
from order_svc.adapters.webhook_deliveries_store import DeliveriesStore
from order_svc.adapters.webhook_endpoints_store import EndpointsStore
from order_svc.adapters.webhook_http import MOST_ANSWER_BYTES, POST_SECONDS, HttpPoster
from order_svc.adapters.webhook_telling import TelemetryHookTelling
from order_svc.app.webhook_endpoints import KeepEndpoints
from order_svc.app.webhook_log import ReadDeliveryLog
from order_svc.app.webhook_ports import Audience
from order_svc.app.webhook_sender import AT_ONCE, Sender
from order_svc.app.work import Work
from order_svc.domain.webhook_reach import Reach
from order_svc.webhook_servicer import WebhookServicer


class Webhooks:
    """All of it.

    Args:
        store: Where the tables are.
        clock: The time.
        ids: Makes ids.
        replica: What tells this replica from all others that live now.
        life: What tells this life of it from its earlier ones.
        work: Runs posts side by side.
        telemetry: Traces and measures.
        random: Returns numbers from 0 to 1, to spread retries.
        chance: Returns so many random bytes that nobody can guess.
        reach: Where messages may be posted to.

    Attributes:
        announce: Makes the messages about a journal entry.
        servicer: Takes the calls.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        replica: str,
        life: str,
        work: Work,
        telemetry: Telemetry,
        random: Callable[[], float],
        chance: Callable[[int], bytes],
        reach: Reach,
    ) -> None:
        self._audience = Audience()
        self._deliveries = DeliveriesStore(store, clock, ids, replica, life)
        self._poster = HttpPoster(partial(_transport, telemetry, within(reach.admits)), clock)
        bell, telling = Bell(clock), TelemetryHookTelling(telemetry)
        self._sender = Sender(self._deliveries, self._poster, self._audience, work, bell, clock, random, telling)
        endpoints = KeepEndpoints(EndpointsStore(store, clock), self._audience, clock, ids, chance, bell.ring)
        self.announce = Announcer(self._audience)
        self.servicer = WebhookServicer(endpoints, ReadDeliveryLog(self._deliveries, clock, bell.ring), reach)

    async def prepare(self) -> None:
        """Learn whether anybody listens, before the first order is taken."""
        await self._sender.look()

    async def take_over(self) -> None:
        """Take up at once what an earlier life of this replica left behind."""
        await self._deliveries.release_own()

    async def run(self) -> None:
        """Send for ever."""
        await self._sender.run()

    async def aclose(self) -> None:
        """Drop all connections."""
        await self._poster.aclose()


def _transport(telemetry: Telemetry, resolve: Resolve, url: str) -> HttpTransport:
    """Return what speaks to one endpoint."""
    return HttpTransport(
        "webhook",
        url,
        tracer=telemetry.tracer,
        metrics=telemetry.metrics,
        timeout_seconds=POST_SECONDS,
        max_connections=AT_ONCE,
        max_answer_bytes=MOST_ANSWER_BYTES,
        bodies=False,
        resolve=resolve,
    )
