"""Tax documents in the service's own tables."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, literal, select

from chassis.storage.changes import (
    Absent,
    Change,
    CommitUnknown,
    Conflict,
    Insert,
    StorageUnavailable,
)
from chassis.storage.store import Store
from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.request import Request
from tax_svc.adapters.tables import REQUEST_KEYS, TAX_DOCUMENTS
from tax_svc.app import Earlier
from tax_svc.domain import Document, DocumentState

_METHOD = "CommitTax"
_RETRY_SECONDS = 1.0

# One row always: the fingerprint of the key, if it was used, and the document that it stands for or that the order has.
# Built once and asked in one go, because it stands before every commit.
_KEY, _DOCUMENT = REQUEST_KEYS.c, TAX_DOCUMENTS.c
_EARLIER = select(_KEY.fingerprint, TAX_DOCUMENTS).select_from(
    select(literal(1))
    .subquery()
    .outerjoin(
        REQUEST_KEYS,
        and_(
            _KEY.caller == bindparam("caller_"),
            _KEY.method == bindparam("method_"),
            _KEY.request_id == bindparam("request_id_"),
        ),
    )
    .outerjoin(TAX_DOCUMENTS, _DOCUMENT.code == func.coalesce(_KEY.subject_id, bindparam("order_id_")))
)


class StoredDocuments:
    """The Documents port on a Store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def earlier(self, request: Request, order_id: str) -> Earlier:
        """Return what was done before under the key and for the order, read in one snapshot."""
        parameters = {
            "caller_": request.caller,
            "method_": _METHOD,
            "request_id_": request.request_id,
            "order_id_": order_id,
        }
        try:
            row = await self._store.read(lambda connection: connection.execute(_EARLIER, parameters).one())
        except StorageUnavailable as error:
            raise _away() from error
        return Earlier(row.fingerprint, None if row.code is None else _document(row))

    async def add(self, request: Request, document: Document) -> bool:
        """Keep the document and the key that made it; False when the key or the order has one already."""
        row = {
            "code": document.code,
            "state": document.state.value,
            "currency_code": document.recorded_tax.currency_code,
            "recorded_tax": document.recorded_tax.minor_units,
            "charged_tax": document.charged_tax.minor_units,
            "created_at": self._now(),
        }
        guard = Absent(TAX_DOCUMENTS, {"code": document.code})
        return await self._commit(request, document, (guard,), (Insert(TAX_DOCUMENTS, row),))

    async def add_key(self, request: Request, document: Document) -> bool:
        """Keep a further key that stands for a document that is kept; False when the key was used before."""
        return await self._commit(request, document, (), ())

    async def _commit(
        self, request: Request, document: Document, guards: Sequence[Absent], writes: Sequence[Insert]
    ) -> bool:
        identity = {"caller": request.caller, "method": _METHOD, "request_id": request.request_id}
        use = {
            **identity,
            "fingerprint": request.fingerprint,
            "subject_id": document.code,
            "created_at": self._now(),
        }
        change = Change((Absent(REQUEST_KEYS, identity), *guards), (*writes, Insert(REQUEST_KEYS, use)))
        try:
            await self._store.commit(change)
        except (Conflict, CommitUnknown):
            # Whether it was our own change that is there now, or another's, is seen by reading.
            return False
        except StorageUnavailable as error:
            raise _away() from error
        return True

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def _document(row: Row[Any]) -> Document:
    return Document(
        code=row.code,
        state=DocumentState(row.state),
        recorded_tax=Money(row.currency_code, row.recorded_tax),
        charged_tax=Money(row.currency_code, row.charged_tax),
    )


def _away() -> Refusal:
    return Refusal(
        Reason.UNAVAILABLE,
        "The tax service cannot reach its database; repeat the request.",
        retry_after=_RETRY_SECONDS,
    )
