"""Recording what is given back of a sale."""

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from kernel.request import Request
from tax_svc.app.commit import ROUNDS
from tax_svc.app.ports import Command, Documents, TaxAuthority, Use
from tax_svc.app.refusals import RETRY_SECONDS, away, busy, check_key, rejected
from tax_svc.domain.document import Document, DocumentKind, DocumentState, Recorded
from tax_svc.domain.giveback import Giveback


class RefundTax:
    """Records what is given back of a recorded sale, once per refund."""

    def __init__(self, authority: TaxAuthority, documents: Documents, clock: Clock) -> None:
        self._authority = authority
        self._documents = documents
        self._clock = clock

    async def __call__(self, request: Request, giveback: Giveback) -> Document:
        """Return the document of the return, the same for every repetition.

        Where AvaTax would not record just this tax, the document carries the difference.

        Raises:
            Refusal: REQUEST_ID_REUSED, ADDRESS_INVALID, PROVIDER_REFUSED, ILLEGAL_STATE when the sale was voided, or
                UNAVAILABLE while the sale is not recorded yet, or it is not known whether the return was recorded; the
                same command settles that.
        """
        use = Use(Command.REFUND, request)
        for _ in range(ROUNDS):
            earlier = await self._documents.earlier(use, giveback.code)
            if earlier.fingerprint is not None:
                check_key(request, earlier)
            if earlier.document is None:
                document = await self._recorded(giveback)
                if await self._documents.add(use, document):
                    return document
                continue
            if earlier.fingerprint is None:
                _check_same(earlier.document, giveback)
            if earlier.fingerprint is not None or await self._documents.add_key(use, giveback.code):
                return earlier.document
        raise busy()

    async def _recorded(self, giveback: Giveback) -> Document:
        recorded = await self._record(giveback, await self._sale(giveback.order_id))
        return Document(
            code=giveback.code,
            order_id=giveback.order_id,
            kind=DocumentKind.RETURN,
            state=DocumentState.COMMITTED,
            recorded_tax=recorded.tax,
            charged_tax=giveback.tax() * -1,
            booked_on=recorded.booked_on,
            created_at=self._clock.now(),
        )

    async def _sale(self, order_id: str) -> Document:
        """Return the sale's document: a return of a sale that nobody reported would make the books wrong."""
        sales = [each for each in await self._documents.of_order(order_id) if each.kind is DocumentKind.SALE]
        if not sales:
            raise Refusal(
                Reason.UNAVAILABLE,
                "The sale of this order is not recorded yet; record it with CommitTax, then repeat the request.",
                retry_after=RETRY_SECONDS,
            )
        (sale,) = sales
        if sale.state is DocumentState.VOIDED:
            raise Refusal(
                Reason.ILLEGAL_STATE, "The sale of this order was voided; nothing of it is left to be given back."
            )
        return sale

    async def _record(self, giveback: Giveback, sale: Document) -> Recorded:
        match await self._authority.give_back(giveback, sale.sold_on()):
            case Done(recorded):
                return recorded
            case NotDone(rejection):
                raise rejected(rejection)
            case Unknown() as unknown:
                raise away("AvaTax did not say that the return was recorded", unknown)


def _check_same(document: Document, giveback: Giveback) -> None:
    """Refuse to take another caller's refund of the same number for this one."""
    if document.charged_tax != giveback.tax() * -1:
        raise Refusal(
            Reason.REQUEST_ID_REUSED,
            "Another refund of this order was recorded under this number; nothing was changed. Use the next one.",
        )
