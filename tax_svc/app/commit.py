"""Recording a sale."""

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from kernel.request import Request
from tax_svc.app.ports import Command, Documents, TaxAuthority, Use
from tax_svc.app.refusals import away, busy, check_key, rejected
from tax_svc.domain.basis import Basis
from tax_svc.domain.document import Document, DocumentKind, DocumentState, Recorded

# A command is decided anew when its commit met another one's, or nobody knows whether it was written. What is there is
# found then; a third round is for a lost commit in the second.
ROUNDS = 3


class CommitTax:
    """Records a paid sale, once per order.

    The tax is worked out anew when it is recorded: that is what is due. Where it differs from what the buyer was
    charged the sale is recorded all the same, and the document carries the difference, so that books and authority
    agree.
    """

    def __init__(self, authority: TaxAuthority, documents: Documents, clock: Clock) -> None:
        self._authority = authority
        self._documents = documents
        self._clock = clock

    async def __call__(self, request: Request, order_id: str, basis: Basis, charged_tax: Money) -> Document:
        """Return the document, the same for every repetition.

        Raises:
            Refusal: REQUEST_ID_REUSED, ADDRESS_INVALID, PROVIDER_REFUSED, ILLEGAL_STATE when the sale was voided, or
                UNAVAILABLE while it is not known whether the sale was recorded; the same command settles that.
        """
        use = Use(Command.COMMIT, request)
        for _ in range(ROUNDS):
            earlier = await self._documents.earlier(use, order_id)
            if earlier.fingerprint is not None:
                check_key(request, earlier)
            if earlier.document is None:
                document = await self._recorded(order_id, basis, charged_tax)
                if await self._documents.add(use, document):
                    return document
                continue
            _check_stands(earlier.document)
            if earlier.fingerprint is not None or await self._documents.add_key(use, order_id):
                return earlier.document
        raise busy()

    async def _recorded(self, order_id: str, basis: Basis, charged_tax: Money) -> Document:
        recorded = await self._record(order_id, basis)
        return Document(
            code=order_id,
            order_id=order_id,
            kind=DocumentKind.SALE,
            state=DocumentState.COMMITTED,
            recorded_tax=recorded.tax,
            charged_tax=charged_tax,
            booked_on=recorded.booked_on,
            created_at=self._clock.now(),
        )

    async def _record(self, order_id: str, basis: Basis) -> Recorded:
        match await self._authority.record(order_id, basis):
            case Done(recorded):
                return recorded
            case NotDone(rejection):
                raise rejected(rejection)
            case Unknown() as unknown:
                raise away("AvaTax did not say that the sale was recorded", unknown)


def _check_stands(document: Document) -> None:
    if document.state is DocumentState.VOIDED:
        raise Refusal(
            Reason.ILLEGAL_STATE, "The sale of this order was voided; it is not recorded again. Nothing was changed."
        )
