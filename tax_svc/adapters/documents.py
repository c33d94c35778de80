"""Tax documents in the service's own tables."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, func, literal_column, or_, select, tuple_

from chassis.storage.changes import (
    Absent,
    Change,
    CommitUnknown,
    Conflict,
    Insert,
    StorageUnavailable,
    Update,
)
from chassis.storage.lookup import Lookup
from chassis.storage.store import Store
from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.money import Money
from tax_svc.adapters.tables import REQUEST_KEYS, TAX_DOCUMENTS
from tax_svc.app.ports import Earlier, Listed, Use
from tax_svc.domain.document import Document, DocumentKind, DocumentState

_RETRY_SECONDS = 1.0

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

# One row always: the fingerprint of the key, if it was used, and the document that it stands for or that the code has.
# Built once and asked in one go, because it stands before every commit.
_KEY, _DOCUMENT = REQUEST_KEYS.c, TAX_DOCUMENTS.c
_EARLIER = Lookup(
    select(_KEY.fingerprint, TAX_DOCUMENTS).select_from(
        select(literal_column("1"))
        .subquery()
        .outerjoin(
            REQUEST_KEYS,
            and_(
                _KEY.caller == bindparam("caller_"),
                _KEY.method == bindparam("method_"),
                _KEY.request_id == bindparam("request_id_"),
            ),
        )
        .outerjoin(TAX_DOCUMENTS, _DOCUMENT.code == func.coalesce(_KEY.subject_id, bindparam("code_")))
    )
)


class StoredDocuments:
    """The Documents port on a Store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def earlier(self, use: Use, code: str) -> Earlier:
        """Return what was done before under the key and for the document, read in one snapshot."""
        parameters = {
            "caller_": use.request.caller,
            "method_": use.command.value,
            "request_id_": use.request.request_id,
            "code_": code,
        }
        try:
            row = await self._store.find(_EARLIER, parameters)
        except StorageUnavailable as error:
            raise _away() from error
        return Earlier(row.fingerprint, None if row.code is None else _document(row))

    async def add(self, use: Use, document: Document) -> bool:
        """Keep the document and the key that made it; False when the key or the code is taken already."""
        row = {
            "code": document.code,
            "state": document.state.value,
            "currency_code": document.recorded_tax.currency_code,
            "recorded_tax": document.recorded_tax.minor_units,
            "charged_tax": document.charged_tax.minor_units,
            "created_at": _to_ms(document.created_at),
            "kind": document.kind.value,
            "order_id": document.order_id,
            "booked_on": None if document.booked_on is None else document.booked_on.isoformat(),
        }
        guard = Absent(TAX_DOCUMENTS, {"code": document.code})
        return await self._commit(use, document.code, (guard,), (Insert(TAX_DOCUMENTS, row),))

    async def add_key(self, use: Use, code: str) -> bool:
        """Keep a key that stands for the document of that code; False when the key was used before."""
        return await self._commit(use, code, (), ())

    async def void(self, use: Use, code: str) -> bool:
        """Note that the document is void, and the key that made it so; False when the key was used before."""
        voided = Update(TAX_DOCUMENTS, {"code": code}, {"state": DocumentState.VOIDED.value})
        return await self._commit(use, code, (), (voided,))

    async def of_order(self, order_id: str) -> Sequence[Document]:
        """Return the documents of an order, its sale among them although it may not say so."""
        return await self._documents(select(TAX_DOCUMENTS).where(_about(order_id)).order_by(_DOCUMENT.code))

    async def listed(self, asked: Listed) -> Sequence[Document]:
        """Return documents, newest first; those of one moment by their codes."""
        query = select(TAX_DOCUMENTS).order_by(_DOCUMENT.created_at.desc(), _DOCUMENT.code.desc()).limit(asked.limit)
        if asked.order_id:
            query = query.where(_about(asked.order_id))
        if asked.differing:
            query = query.where(_DOCUMENT.recorded_tax != _DOCUMENT.charged_tax)
        if asked.after is not None:
            moment, code = asked.after
            query = query.where(tuple_(_DOCUMENT.created_at, _DOCUMENT.code) < tuple_(_to_ms(moment), code))
        return await self._documents(query)

    async def _documents(self, query: Select[Any]) -> Sequence[Document]:
        try:
            rows = await self._store.read(lambda connection: connection.execute(query).all())
        except StorageUnavailable as error:
            raise _away() from error
        return [_document(row) for row in rows]

    async def _commit(self, use: Use, code: str, guards: Sequence[Absent], writes: Sequence[Insert | Update]) -> bool:
        request = use.request
        identity = {"caller": request.caller, "method": use.command.value, "request_id": request.request_id}
        key = {
            **identity,
            "fingerprint": request.fingerprint,
            "subject_id": code,
            "created_at": _to_ms(self._clock.now()),
        }
        change = Change((Absent(REQUEST_KEYS, identity), *guards), (*writes, Insert(REQUEST_KEYS, key)))
        try:
            await self._store.commit(change)
        except (Conflict, CommitUnknown):
            # Whether it was our own change that is there now, or another's, is seen by reading.
            return False
        except StorageUnavailable as error:
            raise _away() from error
        return True


def _about(order_id: str) -> Any:  # noqa: ANN401  (SQLAlchemy's conditions have no shorter type)
    return or_(_DOCUMENT.order_id == order_id, _DOCUMENT.code == order_id)


def _document(row: Row[Any]) -> Document:
    return Document(
        code=row.code,
        order_id=row.order_id or row.code,
        kind=DocumentKind(row.kind),
        state=DocumentState(row.state),
        recorded_tax=Money(row.currency_code, row.recorded_tax),
        charged_tax=Money(row.currency_code, row.charged_tax),
        booked_on=None if row.booked_on is None else date.fromisoformat(row.booked_on),
        created_at=_EPOCH + row.created_at * _MILLISECOND,
    )


def _to_ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def _away() -> Refusal:
    return Refusal(
        Reason.UNAVAILABLE,
        "The tax service cannot reach its database; repeat the request.",
        retry_after=_RETRY_SECONDS,
    )
