"""Tax documents in the service's own tables."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from chassis.storage.changes import (
    Absent,
    Change,
    CommitUnknown,
    Conflict,
    Insert,
    StorageUnavailable,
)
from chassis.storage.request_keys import RequestKey, find_request
from chassis.storage.store import Store
from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.money import Money
from tax_svc.adapters.tables import REQUEST_KEYS, TAX_DOCUMENTS
from tax_svc.app import Earlier, Request
from tax_svc.domain import Document, DocumentState

_METHOD = "CommitTax"
_RETRY_SECONDS = 1.0


class StoredDocuments:
    """The Documents port on a Store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def earlier(self, request: Request, order_id: str) -> Earlier:
        """Return what was done before under the key and for the order, read in one snapshot."""

        def read(connection: Connection) -> Earlier:
            used = find_request(connection, REQUEST_KEYS, _key(request))
            if used is None:
                return Earlier(None, _document(connection, order_id))
            fingerprint, code = used
            return Earlier(fingerprint, _document(connection, code))

        try:
            return await self._store.read(read)
        except StorageUnavailable as error:
            raise _away() from error

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


def _key(request: Request) -> RequestKey:
    return RequestKey(request.caller, _METHOD, request.request_id, request.fingerprint)


def _document(connection: Connection, code: str) -> Document | None:
    row = connection.execute(select(TAX_DOCUMENTS).where(TAX_DOCUMENTS.c.code == code)).first()
    if row is None:
        return None
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
