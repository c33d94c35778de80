"""How a language and region writes amounts, moments and addresses. The facts are CLDR's, as babel has them."""

import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime
from babel.numbers import NumberPattern, get_currency_symbol

from kernel.address import Address
from kernel.money import Money, exponent

# Where the postal code stands behind the town: English-speaking countries and most of Asia and Latin America. The rest
# of the world, Europe above all, writes it before.
_BEHIND = "AE AU BD BR CA CN CO EG HK ID IE IN JP KR NZ PK PH SA SG TH TW UA US VE VN ZA"
_CODE_BEHIND = frozenset(_BEHIND.split())
# Where it has a line of its own.
_CODE_BELOW = frozenset({"GB", "GG", "IM", "JE"})

_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
# Unicode's stranger spaces are not in every font of every mail program.
_PLAIN_SPACES = str.maketrans({"\N{NARROW NO-BREAK SPACE}": _NO_BREAK_SPACE, "\N{THIN SPACE}": _NO_BREAK_SPACE})


@dataclass(frozen=True, slots=True)
class Tongue:
    """One language and region.

    Attributes:
        tag: By BCP 47: "de-AT".
        language: The folder of its templates: "de".
        locale: Babel's.
    """

    tag: str
    language: str
    locale: Locale

    def amount(self, money: Money) -> str:
        """Return an amount with the digits that the currency has, whatever the region does with cash."""
        return _written(self.locale, money)

    def moment(self, moment: datetime) -> str:
        """Return a date and a time of day, in UTC, and saying so."""
        written = format_datetime(moment, "long", tzinfo=UTC, locale=self.locale)
        return written.translate(_PLAIN_SPACES)

    def address(self, address: Address) -> list[str]:
        """Return an address line by line, in the order of its country, which is named in our language."""
        region, code = address.region_code, address.postal_code
        town = (address.locality, address.administrative_area)
        if region in _CODE_BELOW:
            place = [_joined(*town), code]
        elif region in _CODE_BEHIND:
            place = [_joined(", ".join(filter(None, town)), code)]
        else:
            place = [_joined(code, *town)]
        return [address.line1, address.line2, *place, self.locale.territories.get(region, region)]


class Languages:
    """The languages that there are templates for.

    Args:
        folders: Their names: "en", "de", "pt_BR".
        default: The locale of whoever asks for none, or for one that there is nothing for.

    Raises:
        UnknownLocaleError: The default is not a locale, or there are no templates for it.
    """

    def __init__(self, folders: Iterable[str], default: str) -> None:
        self._folders = frozenset(folders)
        found = self._find(default)
        if found is None:
            raise UnknownLocaleError(default)
        self.default = found
        self._known: dict[str, Tongue] = {}

    def nearest(self, tag: str) -> Tongue:
        """Return the nearest that we have: "de-AT" in German with Austrian amounts, the default for what is unknown."""
        known = self._known.get(tag)
        if known is None:
            known = self._find(tag) or self.default
            # Tags come from outside: as many as there are locales are kept, and no flood of inventions.
            if len(self._known) < _MOST_KEPT:
                self._known[tag] = known
        return known

    def _find(self, tag: str) -> Tongue | None:
        parts = tag.replace("-", "_").split("_")
        while parts and parts[0]:
            try:
                locale = Locale.parse("_".join(parts))
            except (UnknownLocaleError, ValueError):
                parts.pop()
                continue
            for folder in (f"{locale.language}_{locale.territory}", locale.language):
                if folder in self._folders:
                    return Tongue(str(locale).replace("_", "-"), folder, locale)
            return None
        return None


_MOST_KEPT = 1000


# The prices of a shop come again and again, and writing one takes as long as filling in a small template.
@lru_cache(maxsize=4096)
def _written(locale: Locale, money: Money) -> str:
    pattern = _pattern(locale, exponent(money.currency_code), money.currency_code)
    written = pattern.apply(money.to_decimal(), locale, currency=money.currency_code, currency_digits=False)
    return str(written).translate(_PLAIN_SPACES)


@cache
def _pattern(locale: Locale, digits: int, currency_code: str) -> NumberPattern:
    """Return the pattern of amounts; a symbol that begins or ends with a letter keeps its distance from the digits."""
    pattern: NumberPattern = copy.copy(locale.currency_formats["standard"])
    symbol = get_currency_symbol(currency_code, locale=locale)
    if symbol[-1:].isalpha():
        above, below = (re.sub("¤$", f"¤{_NO_BREAK_SPACE}", each) for each in pattern.prefix)
        pattern.prefix = (above, below)
    if symbol[:1].isalpha():
        above, below = (re.sub("^¤", f"{_NO_BREAK_SPACE}¤", each) for each in pattern.suffix)
        pattern.suffix = (above, below)
    pattern.frac_prec = (digits, digits)
    return pattern


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))
