"""Tax documents in memory."""

from kernel.request import Request
from tax_svc.app import Earlier
from tax_svc.domain import Document


class FakeDocuments:
    """Keeps documents and keys for as long as the test runs.

    Attributes:
        documents: By code.
    """

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self._keys: dict[tuple[str, str], tuple[str, str]] = {}

    async def earlier(self, request: Request, order_id: str) -> Earlier:
        used = self._keys.get((request.caller, request.request_id))
        if used is None:
            return Earlier(None, self.documents.get(order_id))
        fingerprint, code = used
        return Earlier(fingerprint, self.documents[code])

    async def add(self, request: Request, document: Document) -> bool:
        if document.code in self.documents or (request.caller, request.request_id) in self._keys:
            return False
        self.documents[document.code] = document
        return await self.add_key(request, document)

    async def add_key(self, request: Request, document: Document) -> bool:
        if (request.caller, request.request_id) in self._keys:
            return False
        self._keys[request.caller, request.request_id] = (request.fingerprint, document.code)
        return True
