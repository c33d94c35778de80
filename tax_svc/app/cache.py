"""Quotes that were given minutes ago."""

import hashlib
from collections import OrderedDict

from kernel.clock import Clock
from tax_svc.domain.basis import Basis
from tax_svc.domain.quote import Quote, Source

# Buyers who look at a basket again do so within minutes. A quote of a few lines takes some 2 KiB, one of 200 lines with
# four authorities each 200: these take a few megabytes.
_MOST = 2_000


class QuoteCache:
    """Remembers quotes by a hash of all that went into them; the least recently used go first.

    Args:
        clock: For their age, and because rates change at midnight.
        seconds: How long a quote is good for; 0 remembers none.
        most: How many it remembers.
    """

    def __init__(self, clock: Clock, seconds: float, most: int = _MOST) -> None:
        self._clock = clock
        self._seconds = seconds
        self._most = most
        self._quotes: OrderedDict[bytes, tuple[float, Quote]] = OrderedDict()

    def find(self, basis: Basis) -> Quote | None:
        """Return the quote of this basis, unless it is too old or of another day."""
        key = self._key(basis)
        until, quote = self._quotes.get(key, (0.0, None))
        if quote is None:
            return None
        if self._clock.monotonic() >= until:
            del self._quotes[key]
            return None
        self._quotes.move_to_end(key)
        return quote

    def keep(self, basis: Basis, quote: Quote) -> None:
        """Remember an answer of AvaTax; an estimate is none, and neither is what is in another currency."""
        if not self._seconds or quote.source is not Source.AVATAX:
            return
        if quote.total_tax.currency_code != basis.currency_code:
            return
        self._quotes[self._key(basis)] = (self._clock.monotonic() + self._seconds, quote)
        while len(self._quotes) > self._most:
            self._quotes.popitem(last=False)

    def _key(self, basis: Basis) -> bytes:
        """Return a hash, so that no address stays in memory; the repr of frozen dataclasses says all of them."""
        return hashlib.sha256(f"{self._clock.now().date()}{basis!r}".encode()).digest()
