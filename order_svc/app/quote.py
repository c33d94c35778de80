"""Quoting an order: what it would cost, with nothing stored and nobody charged."""

from kernel.errors import Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import Taxes
from order_svc.domain.draft import Draft
from order_svc.domain.tax import Tax


class QuoteOrder:
    """The use case.

    Args:
        taxes: tax_svc.
    """

    def __init__(self, taxes: Taxes) -> None:
        self._taxes = taxes

    async def __call__(self, draft: Draft) -> Tax:
        """Return the tax of the draft.

        Raises:
            Refusal: The address cannot be placed; or tax_svc is away.
        """
        match await self._taxes.quote(draft):
            case Done(tax):
                return tax
            case NotDone(refusal):
                raise refusal
            case Unknown(cause, retry_after):
                raise Refusal(
                    Reason.UNAVAILABLE,
                    f"The tax cannot be worked out just now ({cause}); try again.",
                    retry_after=retry_after or 1.0,
                )
