"""Messages and deliveries in SQLite or PostgreSQL: the sender's queue and the log."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection, select, update
from sqlalchemy import Update as UpdateRows

from chassis.storage.changes import Change, Conflict, Expect, Update
from chassis.storage.store import Store, database_now
from kernel.clock import Clock
from kernel.ids import Ids
from kernel.request import Request
from order_svc.adapters import webhook_keys, webhook_rows, webhook_statements
from order_svc.adapters.columns_json import to_ms
from order_svc.adapters.refusing import refusing
from order_svc.adapters.webhook_tables import WEBHOOK_DELIVERIES, WEBHOOK_ENDPOINTS
from order_svc.app.webhook_ports import (
    DeliveryFilter,
    HookBacklog,
    HookCommand,
    KeyTaken,
    Parcel,
    Pending,
    Used,
)
from order_svc.domain.webhook_delivery import Delivery

T = TypeVar("T")


class DeliveriesStore:
    """The ports `HookQueue` and `DeliveryLog` on a Store.

    Args:
        store: Where the tables are.
        clock: The time.
        ids: Makes ids of deliveries.
        replica: What tells this replica from all others that live now: where it listens.
        life: What tells this life of it from its earlier ones.
    """

    def __init__(self, store: Store, clock: Clock, ids: Ids, replica: str, life: str) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._replica = replica
        self._owner = f"{replica}#{life}"
        # The database's clock less ours, in milliseconds; what is due is judged by the database's.
        self._offset_ms = 0

    # What the sender asks for.

    async def pending(self) -> Pending:
        """Say what there is to do: the one cheap read of an idle service."""
        found, now = await self._read(webhook_statements.pending)
        self._offset_ms = now - to_ms(self._clock.now())
        return found

    async def share_out(self, limit: int) -> int:
        """Make a delivery of each message for each endpoint that hears of it; return how many messages were taken."""
        return await self._transact(lambda connection: webhook_statements.share_out(connection, limit, self._ids.new))

    async def claim(self, at_once: int, busy: Mapping[str, int], lease_seconds: float) -> Sequence[Parcel]:
        """Lease deliveries whose time has come to this replica."""
        return await self._transact(
            lambda connection: webhook_statements.claim(connection, self._owner, at_once, busy, lease_seconds)
        )

    async def finish(self, delivery: Delivery) -> None:
        """Store what became of an attempt; nothing happens when somebody else has the delivery by now."""
        change = Change(
            guards=(Expect(WEBHOOK_DELIVERIES, delivery.delivery_id, delivery.version - 1),),
            writes=(Update(WEBHOOK_DELIVERIES, {"delivery_id": delivery.delivery_id}, self._columns(delivery)),),
        )
        try:
            with refusing():
                await self._store.commit(change)
        except Conflict:
            return

    async def switch_off(self, delivery: Delivery) -> None:
        """Store what became of an attempt, and hold back all that waits for its endpoint, which is gone."""
        endpoint = WEBHOOK_ENDPOINTS.c.endpoint_id == delivery.endpoint_id
        columns = self._columns(delivery)

        def body(connection: Connection) -> None:
            connection.execute(update(WEBHOOK_ENDPOINTS).where(endpoint).values(disabled=True))
            connection.execute(_at(delivery.delivery_id, delivery.version - 1).values(columns))
            webhook_statements.hold_back(connection, delivery.endpoint_id)

        await self._transact(body)

    async def release_own(self) -> None:
        """Give up the leases that an earlier life of this replica still holds."""
        await self._transact(lambda connection: webhook_statements.release(connection, self._replica, self._owner))

    async def backlog(self) -> HookBacklog:
        """Return what is not delivered."""
        return await self._read(webhook_statements.backlog)

    # What a person asks for.

    async def used(self, request: Request, command: HookCommand) -> Used | None:
        """Return an earlier use of the key for the command."""
        return await self._read(lambda connection: webhook_keys.find_use(connection, request, command))

    async def delivery(self, delivery_id: str) -> Delivery | None:
        """Return the delivery."""
        query = select(WEBHOOK_DELIVERIES).where(WEBHOOK_DELIVERIES.c.delivery_id == delivery_id)

        def body(connection: Connection) -> Delivery | None:
            row = connection.execute(query).first()
            return None if row is None else webhook_rows.delivery_from_row(row)

        return await self._read(body)

    async def page(self, wanted: DeliveryFilter, after: str, limit: int) -> Sequence[Delivery]:
        """Return deliveries, newest first, beginning below the delivery id `after`."""
        query = select(WEBHOOK_DELIVERIES).order_by(WEBHOOK_DELIVERIES.c.delivery_id.desc()).limit(limit)
        if after:
            query = query.where(WEBHOOK_DELIVERIES.c.delivery_id < after)
        if wanted.endpoint_id:
            query = query.where(WEBHOOK_DELIVERIES.c.endpoint_id == wanted.endpoint_id)
        if wanted.order_id:
            query = query.where(WEBHOOK_DELIVERIES.c.order_id == wanted.order_id)
        if wanted.state is not None:
            query = query.where(WEBHOOK_DELIVERIES.c.state == wanted.state.value)
        return await self._read(
            lambda connection: [webhook_rows.delivery_from_row(row) for row in connection.execute(query)]
        )

    async def send_again(self, delivery: Delivery, request: Request) -> Delivery | None:
        """Store a delivery that is to be sent again, held back when its endpoint is switched off, and return it."""
        endpoint = select(WEBHOOK_ENDPOINTS.c.disabled).where(WEBHOOK_ENDPOINTS.c.endpoint_id == delivery.endpoint_id)
        columns = webhook_rows.delivery_columns(delivery, None)

        def body(connection: Connection) -> Delivery | None:
            webhook_keys.use(connection, request, HookCommand.REPLAY, delivery.delivery_id, self._clock)
            held = bool(connection.execute(endpoint.with_for_update(read=True)).scalar())
            again = _at(delivery.delivery_id, delivery.version - 1).values(
                {**columns, "due_at": None if held else database_now()}
            )
            row = connection.execute(again.returning(WEBHOOK_DELIVERIES)).first()
            if row is None:
                raise _Overtaken
            return webhook_rows.delivery_from_row(row)

        try:
            return await self._transact(body)
        except _Overtaken:
            return None

    def _columns(self, delivery: Delivery) -> dict[str, object]:
        due_at = None if delivery.due_at is None else to_ms(delivery.due_at) + self._offset_ms
        return webhook_rows.delivery_columns(delivery, due_at)

    async def _read(self, body: Callable[[Connection], T]) -> T:
        with refusing():
            return await self._store.read(body)

    async def _transact(self, body: Callable[[Connection], T]) -> T:
        with refusing():
            try:
                return await self._store.transact(body)
            except Conflict as conflict:
                raise KeyTaken from conflict


def _at(delivery_id: str, version: int) -> UpdateRows:
    """Return an update of a delivery that happens when it is at the version."""
    return update(WEBHOOK_DELIVERIES).where(
        WEBHOOK_DELIVERIES.c.delivery_id == delivery_id, WEBHOOK_DELIVERIES.c.version == version
    )


class _Overtaken(Exception):
    """Somebody else has moved the delivery: nothing of this transaction is written."""
