"""What articles of an order are worth exactly, as fractions: worked out here once more, from what the order shows."""

from collections.abc import Iterable
from fractions import Fraction

from ordermesh.order.v1 import order_pb2


def of_items(order: order_pb2.Order, items: Iterable[order_pb2.OrderQuantity]) -> Fraction:
    """Return what so many of some lines are to the customer, tax and their part of the discounts included."""
    by_sku = {each.sku: (each, _gross(order, position)) for position, each in enumerate(order.items)}
    worth = Fraction(0)
    for wanted in items:
        item, gross = by_sku[wanted.sku]
        share = Fraction(wanted.quantity, item.quantity)
        worth += gross * share
        worth += sum((part * share for part in _discounts(order, item)), Fraction(0))
    return worth


def _gross(order: order_pb2.Order, position: int) -> int:
    item = order.items[position]
    price: int = item.quantity * item.unit_price.minor_units
    return price if order.prices_include_tax else price + order.tax.lines[position].tax.minor_units


def _discounts(order: order_pb2.Order, article: order_pb2.OrderItem) -> Iterable[Fraction]:
    """Yield the article's part of each discount on it, by what the articles cost."""
    if article.kind != order_pb2.ORDER_ITEM_KIND_ARTICLE:
        return
    for position, discount in enumerate(order.items):
        if discount.kind != order_pb2.ORDER_ITEM_KIND_DISCOUNT:
            continue
        on = [
            each
            for each in order.items
            if each.kind == order_pb2.ORDER_ITEM_KIND_ARTICLE
            and (not discount.applies_to_skus or each.sku in discount.applies_to_skus)
        ]
        whole = sum(each.quantity * each.unit_price.minor_units for each in on)
        if article.sku in {each.sku for each in on} and whole:
            cost = article.quantity * article.unit_price.minor_units
            yield Fraction(_gross(order, position) * cost, whole)
