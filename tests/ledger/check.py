"""Lays everybody's books of one order side by side, to the minor unit, with none of the product's own arithmetic."""

from collections.abc import Iterator
from decimal import Decimal

from ordermesh.order.v1 import order_pb2
from ordermesh.payment.v1 import payment_pb2
from ordermesh.tax.v1 import tax_pb2
from ordermesh.type.v1 import money_pb2

from tests.ledger.books import Books, Json, OrderBooks
from tests.ledger.places import BY_CODE, Currency

_NOTHING_KEPT = {
    order_pb2.ORDER_STATE_FAILED,
    order_pb2.ORDER_STATE_CANCELLED,
    order_pb2.ORDER_STATE_REFUNDED,
}
_PAID = {
    order_pb2.ORDER_STATE_PAID,
    order_pb2.ORDER_STATE_PROCESSING,
    order_pb2.ORDER_STATE_SHIPPED,
    order_pb2.ORDER_STATE_DELIVERED,
    order_pb2.ORDER_STATE_REFUNDED,
}


def complaints(books: Books) -> list[str]:
    """Return what does not agree, each with the order that it is about."""
    told = [f"{stray}" for stray in books.strays]
    for order_id, of_order in books.orders.items():
        told += [f"{order_id}: {complaint}" for complaint in of_one(of_order)]
    return told


def of_one(books: OrderBooks) -> Iterator[str]:
    """Yield what does not agree of one order."""
    order = books.order
    yield from _sums(order)
    yield from _refunds(order)
    yield from _at_stripe(books, BY_CODE[order.subtotal.currency_code])
    yield from _in_our_ledger(books)
    yield from _at_avatax(books, BY_CODE[order.subtotal.currency_code])


def _sums(order: order_pb2.Order) -> Iterator[str]:
    """Look at the order alone: its lines, its tax and its total."""
    lines = sum(each.quantity * each.unit_price.minor_units for each in order.items)
    yield from _differing("subtotal", order.subtotal.minor_units, "its lines", lines)
    if not order.HasField("tax"):
        return
    tax = order.tax.amount.minor_units
    yield from _differing("tax", tax, "its lines", sum(each.tax.minor_units for each in order.tax.lines))
    total = lines if order.prices_include_tax else lines + tax
    yield from _differing("total", order.total.minor_units, "lines and tax", total)
    if [each.line_id for each in order.tax.lines] != [str(place) for place in range(1, len(order.items) + 1)]:
        yield "its tax has not a line for each item"
    for item, line in zip(order.items, order.tax.lines, strict=False):
        if order.tax.source == tax_pb2.TAX_SOURCE_AVATAX:
            parts = sum(each.tax.minor_units for each in line.jurisdictions)
            yield from _differing(f"tax of line {line.line_id}", line.tax.minor_units, "its jurisdictions", parts)
        yield from _rates(order, item, line)


def _rates(order: order_pb2.Order, item: order_pb2.OrderItem, line: tax_pb2.TaxLine) -> Iterator[str]:
    """Look at each jurisdiction's tax: its rate of the line's net, rounded to a whole unit."""
    price = item.quantity * item.unit_price.minor_units
    net = price - line.tax.minor_units if order.prices_include_tax else price
    for each in line.jurisdictions:
        exact = Decimal(net) * Decimal(each.rate)
        if each.tax.minor_units and abs(each.tax.minor_units - exact) > 1:
            yield f"line {line.line_id}: {each.name} takes {each.tax.minor_units}, and {each.rate} of {net} is {exact}"


def _refunds(order: order_pb2.Order) -> Iterator[str]:
    counted = [each for each in order.refunds if each.state != payment_pb2.REFUND_STATE_FAILED]
    given_back = sum(each.amount.minor_units for each in counted)
    yield from _differing("refunded", order.refunded.minor_units, "its refunds", given_back)
    captured = order.payment.captured.minor_units
    if given_back > captured:
        yield f"{given_back} was given back of {captured}"
    if (order.state == order_pb2.ORDER_STATE_REFUNDED) != (captured > 0 and given_back == captured):
        yield f"{given_back} of {captured} was given back, and it is {order_pb2.OrderState.Name(order.state)}"
    if any(not each.document_code or not each.provider_refund_id for each in counted):
        yield "a refund has no document, or no refund at Stripe"


