"""Listing documents: ours, and those that AvaTax has."""

from collections.abc import Sequence

from kernel.outcome import Done, NotDone, Unknown
from tax_svc.app.ports import Documents, ListDenied, Listed, RecordedPage, TaxAuthority
from tax_svc.app.refusals import away, refused
from tax_svc.domain.document import Document


class ListDocuments:
    """Lists what we have recorded, from our own record."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def __call__(self, asked: Listed) -> Sequence[Document]:
        """Return the documents, newest first.

        Raises:
            Refusal: UNAVAILABLE while our record is away.
        """
        return await self._documents.listed(asked)


class ListRecorded:
    """Lists what the tax authority's service keeps, read from there and not from our own record."""

    def __init__(self, authority: TaxAuthority) -> None:
        self._authority = authority

    async def __call__(self, skip: int, limit: int) -> RecordedPage:
        """Return at most `limit` documents, leaving out the first `skip`.

        Raises:
            Refusal: UNAVAILABLE while it cannot be asked; PROVIDER_REFUSED when it does not let us see them.
        """
        match await self._authority.list_recorded(skip, limit):
            case Done(page):
                return page
            case NotDone(ListDenied(code)):
                raise refused(
                    f"AvaTax refuses to list its documents ({code}): check account, licence key and company code.", code
                )
            case Unknown() as unknown:
                raise away("AvaTax could not be asked for its documents", unknown)
