"""The use cases, and the ports through which they meet the outside world."""

import logging
from dataclasses import dataclass
from typing import Protocol

from kernel.errors import FieldViolation, Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from kernel.request import Request
from tax_svc.domain import Basis, Document, DocumentState, FallbackRates, Quote, RecordedDocument

_logger = logging.getLogger(__name__)

# AvaTax is usually back within seconds or not for minutes; the caller's own backoff takes it from there.
_RETRY_SECONDS = 5.0

# A command is decided anew when its commit met another one's, or nobody knows whether it was written. What is there is
# found then; a third round is for a lost commit in the second.
_ROUNDS = 3


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

    async def record(self, order_id: str, basis: Basis) -> Done[Money] | NotDone[Rejection] | Unknown:
        """Record the sale for good and return its tax. Recording it again returns what was recorded first."""
        ...

    async def list_recorded(self, skip: int, limit: int) -> Done[RecordedPage] | NotDone[ListDenied] | Unknown:
        """Return at most `limit` of all documents, leaving out the first `skip`; new ones come after the others."""
        ...


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of a command before it is carried out.

    Attributes:
        fingerprint: Of the request that used the key before; None when the key is new.
        document: The document of the order, whatever key it was made with.
    """

    fingerprint: str | None
    document: Document | None


class Documents(Protocol):
    """Where our own record of tax documents is kept. All methods raise Refusal(UNAVAILABLE) while it is away."""

    async def earlier(self, request: Request, order_id: str) -> Earlier:
        """Return what was done before under the key and for the order."""
        ...

    async def add(self, request: Request, document: Document) -> bool:
        """Keep the document and the key that made it, durably; False when the key or the order has one already."""
        ...

    async def add_key(self, request: Request, document: Document) -> bool:
        """Keep a further key that stands for a document that is kept; False when the key was used before."""
        ...


class QuoteTax:
    """Works out the tax of a basis.

    Args:
        authority: Knows the true tax.
        fallback: Stands in while it cannot be asked.
    """

    def __init__(self, authority: TaxAuthority, fallback: FallbackRates) -> None:
        self._authority = authority
        self._fallback = fallback

    async def __call__(self, basis: Basis) -> Quote:
        """Return the tax.

        Raises:
            Refusal: ADDRESS_INVALID or PROVIDER_REFUSED; the tax is never guessed at then.
        """
        match await self._authority.quote(basis):
            case Done(quote):
                return quote
            case NotDone(rejection):
                raise _refusal(rejection)
            case Unknown(cause):
                _logger.warning("tax.fallback", extra={"cause": cause})
                return self._fallback.quote(basis)


class CommitTax:
    """Records a paid sale, once per order.

    The tax is worked out anew when it is recorded: that is what is due. Where it differs from what the buyer was
    charged the sale is recorded all the same, and the document carries the difference, so that books and authority
    agree.
    """

    def __init__(self, authority: TaxAuthority, documents: Documents) -> None:
        self._authority = authority
        self._documents = documents

    async def __call__(self, request: Request, order_id: str, basis: Basis, charged_tax: Money) -> Document:
        """Return the document, the same for every repetition.

        Raises:
            Refusal: REQUEST_ID_REUSED, ADDRESS_INVALID, PROVIDER_REFUSED, or UNAVAILABLE while it is not known whether
                the sale was recorded; the same command settles that.
        """
        for _ in range(_ROUNDS):
            earlier = await self._documents.earlier(request, order_id)
            if earlier.fingerprint is not None:
                return _repeated(request, earlier)
            if earlier.document is None:
                recorded = await self._record(order_id, basis)
                document = Document(order_id, DocumentState.COMMITTED, recorded, charged_tax)
                if await self._documents.add(request, document):
                    return document
            elif await self._documents.add_key(request, earlier.document):
                return earlier.document
        raise Refusal(
            Reason.UNAVAILABLE, "Another command records this order right now; repeat this one.", retry_after=1.0
        )

    async def _record(self, order_id: str, basis: Basis) -> Money:
        match await self._authority.record(order_id, basis):
            case Done(recorded):
                return recorded
            case NotDone(rejection):
                raise _refusal(rejection)
            case Unknown(cause, retry_after):
                raise _away(
                    f"AvaTax did not say that the sale was recorded ({cause}); repeat this command.", retry_after
                )


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
                raise Refusal(
                    Reason.PROVIDER_REFUSED,
                    f"AvaTax refuses to list its documents ({code}): check account, licence key and company code.",
                    metadata={"provider": "avatax", "code": code},
                )
            case Unknown(cause, retry_after):
                raise _away(f"AvaTax could not be asked for its documents ({cause}); repeat the request.", retry_after)


def _away(message: str, retry_after: float | None) -> Refusal:
    return Refusal(
        Reason.UNAVAILABLE, message, metadata={"provider": "avatax"}, retry_after=retry_after or _RETRY_SECONDS
    )


def _repeated(request: Request, earlier: Earlier) -> Document:
    if earlier.fingerprint != request.fingerprint or earlier.document is None:
        raise Refusal(
            Reason.REQUEST_ID_REUSED,
            "This request_id was used before with another request; nothing was changed. Use a new one.",
        )
    return earlier.document


def _refusal(rejection: Rejection) -> Refusal:
    match rejection:
        case AddressRejected(part, description):
            # Both commands carry the address at the same place.
            path = f"basis.ship_to.{part}" if part else "basis.ship_to"
            return Refusal(
                Reason.ADDRESS_INVALID, f"{path}: {description}", fields=(FieldViolation(path, description),)
            )
        case SaleRejected(code):
            return Refusal(
                Reason.PROVIDER_REFUSED,
                f"AvaTax refuses what it was sent ({code}); repeating it will not help.",
                metadata={"provider": "avatax", "code": code},
            )
