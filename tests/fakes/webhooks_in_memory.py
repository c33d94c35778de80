"""The ports of outgoing webhooks in memory, with a database that outlives the replicas that use it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from kernel.clock import Clock
from kernel.ids import Ids
from kernel.request import Request
from order_svc.app.webhook_ports import (
    DeliveryFilter,
    HookBacklog,
    HookCommand,
    KeyTaken,
    Parcel,
    Pending,
    Used,
)
from order_svc.domain.webhook import Message
from order_svc.domain.webhook_delivery import Delivery, DeliveryState
from order_svc.domain.webhook_endpoint import Endpoint


@dataclass
class HookDatabase:
    """What is stored, whoever stored it."""

    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    keys: dict[tuple[HookCommand, str, str], Used] = field(default_factory=dict)
    new: list[Message] = field(default_factory=list)
    messages: dict[str, Message] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)


class FakeWebhooks:
    """One replica's view of the database: `Endpoints`, `DeliveryLog` and `HookQueue` in one."""

    def __init__(self, database: HookDatabase, clock: Clock, ids: Ids, replica: str = "here", life: str = "1") -> None:
        self.database = database
        self._clock = clock
        self._ids = ids
        self._replica = replica
        self._owner = f"{replica}#{life}"

    async def tell(self, message: Message) -> None:
        self.database.new.append(message)

    async def used(self, request: Request, command: HookCommand) -> Used | None:
        return self.database.keys.get((command, request.caller, request.request_id))

    async def add(self, endpoint: Endpoint, request: Request, most: int) -> bool:
        if (HookCommand.CREATE, request.caller, request.request_id) in self.database.keys:
            raise KeyTaken
        if len(self.database.endpoints) >= most:
            return False
        self._use(request, HookCommand.CREATE, endpoint.secrets[0].secret_id)
        self.database.endpoints[endpoint.endpoint_id] = endpoint
        return True

    async def endpoint(self, endpoint_id: str) -> Endpoint | None:
        return self.database.endpoints.get(endpoint_id)

    async def owner_of(self, secret_id: str) -> Endpoint | None:
        owners = (
            endpoint
            for endpoint in self.database.endpoints.values()
            if secret_id in {secret.secret_id for secret in endpoint.secrets}
        )
        return next(owners, None)

    async def endpoints(self) -> Sequence[Endpoint]:
        return sorted(self.database.endpoints.values(), key=lambda each: each.endpoint_id)

    async def alter(
        self, before: Endpoint, after: Endpoint, request: Request, command: HookCommand, subject_id: str
    ) -> bool:
        if self.database.endpoints.get(before.endpoint_id) != before:
            return False
        self._use(request, command, subject_id)
        self.database.endpoints[before.endpoint_id] = after
        if after.disabled and not before.disabled:
            self._hold_back(before.endpoint_id)
        if before.disabled and not after.disabled:
            for each in self._to(before.endpoint_id):
                if each.state is DeliveryState.PENDING and each.due_at is None:
                    self._store(replace(each, due_at=self._clock.now()))
        return True

    async def remove(self, endpoint_id: str) -> None:
        self.database.endpoints.pop(endpoint_id, None)
        for each in self._to(endpoint_id):
            del self.database.deliveries[each.delivery_id]

    async def delivery(self, delivery_id: str) -> Delivery | None:
        return self.database.deliveries.get(delivery_id)

    async def page(self, wanted: DeliveryFilter, after: str, limit: int) -> Sequence[Delivery]:
        found = [
            each
            for each in self.database.deliveries.values()
            if (not after or each.delivery_id < after)
            and wanted.endpoint_id in {"", each.endpoint_id}
            and wanted.order_id in {"", each.order_id}
            and wanted.state in {None, each.state}
        ]
        return sorted(found, key=lambda each: each.delivery_id, reverse=True)[:limit]

    async def send_again(self, delivery: Delivery, request: Request) -> Delivery | None:
        if (HookCommand.REPLAY, request.caller, request.request_id) in self.database.keys:
            raise KeyTaken
        stored = self.database.deliveries.get(delivery.delivery_id)
        if stored is None or stored.version != delivery.version - 1:
            return None
        self._use(request, HookCommand.REPLAY, delivery.delivery_id)
        held = self.database.endpoints[delivery.endpoint_id].disabled
        return self._store(replace(delivery, due_at=None if held else self._clock.now()))

    async def pending(self) -> Pending:
        due = any(self._is_due(each) for each in self.database.deliveries.values())
        return Pending(bool(self.database.endpoints), bool(self.database.new), due)

    async def share_out(self, limit: int) -> int:
        taken, self.database.new = self.database.new[:limit], self.database.new[limit:]
        for message in taken:
            for endpoint in await self.endpoints():
                if endpoint.hears(message.event_type):
                    self.database.messages[message.message_id] = message
                    self._store(self._delivery(message, endpoint))
        return len(taken)

    async def claim(self, at_once: int, busy: Mapping[str, int], lease_seconds: float) -> Sequence[Parcel]:
        claimed = []
        until = self._clock.now() + timedelta(seconds=lease_seconds)
        for endpoint in await self.endpoints():
            due = sorted(filter(self._is_due, self._to(endpoint.endpoint_id)), key=lambda each: each.delivery_id)
            for each in due[: max(0, at_once - busy.get(endpoint.endpoint_id, 0))]:
                self._store(replace(each, version=each.version + 1, due_at=until), self._owner)
                message = self.database.messages[each.message_id]
                claimed.append(Parcel(replace(each, version=each.version + 1), endpoint, message))
        return claimed

    async def finish(self, delivery: Delivery) -> None:
        stored = self.database.deliveries.get(delivery.delivery_id)
        if stored is not None and stored.version == delivery.version - 1:
            self._store(delivery)

    async def switch_off(self, delivery: Delivery) -> None:
        endpoint = self.database.endpoints.get(delivery.endpoint_id)
        if endpoint is not None:
            self.database.endpoints[delivery.endpoint_id] = replace(endpoint, disabled=True)
        await self.finish(delivery)
        self._hold_back(delivery.endpoint_id)

    async def release_own(self) -> None:
        for delivery_id, owner in list(self.database.owners.items()):
            if owner.startswith(f"{self._replica}#") and owner != self._owner:
                self._store(replace(self.database.deliveries[delivery_id], due_at=self._clock.now()))

    async def backlog(self) -> HookBacklog:
        waiting = [each.created_at for each in self.database.deliveries.values() if each.due_at is not None]
        age = (self._clock.now() - min(waiting)).total_seconds() if waiting else 0.0
        return HookBacklog(len(waiting), max(0.0, age))

    def _use(self, request: Request, command: HookCommand, subject_id: str) -> None:
        key = (command, request.caller, request.request_id)
        if key in self.database.keys:
            raise KeyTaken
        self.database.keys[key] = Used(request.fingerprint, subject_id)

    def _to(self, endpoint_id: str) -> list[Delivery]:
        return [each for each in self.database.deliveries.values() if each.endpoint_id == endpoint_id]

    def _is_due(self, delivery: Delivery) -> bool:
        open_ = not self.database.endpoints[delivery.endpoint_id].disabled
        return open_ and delivery.due_at is not None and delivery.due_at <= self._clock.now()

    def _hold_back(self, endpoint_id: str) -> None:
        for each in self._to(endpoint_id):
            if each.delivery_id not in self.database.owners:
                self._store(replace(each, due_at=None))

    def _store(self, delivery: Delivery, owner: str = "") -> Delivery:
        self.database.deliveries[delivery.delivery_id] = delivery
        self.database.owners.pop(delivery.delivery_id, None)
        if owner:
            self.database.owners[delivery.delivery_id] = owner
        return delivery

    def _delivery(self, message: Message, endpoint: Endpoint) -> Delivery:
        return Delivery(
            delivery_id=self._ids.new(),
            endpoint_id=endpoint.endpoint_id,
            message_id=message.message_id,
            event_type=message.event_type,
            order_id=message.order_id,
            created_at=message.happened_at,
            due_at=None if endpoint.disabled else self._clock.now(),
        )
