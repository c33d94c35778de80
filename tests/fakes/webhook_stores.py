"""Replicas of the ports of outgoing webhooks on one database, in memory or real, and what tests do with them most."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from chassis.storage.changes import Change, Insert
from chassis.storage.store import Store
from order_svc.adapters import webhook_rows
from order_svc.adapters.webhook_tables import WEBHOOK_MESSAGES
from order_svc.app.webhook_ports import (
    DeliveryFilter,
    DeliveryLog,
    Endpoints,
    HookCommand,
    HookQueue,
)
from order_svc.domain.webhook import Message
from order_svc.domain.webhook_delivery import Delivery
from order_svc.domain.webhook_endpoint import Endpoint
from tests.fakes.order_moves import IDS
from tests.fakes.order_samples import a_request
from tests.fakes.webhooks_in_memory import HookDatabase


@dataclass(frozen=True)
class Replica:
    """One replica's ports."""

    endpoints: Endpoints
    queue: HookQueue
    log: DeliveryLog


Replicas = Callable[[str, str], Replica]
Tell = Callable[[Message], object]


@dataclass(frozen=True)
class Hooks:
    """A database, and what uses it."""

    replicas: Replicas
    database: Store | HookDatabase

    async def tell(self, *messages: Message) -> None:
        """Store messages, as the commits of orders do."""
        for message in messages:
            if isinstance(self.database, HookDatabase):
                self.database.new.append(message)
            else:
                row = webhook_rows.message_row(message)
                await self.database.commit(Change((), (Insert(WEBHOOK_MESSAGES, row),)))

    @property
    def here(self) -> Replica:
        return self.replicas("here", "1")


async def added(hooks: Hooks, endpoint: Endpoint) -> Endpoint:
    assert await hooks.here.endpoints.add(endpoint, a_request(endpoint.endpoint_id), 100)
    return endpoint


async def altered(hooks: Hooks, before: Endpoint, **changes: object) -> Endpoint:
    after = replace(before, **changes)  # type: ignore[arg-type]  # fields of it
    request = a_request(IDS.new())
    assert await hooks.here.endpoints.alter(before, after, request, HookCommand.UPDATE, before.endpoint_id)
    return after


async def deliveries_of(hooks: Hooks, endpoint: Endpoint) -> list[Delivery]:
    return list(await hooks.here.log.page(DeliveryFilter(endpoint_id=endpoint.endpoint_id), "", 100))
