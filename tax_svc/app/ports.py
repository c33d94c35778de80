"""The ports through which the use cases meet the outside world, in our own nouns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Protocol

from kernel.address import Address
from kernel.outcome import Done, NotDone, Unknown
from kernel.request import Request
from tax_svc.domain.basis import Basis
from tax_svc.domain.document import Document, Recorded, RecordedDocument
from tax_svc.domain.giveback import Giveback
from tax_svc.domain.quote import Quote
from tax_svc.domain.resolution import Resolution


@dataclass(frozen=True, slots=True)
class AddressRejected:
    """The address cannot be placed: the buyer has to mend it.

    Attributes:
        part: The field of the address that is wrong, as kernel.address names it; empty when it is the whole.
        description: What is wrong with it, for a person; without the address itself.
    """

    part: str
    description: str


@dataclass(frozen=True, slots=True)
class SaleRejected:
    """The tax authority's service does not take what it was sent, for a reason that the buyer cannot mend.

    Attributes:
        code: What it calls the reason.
    """

    code: str


Rejection = AddressRejected | SaleRejected


@dataclass(frozen=True, slots=True)
class DocumentLocked:
    """The document was reported to the authorities: it can neither be changed nor taken back."""


@dataclass(frozen=True, slots=True)
class ListDenied:
    """The tax authority's service does not let us see what it keeps.

    Attributes:
        code: What it calls the reason.
    """

    code: str


@dataclass(frozen=True, slots=True)
class RecordedPage:
    """Some of the documents that the tax authority's service keeps, in an order that stays.

    Attributes:
        documents: In its own order.
        has_more: Whether others follow.
    """

    documents: tuple[RecordedDocument, ...]
    has_more: bool


class TaxAuthority(Protocol):
    """Who knows what is due, and keeps the record of what was sold."""

    async def quote(self, basis: Basis) -> Done[Quote] | NotDone[Rejection] | Unknown:
        """Work out the tax and keep nothing."""
        ...

    async def record(self, order_id: str, basis: Basis) -> Done[Recorded] | NotDone[Rejection] | Unknown:
        """Record the sale for good and return its tax. Recording it again returns what was recorded first."""
        ...

    async def give_back(self, giveback: Giveback, sold_on: date) -> Done[Recorded] | NotDone[Rejection] | Unknown:
        """Record for good what is given back; `sold_on` is the date of the sale's document.

        Recording it again returns what was recorded first.
        """
        ...

    async def void(self, order_id: str) -> Done[Recorded | None] | NotDone[DocumentLocked | Rejection] | Unknown:
        """Take the record of the sale back and return what it was; None when there is none. Repeating it is safe."""
        ...

    async def resolve(self, address: Address) -> Done[Resolution] | NotDone[Rejection] | Unknown:
        """Say what is wrong with the address, and how the post would write it."""
        ...

    async def list_recorded(self, skip: int, limit: int) -> Done[RecordedPage] | NotDone[ListDenied] | Unknown:
        """Return at most `limit` of all documents, leaving out the first `skip`; new ones come after the others."""
        ...


class Command(Enum):
    """The commands that keep their keys: a key of one is unknown to the others."""

    COMMIT = "CommitTax"
    REFUND = "RefundTax"
    VOID = "VoidTax"


@dataclass(frozen=True, slots=True)
class Use:
    """A use of an idempotency key.

    Attributes:
        command: What it is used for.
        request: The key, and what is asked under it.
    """

    command: Command
    request: Request


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of a command before it is carried out.

    Attributes:
        fingerprint: Of the request that used the key before; None when the key is new.
        document: The document that the key stands for; when the key is new, the one of the code that was asked about.
            None when there is none.
    """

    fingerprint: str | None
    document: Document | None


@dataclass(frozen=True, slots=True)
class Listed:
    """Which of our documents, newest first.

    Attributes:
        order_id: Only those of this order; empty means all.
        differing: Only those whose recorded tax is not what was charged.
        after: The (created_at, code) of the document that the page follows; None for the first page.
        limit: How many at most.
    """

    order_id: str
    differing: bool
    after: tuple[datetime, str] | None
    limit: int


class Documents(Protocol):
    """Where our own record of tax documents is kept. All methods raise Refusal(UNAVAILABLE) while it is away."""

    async def earlier(self, use: Use, code: str) -> Earlier:
        """Return what was done before under the key, and for the document of that code."""
        ...

    async def add(self, use: Use, document: Document) -> bool:
        """Keep the document and the key that made it, durably; False when the key or the code is taken already."""
        ...

    async def add_key(self, use: Use, code: str) -> bool:
        """Keep a key that stands for the document of that code, kept or not; False when the key was used before."""
        ...

    async def void(self, use: Use, code: str) -> bool:
        """Note that the document that is kept is void, and the key that made it so; False when the key was used."""
        ...

    async def of_order(self, order_id: str) -> Sequence[Document]:
        """Return the documents of an order: its sale, and what was given back."""
        ...

    async def listed(self, asked: Listed) -> Sequence[Document]:
        """Return documents, newest first."""
        ...
