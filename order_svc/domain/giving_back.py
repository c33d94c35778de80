"""What the shop asks to be given back of a paid order: the command; refunding.py sees it through."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kernel.errors import Reason, Refusal
from kernel.money import Money
from order_svc.domain import shares
from order_svc.domain.commands import Command, nothing_to_do, standing
from order_svc.domain.fulfilment import Quantity, check_quantities
from order_svc.domain.order import Order, Stage
from order_svc.domain.refund import Refund, RefundKind, counted_items
from order_svc.domain.refunding import left_to_refund, reason_to_refuse
from order_svc.domain.transition import Transition, moved

# More would be a mistake of a program; each is a row that the order carries with it.
_MOST_REFUNDS = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be given back: some lines, or an amount, or all that is left.

    Attributes:
        skus: Lines of which all that is left is given back.
        items: Lines of which so many are.
        amount: An amount; None otherwise.
        reason: The shop's words; may be empty.
    """

    skus: tuple[str, ...] = ()
    items: tuple[Quantity, ...] = ()
    amount: Money | None = None
    reason: str = ""


def refund(order: Order, wanted: Wanted, now: datetime) -> Transition:
    """Write down that money is to go back.

    Args:
        order: As it stands.
        wanted: What is to be given back.
        now: The time.

    Raises:
        Refusal: The state does not allow it, more is asked for than is left, or the order has no such lines.
    """
    nothing_to_do(Command.REFUND, order)
    if len(order.refunds) >= _MOST_REFUNDS:
        raise Refusal(Reason.ILLEGAL_STATE, f"An order takes {_MOST_REFUNDS} refunds.", metadata=standing(order))
    items, parts = _parts(order, wanted)
    amount = shares.total(parts, order.draft.currency_code)
    new = Refund(len(order.refunds) + 1, RefundKind.ASKED, parts, amount, now, items, wanted.reason)
    refunds, review = (*order.refunds, new), order.needs_review
    asked = moved(order, now, stage=Stage.REFUNDING, refunds=refunds, needs_review=review, tries=0)
    return Transition(asked, "refund.asked", {"refund": str(new.number), "amount": str(amount)})


def _parts(order: Order, wanted: Wanted) -> tuple[tuple[Quantity, ...], tuple[shares.Share, ...]]:
    """Return which lines a refund is about, and what it is of each line.

    Raises:
        Refusal: More is asked for than is left, or the order has no such lines.
    """
    assert order.tax is not None, "a paid order has its tax"
    assert order.payment is not None, "a paid order has its payment"
    left = left_to_refund(order)
    promised = Money.total((each.amount for each in order.refunds if each.unanswered), order.draft.currency_code)
    worth = shares.total(left, order.draft.currency_code)
    kept = order.payment.kept - promised
    refundable = Money(kept.currency_code, min(kept.minor_units, worth.minor_units))
    items = _lines_wanted(order, wanted)
    if wanted.amount is not None:
        _check_amount(wanted.amount, refundable)
        parts = shares.of_amount(wanted.amount, left)
    elif items:
        parts = shares.of_items(order.draft, order.tax, counted_items(order.refunds), items, left)
        # What is less than can be given back waits for the last of the lines.
        last = not _lines_left(order, items)
        whole = last and worth == refundable and worth.minor_units > 0
        parts = shares.of_amount(worth, left) if whole else shares.payable(parts, order.draft.currency_code)
    else:
        parts = shares.of_amount(refundable, left) if refundable.minor_units > 0 else ()
    amount = shares.total(parts, order.draft.currency_code)
    if amount.minor_units <= 0 or amount.minor_units > refundable.minor_units:
        raise reason_to_refuse(amount, refundable)
    return items, parts


def _check_amount(amount: Money, refundable: Money) -> None:
    if amount.currency_code != refundable.currency_code:
        raise Refusal.of_field("amount.currency_code", f"is not the order's: {refundable.currency_code}")
    if amount.minor_units <= 0:
        raise Refusal.of_field("amount.minor_units", "must be above zero")
    if amount.minor_units % (step := shares.step_of(amount.currency_code)):
        raise Refusal.of_field(
            "amount.minor_units", f"must be a multiple of {step}: cards settle no less in {amount.currency_code}"
        )
    if amount.minor_units > refundable.minor_units:
        raise reason_to_refuse(amount, refundable)


def _lines_left(order: Order, items: Sequence[Quantity]) -> bool:
    """Say whether anything can be given back by lines once these were."""
    refundable = Counter({item.sku: item.quantity for item in order.draft.items if item.unit_price.minor_units >= 0})
    for each in (*counted_items(order.refunds), *items):
        refundable[each.sku] -= each.quantity
    return any(count > 0 for count in refundable.values())


def _lines_wanted(order: Order, wanted: Wanted) -> tuple[Quantity, ...]:
    """Return the lines that a refund names, each with its count."""
    if wanted.amount is not None and (wanted.skus or wanted.items):
        raise Refusal.of_field("amount", "goes neither with skus nor with items")
    refundable = {item.sku: item.quantity for item in order.draft.items if item.unit_price.minor_units >= 0}
    left = Counter(refundable)
    left.subtract({each.sku: each.quantity for each in counted_items(order.refunds) if each.sku in refundable})
    for position, sku in enumerate(wanted.skus):
        if not left[sku] or sku not in refundable:
            raise Refusal.of_field(f"skus[{position}]", f"nothing is left of {sku} to be given back")
    whole = tuple(Quantity(sku, left[sku]) for sku in dict.fromkeys(wanted.skus))
    check_quantities((*whole, *wanted.items), set(refundable), left, "to be given back")
    return (*whole, *wanted.items)