def _at_stripe(books: OrderBooks, currency: Currency) -> Iterator[str]:
    order = books.order
    taken = [each for each in books.charges if each["status"] == "succeeded"]
    held = [each for each in books.charges if each["status"] == "requires_capture"]
    captured = sum(each["amount"] for each in taken)
    counted = [each for each in books.refunds if each["status"] in {"succeeded", "pending"}]
    refunded = sum(each["amount"] for each in counted)
    yield from _differing("captured", order.payment.captured.minor_units * currency.stripe, "Stripe", captured)
    yield from _differing("refunded", order.refunded.minor_units * currency.stripe, "Stripe", refunded)
    ours = sorted((each.provider_refund_id, each.amount.minor_units * currency.stripe) for each in order.refunds)
    yield from _differing("refunds", ours, "Stripe", sorted((each["refund"], each["amount"]) for each in books.refunds))
    if any(each["currency"] != currency.code.lower() for each in (*books.charges, *books.refunds)):
        yield "Stripe has another currency"
    if len(books.charges) > 1:
        yield f"Stripe charged it {len(books.charges)} times"
    if order.state in _NOTHING_KEPT and (held or captured != refunded):
        yield f"it is {order_pb2.OrderState.Name(order.state)}, and Stripe keeps {captured - refunded}"
    if order.state in _PAID:
        total = captured + order.payment.released.minor_units * currency.stripe
        yield from _differing("total", order.total.minor_units * currency.stripe, "what was taken and let go", total)
    if order.state == order_pb2.ORDER_STATE_AUTHORIZED:
        holds = [each["amount"] for each in held]
        yield from _differing("held", holds, "its total", [order.total.minor_units * currency.stripe])


def _in_our_ledger(books: OrderBooks) -> Iterator[str]:
    order = books.order
    if len(books.payments) > 1:
        yield f"we have {len(books.payments)} payments of it"
    for payment in books.payments:
        yield from _differing("captured", order.payment.captured, "our payment", payment.captured)
        yield from _differing("refunded", order.refunded, "our payment", payment.refunded)
        if payment.provider_payment_id:
            yield from _differing("total", order.total, "our payment", payment.amount)
        ours = sorted((each.provider_refund_id, each.amount.minor_units) for each in payment.refunds)
        of_order = sorted((each.provider_refund_id, each.amount.minor_units) for each in order.refunds)
        yield from _differing("refunds", of_order, "our payment", ours)


def _at_avatax(books: OrderBooks, currency: Currency) -> Iterator[str]:
    """Compare sale and returns with what the customer keeps paying for, price and tax."""
    order = books.order
    live = {each["code"]: each for each in books.documents if each["status"] == "Committed"}
    if order.state not in _PAID:
        if live:
            yield f"it is {order_pb2.OrderState.Name(order.state)}, and AvaTax has {', '.join(live)}"
        return
    sale = live.pop(order.order_id, None)
    if sale is None:
        yield "AvaTax has no document of it"
        return
    tax, net = _units(sale, "total_tax", currency), _units(sale, "total_amount", currency)
    difference = order.tax.difference.minor_units
    if difference and order.tax.source != tax_pb2.TAX_SOURCE_FALLBACK:
        yield f"AvaTax recorded {difference} more than it said"
    yield from _differing("recorded tax", tax, "tax and difference", order.tax.amount.minor_units + difference)
    sold = order.subtotal.minor_units - (tax if order.prices_include_tax else 0)
    yield from _differing("recorded price", net, "what was sold", sold)
    for refund in order.refunds:
        if refund.state != payment_pb2.REFUND_STATE_FAILED:
            yield from _return(live.pop(refund.document_code, None), refund, currency)
    released = order.payment.released.minor_units
    let_go = sum(_gross(each, currency) for each in live.values())
    yield from _differing("returned beyond its refunds", -let_go, "what was let go", released)
    if len(live) != (1 if released else 0):
        yield f"AvaTax has {len(live)} returns that are no refunds: {', '.join(live)}"


def _return(document: Json | None, refund: order_pb2.OrderRefund, currency: Currency) -> Iterator[str]:
    if document is None:
        yield f"AvaTax has no return of refund {refund.refund_id}"
        return
    yield from _differing("a return", -_gross(document, currency), "its refund", refund.amount.minor_units)
    returned = -_units(document, "total_tax", currency)
    yield from _differing("tax of a return", returned, "its refund's", refund.tax.minor_units)


def _gross(document: Json, currency: Currency) -> int:
    return _units(document, "total_amount", currency) + _units(document, "total_tax", currency)


def _units(document: Json, name: str, currency: Currency) -> int:
    exact = Decimal(repr(document[name])).scaleb(currency.digits)
    if exact != exact.to_integral_value() or document["currency"] != currency.code:
        raise AssertionError(
            f"AvaTax has {document[name]} {document['currency']}, which is no amount of {currency.code}"
        )
    return int(exact)


def _differing(what: str, is_: object, of: str, should_be: object) -> Iterator[str]:
    if is_ != should_be:
        yield f"{what} is {_word(is_)}, {of} {_word(should_be)}"


def _word(value: object) -> str:
    return f"{value.minor_units} {value.currency_code}" if isinstance(value, money_pb2.Money) else f"{value}"
