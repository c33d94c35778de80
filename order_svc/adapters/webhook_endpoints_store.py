"""Endpoints in SQLite or PostgreSQL. They change rarely: each change is a transaction of its own."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, delete, func, select, update

from chassis.storage.changes import Conflict
from chassis.storage.store import Store
from kernel.clock import Clock
from kernel.request import Request
from order_svc.adapters import webhook_keys, webhook_rows, webhook_statements
from order_svc.adapters.refusing import refusing
from order_svc.adapters.webhook_tables import WEBHOOK_DELIVERIES, WEBHOOK_ENDPOINTS
from order_svc.app.webhook_ports import HookCommand, KeyTaken, Used
from order_svc.domain.webhook_endpoint import Endpoint

T = TypeVar("T")


class EndpointsStore:
    """The port `Endpoints` on a Store.

    Args:
        store: Where the tables are.
        clock: The time.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def used(self, request: Request, command: HookCommand) -> Used | None:
        """Return an earlier use of the key for the command."""
        return await self._read(lambda connection: webhook_keys.find_use(connection, request, command))

    async def add(self, endpoint: Endpoint, request: Request, most: int) -> bool:
        """Store a new endpoint; False, and nothing stored, when there are `most` already."""
        (secret,) = endpoint.secrets

        def body(connection: Connection) -> bool:
            webhook_keys.use(connection, request, HookCommand.CREATE, secret.secret_id, self._clock)
            there = connection.execute(select(func.count()).select_from(WEBHOOK_ENDPOINTS)).scalar_one()
            if there >= most:
                raise _Full
            connection.execute(WEBHOOK_ENDPOINTS.insert(), webhook_rows.endpoint_row(endpoint))
            return True

        try:
            return await self._transact(body)
        except _Full:
            return False

    async def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """Return the endpoint."""
        query = select(WEBHOOK_ENDPOINTS).where(WEBHOOK_ENDPOINTS.c.endpoint_id == endpoint_id)

        def body(connection: Connection) -> Endpoint | None:
            row = connection.execute(query).first()
            return None if row is None else webhook_rows.endpoint_from_row(row)

        return await self._read(body)

    async def owner_of(self, secret_id: str) -> Endpoint | None:
        """Return the endpoint that has the secret."""
        # There are a hundred at the most, and this is asked when a command is repeated.
        for endpoint in await self.endpoints():
            if any(each.secret_id == secret_id for each in endpoint.secrets):
                return endpoint
        return None

    async def endpoints(self) -> Sequence[Endpoint]:
        """Return all of them, the oldest first: ids sort by time."""
        query = select(WEBHOOK_ENDPOINTS).order_by(WEBHOOK_ENDPOINTS.c.endpoint_id)
        return await self._read(
            lambda connection: [webhook_rows.endpoint_from_row(row) for row in connection.execute(query)]
        )

    async def alter(
        self, before: Endpoint, after: Endpoint, request: Request, command: HookCommand, subject_id: str
    ) -> bool:
        """Store an endpoint that was changed, and let go or hold back what waits for it."""
        ours = WEBHOOK_ENDPOINTS.c.endpoint_id == before.endpoint_id

        def body(connection: Connection) -> bool:
            row = connection.execute(select(WEBHOOK_ENDPOINTS).where(ours).with_for_update()).first()
            if row is None or webhook_rows.endpoint_from_row(row) != before:
                return False
            webhook_keys.use(connection, request, command, subject_id, self._clock)
            connection.execute(update(WEBHOOK_ENDPOINTS).where(ours).values(webhook_rows.endpoint_row(after)))
            if after.disabled and not before.disabled:
                webhook_statements.hold_back(connection, before.endpoint_id)
            if before.disabled and not after.disabled:
                webhook_statements.let_go(connection, before.endpoint_id)
            return True

        return await self._transact(body)

    async def remove(self, endpoint_id: str) -> None:
        """Take an endpoint away, with all its deliveries."""
        ours = WEBHOOK_ENDPOINTS.c.endpoint_id == endpoint_id

        def body(connection: Connection) -> None:
            # Locked first, so that nobody makes deliveries to it between the two deletes.
            connection.execute(select(WEBHOOK_ENDPOINTS.c.endpoint_id).where(ours).with_for_update())
            connection.execute(delete(WEBHOOK_DELIVERIES).where(WEBHOOK_DELIVERIES.c.endpoint_id == endpoint_id))
            connection.execute(delete(WEBHOOK_ENDPOINTS).where(ours))

        await self._transact(body)

    async def _read(self, body: Callable[[Connection], T]) -> T:
        with refusing():
            return await self._store.read(body)

    async def _transact(self, body: Callable[[Connection], T]) -> T:
        with refusing():
            try:
                return await self._store.transact(body)
            except Conflict as conflict:
                raise KeyTaken from conflict


class _Full(Exception):
    """There are as many endpoints as there may be."""
