"""Tax documents in memory."""

from collections.abc import Sequence
from dataclasses import replace

from tax_svc.app.ports import Earlier, Listed, Use
from tax_svc.domain.document import Document, DocumentState


class FakeDocuments:
    """Keeps documents and keys for as long as the test runs.

    Attributes:
        documents: By code.
    """

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self._keys: dict[tuple[object, str, str], tuple[str, str]] = {}

    async def earlier(self, use: Use, code: str) -> Earlier:
        used = self._keys.get(_key(use))
        if used is None:
            return Earlier(None, self.documents.get(code))
        fingerprint, stands_for = used
        return Earlier(fingerprint, self.documents.get(stands_for))

    async def add(self, use: Use, document: Document) -> bool:
        if document.code in self.documents or _key(use) in self._keys:
            return False
        self.documents[document.code] = document
        return await self.add_key(use, document.code)

    async def add_key(self, use: Use, code: str) -> bool:
        if _key(use) in self._keys:
            return False
        self._keys[_key(use)] = (use.request.fingerprint, code)
        return True

    async def void(self, use: Use, code: str) -> bool:
        if not await self.add_key(use, code):
            return False
        self.documents[code] = replace(self.documents[code], state=DocumentState.VOIDED)
        return True

    async def of_order(self, order_id: str) -> Sequence[Document]:
        return [each for each in self.documents.values() if each.order_id == order_id]

    async def listed(self, asked: Listed) -> Sequence[Document]:
        found = [
            each
            for each in self.documents.values()
            if asked.order_id in {"", each.order_id}
            and (each.difference().minor_units or not asked.differing)
            and (asked.after is None or (each.created_at, each.code) < asked.after)
        ]
        return sorted(found, key=lambda each: (each.created_at, each.code), reverse=True)[: asked.limit]


def _key(use: Use) -> tuple[object, str, str]:
    return use.command, use.request.caller, use.request.request_id
