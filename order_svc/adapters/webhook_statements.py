"""What the sender asks of the tables, and who works on what. Writing needs a transaction of its own."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlalchemy import BigInteger, Connection, Integer, bindparam, delete, exists, func, select, update

from chassis.storage.store import database_now
from order_svc.adapters import webhook_rows
from order_svc.adapters.webhook_tables import WEBHOOK_DELIVERIES, WEBHOOK_ENDPOINTS, WEBHOOK_MESSAGES
from order_svc.app.webhook_ports import HookBacklog, Parcel, Pending
from order_svc.domain.webhook_delivery import DeliveryState

_DUE = exists().where(
    WEBHOOK_DELIVERIES.c.endpoint_id == WEBHOOK_ENDPOINTS.c.endpoint_id, WEBHOOK_DELIVERIES.c.due_at <= database_now()
)
_OPEN = WEBHOOK_ENDPOINTS.c.disabled.is_(False)
_NEW = WEBHOOK_MESSAGES.c.shared.is_(False)
_WAITING = WEBHOOK_DELIVERIES.c.due_at.is_not(None)

# Built once: building one anew takes longer than executing it.
_PENDING = select(
    select(WEBHOOK_ENDPOINTS.c.endpoint_id).exists().label("listens"),
    select(WEBHOOK_MESSAGES.c.message_id).where(_NEW).exists().label("messages"),
    select(WEBHOOK_ENDPOINTS.c.endpoint_id).where(_OPEN, _DUE).exists().label("deliveries"),
    database_now().label("now"),
)
_BACKLOG = select(
    select(func.count()).select_from(WEBHOOK_DELIVERIES).where(_WAITING).scalar_subquery().label("waiting"),
    select(func.min(WEBHOOK_DELIVERIES.c.created_at)).where(_WAITING).scalar_subquery().label("oldest"),
    database_now().label("now"),
)
_NEW_MESSAGES = (
    select(WEBHOOK_MESSAGES)
    .where(_NEW)
    .order_by(WEBHOOK_MESSAGES.c.created_at)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True)
)
# Locked, so that none is taken away while it is given deliveries.
_LISTENERS = select(WEBHOOK_ENDPOINTS).order_by(WEBHOOK_ENDPOINTS.c.endpoint_id).with_for_update(read=True)
_SHARED = update(WEBHOOK_MESSAGES).where(WEBHOOK_MESSAGES.c.message_id == bindparam("key")).values(shared=True)
_UNHEARD = delete(WEBHOOK_MESSAGES).where(WEBHOOK_MESSAGES.c.message_id == bindparam("key"))
_WITH_DUE = select(WEBHOOK_ENDPOINTS).where(_OPEN, _DUE).order_by(WEBHOOK_ENDPOINTS.c.endpoint_id)
_DUE_OF = (
    select(WEBHOOK_DELIVERIES)
    .where(WEBHOOK_DELIVERIES.c.endpoint_id == bindparam("endpoint"), WEBHOOK_DELIVERIES.c.due_at <= database_now())
    .order_by(WEBHOOK_DELIVERIES.c.due_at, WEBHOOK_DELIVERIES.c.delivery_id)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True)
)
_MESSAGES = select(WEBHOOK_MESSAGES).where(WEBHOOK_MESSAGES.c.message_id.in_(bindparam("message_ids", expanding=True)))
_LEASE = (
    update(WEBHOOK_DELIVERIES)
    .where(WEBHOOK_DELIVERIES.c.delivery_id == bindparam("key"))
    .values(
        version=bindparam("to_version"),
        lease_owner=bindparam("owner"),
        due_at=database_now() + bindparam("lease_ms", type_=BigInteger),
    )
)


def pending(connection: Connection) -> tuple[Pending, int]:
    """Return what there is to do, and the database's time in milliseconds since 1970."""
    found = connection.execute(_PENDING).one()
    return Pending(bool(found.listens), bool(found.messages), bool(found.deliveries)), found.now


