"""What each line of an order is worth to the customer, to the minor unit, and how a refund is shared out among them.

An article is worth its price and its tax, less its share of the discounts on it. However an order is given back, by
lines, by amounts or both, in whatever order, the parts add up to what was paid.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kernel.allocation import allocate
from kernel.money import Money
from order_svc.domain.draft import Draft, Item, ItemKind
from order_svc.domain.fulfilment import Quantity
from order_svc.domain.tax import Tax

# Card networks settle two decimals, and of MGA whole ariary: Stripe takes amounts in these that end in so many zeros.
_STEPS = {**dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 10), "MGA": 100}


@dataclass(frozen=True, slots=True)
class Share:
    """A part of one line of an order.

    Attributes:
        line_id: The line, by its position, from "1".
        net: Of its price, before tax; negative of a discount.
        tax: Of its tax.
    """

    line_id: str
    net: Money
    tax: Money

    @property
    def gross(self) -> Money:
        """Return what it is to the customer."""
        return self.net + self.tax


def whole(draft: Draft, tax: Tax) -> tuple[Share, ...]:
    """Return every line of the order, whole."""
    return tuple(
        Share(line.line_id, item.amount - line.tax if draft.prices_include_tax else item.amount, line.tax)
        for item, line in zip(draft.items, tax.lines, strict=True)
    )


def total(shares: Iterable[Share], currency_code: str) -> Money:
    """Return what the shares are to the customer."""
    return Money.total((share.gross for share in shares), currency_code)


def total_tax(shares: Iterable[Share], currency_code: str) -> Money:
    """Return the tax in the shares."""
    return Money.total((share.tax for share in shares), currency_code)


def step_of(currency_code: str) -> int:
    """Return what minor units have to be a multiple of to be taken or given back."""
    return _STEPS.get(currency_code, 1)


def payable(shares: Sequence[Share], currency_code: str) -> tuple[Share, ...]:
    """Return the shares with so much less that their sum can be taken or given back; as they are in most currencies."""
    exact = total(shares, currency_code)
    beyond = exact.minor_units % step_of(currency_code)
    return of_amount(Money(currency_code, exact.minor_units - beyond), shares) if beyond else tuple(shares)


def less(shares: Sequence[Share], taken: Iterable[Share]) -> tuple[Share, ...]:
    """Return what is left of each of the shares when others are taken away, also where that is nothing."""
    net: Counter[str] = Counter()
    tax: Counter[str] = Counter()
    for each in taken:
        net[each.line_id] += each.net.minor_units
        tax[each.line_id] += each.tax.minor_units
    return tuple(
        Share(
            each.line_id,
            Money(each.net.currency_code, each.net.minor_units - net[each.line_id]),
            Money(each.tax.currency_code, each.tax.minor_units - tax[each.line_id]),
        )
        for each in shares
    )


def of_amount(amount: Money, left: Sequence[Share]) -> tuple[Share, ...]:
    """Return an amount shared out among what is left of the lines, price and tax alike.

    Args:
        amount: At most the sum of what is left.
        left: What is left of each line.
    """
    weights = [units for share in left for units in (share.net.minor_units, share.tax.minor_units)]
    units = allocate(amount.minor_units, weights)
    parts = (
        Share(share.line_id, Money(amount.currency_code, net), Money(amount.currency_code, tax))
        for share, net, tax in zip(left, units[::2], units[1::2], strict=True)
    )
    return _something(parts)


def of_items(
    draft: Draft, tax: Tax, before: Iterable[Quantity], now: Iterable[Quantity], left: Sequence[Share]
) -> tuple[Share, ...]:
    """Return what so many of some lines are, with their part of the discounts.

    Args:
        draft: What was ordered.
        tax: Its tax.
        before: What was given back by lines before: units are told apart, so that their rounded parts add up.
        now: What is given back now.
        left: What is left of each line; no more than that is returned.
    """
    lines = {item.sku: share for item, share in zip(draft.items, whole(draft, tax), strict=True)}
    gone: Counter[str] = Counter()
    for each in before:
        gone[each.sku] += each.quantity
    parts: list[Share] = []
    by_sku = {item.sku: item for item in draft.items}
    for each in now:
        item = by_sku[each.sku]
        wanted = (gone[each.sku], gone[each.sku] + each.quantity, item.quantity)
        parts.append(_units(lines[each.sku], *wanted, with_tax=draft.prices_include_tax))
        parts += [_units(share, *wanted) for share in _discounts(draft, lines, item)]
    return _within(parts, left)


def _discounts(draft: Draft, lines: dict[str, Share], article: Item) -> Iterable[Share]:
    """Yield an article's share of each discount on it."""
    for discount in draft.items:
        sharing = draft.discounted_by(discount) if discount.kind is ItemKind.DISCOUNT else ()
        if article not in sharing:
            continue
        weights = [item.amount.minor_units for item in sharing]
        position, line = sharing.index(article), lines[discount.sku]
        net = _allocated(line.net, weights, position)
        yield Share(line.line_id, net, _allocated(line.tax, weights, position))


def _allocated(amount: Money, weights: Sequence[int], position: int) -> Money:
    return Money(amount.currency_code, allocate(amount.minor_units, weights)[position])


def _units(share: Share, begin: int, end: int, quantity: int, *, with_tax: bool = False) -> Share:
    """Return the part of a line that its units from `begin` to `end` are; all units together are the line.

    Where prices include the tax it is the price of a unit that is whole, and not what of it is before tax.
    """
    tax = _between(share.tax, begin, end, quantity)
    if with_tax:
        return Share(share.line_id, _between(share.gross, begin, end, quantity) - tax, tax)
    return Share(share.line_id, _between(share.net, begin, end, quantity), tax)


def _between(amount: Money, begin: int, end: int, quantity: int) -> Money:
    units = amount.minor_units
    return Money(amount.currency_code, units * end // quantity - units * begin // quantity)


def _within(parts: Iterable[Share], left: Sequence[Share]) -> tuple[Share, ...]:
    """Return the parts added up line by line, none of them more than what is left of its line."""
    net: Counter[str] = Counter()
    tax: Counter[str] = Counter()
    for part in parts:
        net[part.line_id] += part.net.minor_units
        tax[part.line_id] += part.tax.minor_units
    return _something(
        Share(
            share.line_id,
            Money(share.net.currency_code, _nearer_zero(net[share.line_id], share.net.minor_units)),
            Money(share.tax.currency_code, _nearer_zero(tax[share.line_id], share.tax.minor_units)),
        )
        for share in left
    )


def _nearer_zero(wanted: int, left: int) -> int:
    return max(wanted, min(left, 0)) if wanted < 0 else min(wanted, max(left, 0))


def _something(shares: Iterable[Share]) -> tuple[Share, ...]:
    return tuple(share for share in shares if share.net.minor_units or share.tax.minor_units)
