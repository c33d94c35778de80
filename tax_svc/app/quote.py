"""Working out a tax."""

import logging

from kernel.errors import Reason, Refusal
from kernel.outcome import Done, NotDone, Unknown
from tax_svc.app.cache import QuoteCache
from tax_svc.app.ports import TaxAuthority
from tax_svc.app.refusals import rejected
from tax_svc.domain.basis import Basis
from tax_svc.domain.fallback import FallbackRates
from tax_svc.domain.quote import Quote

_logger = logging.getLogger(__name__)


class QuoteTax:
    """Works out the tax of a basis.

    Args:
        authority: Knows the true tax.
        fallback: Stands in while it cannot be asked, where it may.
        cache: What it said minutes ago.
    """

    def __init__(self, authority: TaxAuthority, fallback: FallbackRates, cache: QuoteCache) -> None:
        self._authority = authority
        self._fallback = fallback
        self._cache = cache

    async def __call__(self, basis: Basis) -> Quote:
        """Return the tax.

        Raises:
            Refusal: ADDRESS_INVALID or PROVIDER_REFUSED; the tax is never guessed at then. TAX_UNAVAILABLE while it
                cannot be asked, where no estimate may stand in.
        """
        known = self._cache.find(basis)
        if known is not None:
            return known
        match await self._authority.quote(basis):
            case Done(quote):
                self._cache.keep(basis, quote)
                return quote
            case NotDone(rejection):
                raise rejected(rejection)
            case Unknown(cause):
                return self._estimate(basis, cause)

    def _estimate(self, basis: Basis, cause: str) -> Quote:
        if not self._fallback.allows(basis.ship_to):
            _logger.warning("tax.refused", extra={"cause": cause})
            raise Refusal(
                Reason.TAX_UNAVAILABLE,
                f"AvaTax cannot be asked right now ({cause}), and nothing is sold to this region at an estimated tax; "
                f"try again later.",
                metadata={"provider": "avatax"},
            )
        _logger.warning("tax.fallback", extra={"cause": cause})
        return self._fallback.quote(basis)