def backlog(connection: Connection) -> HookBacklog:
    """Return what is not delivered."""
    found = connection.execute(_BACKLOG).one()
    age = 0.0 if found.oldest is None else max(0, found.now - found.oldest) / 1000
    return HookBacklog(found.waiting, age)


def share_out(connection: Connection, limit: int, new_id: Callable[[], str]) -> int:
    """Make a delivery of each new message, at most `limit`, for each endpoint that hears of it.

    A message that no endpoint hears of is forgotten.
    """
    messages = connection.execute(_NEW_MESSAGES, {"limit": limit}).all()
    if not messages:
        return 0
    endpoints = [webhook_rows.endpoint_from_row(row) for row in connection.execute(_LISTENERS)]
    now = connection.execute(select(database_now())).scalar_one()
    deliveries = [
        webhook_rows.delivery_row(new_id(), endpoint, message, now)
        for message in messages
        for endpoint in endpoints
        if endpoint.hears(message.event_type)
    ]
    heard = {row["message_id"] for row in deliveries}
    if deliveries:
        connection.execute(WEBHOOK_DELIVERIES.insert(), deliveries)
        connection.execute(_SHARED, [{"key": message_id} for message_id in sorted(map(str, heard))])
    unheard = [{"key": message.message_id} for message in messages if message.message_id not in heard]
    if unheard:
        connection.execute(_UNHEARD, unheard)
    return len(messages)


def claim(
    connection: Connection, owner: str, at_once: int, busy: Mapping[str, int], lease_seconds: float
) -> list[Parcel]:
    """Lease what is due longest to each endpoint, as far as it has room, and return it with all that posting needs."""
    claimed = []
    for row in connection.execute(_WITH_DUE).all():
        endpoint = webhook_rows.endpoint_from_row(row)
        room = at_once - busy.get(endpoint.endpoint_id, 0)
        if room > 0:
            due = connection.execute(_DUE_OF, {"endpoint": endpoint.endpoint_id, "limit": room})
            claimed += [(webhook_rows.delivery_from_row(each), endpoint) for each in due]
    if not claimed:
        return []
    wanted = {delivery.message_id for delivery, _ in claimed}
    found = connection.execute(_MESSAGES, {"message_ids": sorted(wanted)})
    messages = {row.message_id: webhook_rows.message_from_row(row) for row in found}
    parcels = [
        Parcel(replace(delivery, version=delivery.version + 1), endpoint, messages[delivery.message_id])
        for delivery, endpoint in claimed
    ]
    lease = {"owner": owner, "lease_ms": int(lease_seconds * 1000)}
    leases = [{"key": each.delivery.delivery_id, "to_version": each.delivery.version, **lease} for each in parcels]
    connection.execute(_LEASE, leases)
    return parcels


def hold_back(connection: Connection, endpoint_id: str) -> None:
    """Leave what waits for an endpoint until it is switched on again; what is being posted right now is let be."""
    waits = WEBHOOK_DELIVERIES.c.endpoint_id == endpoint_id, _WAITING, WEBHOOK_DELIVERIES.c.lease_owner.is_(None)
    connection.execute(update(WEBHOOK_DELIVERIES).where(*waits).values(due_at=None))


def let_go(connection: Connection, endpoint_id: str) -> None:
    """Have sent what was held back."""
    held = (
        WEBHOOK_DELIVERIES.c.endpoint_id == endpoint_id,
        WEBHOOK_DELIVERIES.c.state == DeliveryState.PENDING.value,
        WEBHOOK_DELIVERIES.c.due_at.is_(None),
    )
    connection.execute(update(WEBHOOK_DELIVERIES).where(*held).values(due_at=database_now()))


def release(connection: Connection, replica: str, owner: str) -> None:
    """Give up the leases of a replica's earlier lives; its present life, `owner`, keeps its own."""
    connection.execute(
        update(WEBHOOK_DELIVERIES)
        .where(
            _WAITING,  # and so in a small index: nothing else is read
            WEBHOOK_DELIVERIES.c.lease_owner.startswith(f"{replica}#", autoescape=True),
            WEBHOOK_DELIVERIES.c.lease_owner != owner,
        )
        .values(lease_owner=None, due_at=database_now())
    )
