"""Taking the record of a sale back."""

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from kernel.request import Request
from tax_svc.app.commit import ROUNDS
from tax_svc.app.ports import Command, DocumentLocked, Documents, TaxAuthority, Use
from tax_svc.app.refusals import away, busy, check_key, refused, rejected
from tax_svc.domain.document import Document, DocumentKind, DocumentState, Recorded


class VoidTax:
    """Takes the document of an order's sale back, for an order that never was."""

    def __init__(self, authority: TaxAuthority, documents: Documents, clock: Clock) -> None:
        self._authority = authority
        self._documents = documents
        self._clock = clock

    async def __call__(self, request: Request, order_id: str) -> Document | None:
        """Return the voided document; None when there was none, which counts as voided.

        AvaTax is asked even when we keep no document: it may have one whose answer was lost.

        Raises:
            Refusal: REQUEST_ID_REUSED, PROVIDER_REFUSED when the document was reported already, ILLEGAL_STATE when
                something of the sale was given back, or UNAVAILABLE while it is not known whether it is void; the same
                command settles that.
        """
        use = Use(Command.VOID, request)
        for _ in range(ROUNDS):
            earlier = await self._documents.earlier(use, order_id)
            kept = earlier.document
            if earlier.fingerprint is not None:
                check_key(request, earlier)
                # What was recorded after there was nothing to void is not void.
                return kept if kept is not None and kept.state is DocumentState.VOIDED else None
            # Whether our own write or another's is there then is seen by reading: a void is rare.
            await self._take_back(use, order_id, kept)
        raise busy()

    async def _take_back(self, use: Use, order_id: str, kept: Document | None) -> None:
        if kept is not None and kept.state is DocumentState.VOIDED:
            await self._documents.add_key(use, order_id)
            return
        await self._check_nothing_returned(order_id)
        was = await self._void(order_id)
        if kept is not None:
            await self._documents.void(use, order_id)
        elif was is not None:
            await self._documents.add(use, self._unheard_of(order_id, was))
        else:
            await self._documents.add_key(use, order_id)

    async def _check_nothing_returned(self, order_id: str) -> None:
        if any(each.kind is DocumentKind.RETURN for each in await self._documents.of_order(order_id)):
            raise Refusal(
                Reason.ILLEGAL_STATE,
                "Something of this order's sale was given back, and is recorded so; give the rest back with RefundTax.",
            )

    async def _void(self, order_id: str) -> Recorded | None:
        match await self._authority.void(order_id):
            case Done(was):
                return was
            case NotDone(reason):
                raise _locked() if isinstance(reason, DocumentLocked) else rejected(reason)
            case Unknown() as unknown:
                raise away("AvaTax did not say that the document was voided", unknown)

    def _unheard_of(self, order_id: str, was: Recorded) -> Document:
        """Return a document whose recording was never answered, void: what was charged for it is not known."""
        return Document(
            code=order_id,
            order_id=order_id,
            kind=DocumentKind.SALE,
            state=DocumentState.VOIDED,
            recorded_tax=was.tax,
            charged_tax=was.tax,
            booked_on=was.booked_on,
            created_at=self._clock.now(),
        )


def _locked() -> Refusal:
    return refused(
        "The document of this order was reported to the authorities already and cannot be voided; give the sale back "
        "with RefundTax.",
        "DocumentLocked",
    )
