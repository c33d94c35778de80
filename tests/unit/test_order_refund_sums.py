"""However a paid order is given back, the parts add up to what was paid, line by line, to the minor unit."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.errors import Refusal
from kernel.money import Money
from order_svc.domain.draft import Draft, Item, ItemKind
from order_svc.domain.fulfilment import Quantity
from order_svc.domain.giving_back import Wanted
from order_svc.domain.order import State
from order_svc.domain.payment import RefundState
from order_svc.domain.refund import RefundKind
from order_svc.domain.shares import of_items, step_of, total, whole
from order_svc.domain.tax import Tax, TaxLine, TaxSource
from tests.fakes.order_ledger import Ledger
from tests.fakes.order_samples import a_draft

# With no digits, with two and with three.
CURRENCIES = ["JPY", "KRW", "CLP", "EUR", "USD", "GBP", "CHF", "SEK", "HUF", "PLN", "KWD", "BHD", "TND"]
SUCCEEDED, PENDING, FAILED = RefundState.SUCCEEDED, RefundState.PENDING, RefundState.FAILED

_ENDS = st.sampled_from([SUCCEEDED, SUCCEEDED, SUCCEEDED, PENDING, FAILED, None])


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    """Draw what may be ordered: articles, shipping, and discounts on some of the articles or on all of them."""
    currency = draw(st.sampled_from(CURRENCIES))
    counts = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5000)), min_size=1, max_size=4))
    articles = [Item(f"a{n}", "", count, Money(currency, price), "") for n, (count, price) in enumerate(counts)]
    items = list(articles)
    if draw(st.booleans()):
        items.append(Item("post", "", 1, Money(currency, draw(st.integers(0, 999))), "", ItemKind.SHIPPING))
    for number in range(draw(st.integers(0, 2))):
        sharing = tuple(draw(st.sets(st.sampled_from([item.sku for item in articles]))))
        worth = sum(item.amount.minor_units for item in articles if not sharing or item.sku in sharing)
        off = Money(currency, -draw(st.integers(1, max(1, worth // 2))))
        items.insert(draw(st.integers(0, len(items))), Item(f"d{number}", "", 1, off, "", ItemKind.DISCOUNT, sharing))
    return a_draft(items=tuple(items), prices_include_tax=draw(st.booleans()))


@st.composite
def paid_orders(draw: st.DrawFn) -> Ledger:
    """Draw a paid order, with any tax on its lines, or in them."""
    try:
        draft = draw(drafts())
    except Refusal:  # It comes to nothing, or takes more off an article than it costs.
        draft = a_draft()
    percent = draw(st.lists(st.integers(0, 30), min_size=len(draft.items), max_size=len(draft.items)))
    lines = [
        TaxLine(
            str(position),
            Money(
                draft.currency_code,
                int(item.amount.minor_units * rate / (100 + rate if draft.prices_include_tax else 100)),
            ),
        )
        for position, (item, rate) in enumerate(zip(draft.items, percent, strict=True), start=1)
    ]
    amount = Money.total((line.tax for line in lines), draft.currency_code)
    return Ledger(draft, Tax(amount, TaxSource.AVATAX, tuple(lines)))


def _by_amount(data: st.DataObject, ledger: Ledger) -> Wanted:
    captured = ledger.order.captured
    return Wanted(amount=Money(captured.currency_code, data.draw(st.integers(1, captured.minor_units))))


def _by_lines(data: st.DataObject, ledger: Ledger) -> Wanted:
    return Wanted(skus=(data.draw(st.sampled_from([item.sku for item in ledger.order.draft.items])),))


def _by_units(data: st.DataObject, ledger: Ledger) -> Wanted:
    item = data.draw(st.sampled_from(ledger.order.draft.articles))
    return Wanted(items=(Quantity(item.sku, data.draw(st.integers(1, item.quantity))),))


_WAYS: list[Callable[[st.DataObject, Ledger], Wanted]] = [_by_amount, _by_lines, _by_units]


@settings(max_examples=150)
@given(data=st.data())
def test_whatever_is_given_back_in_whatever_order_adds_up_to_what_was_paid(data: st.DataObject) -> None:
    ledger = data.draw(paid_orders())
    if ledger.order.captured.minor_units <= 0:  # free, or a tax below zero, which no order is charged with
        return
    for _ in range(data.draw(st.integers(0, 6))):
        _give_back_some(data, ledger)
        _check(ledger)

    ledger.ask(Wanted(), SUCCEEDED)
    _check(ledger)

    assert ledger.payment.kept.minor_units == 0
    assert ledger.order.state is State.REFUNDED
    # What is left of lines that cancel each other out costs nobody anything.
    assert sum(net + tax for net, tax in ledger.given_back().values()) == ledger.order.captured.minor_units
    assert not ledger.ask(Wanted(), SUCCEEDED)


@settings(max_examples=50)
@given(ledger=paid_orders())
def test_an_order_given_back_unit_by_unit_is_given_back_line_by_line(ledger: Ledger) -> None:
    order = ledger.order
    assert order.tax is not None
    lines = whole(order.draft, order.tax)
    back: dict[str, list[int]] = {}
    gone: list[Quantity] = []
    for item in order.draft.items:
        for _ in range(item.quantity if item.kind is not ItemKind.DISCOUNT else 0):
            unit = Quantity(item.sku, 1)
            for share in of_items(order.draft, order.tax, gone, (unit,), lines):
                sums = back.setdefault(share.line_id, [0, 0])
                sums[0] += share.net.minor_units
                sums[1] += share.tax.minor_units
            gone.append(unit)

    worth = {line.line_id: [line.net.minor_units, line.tax.minor_units] for line in lines}
    assert back == {line_id: sums for line_id, sums in worth.items() if any(sums)}


@settings(max_examples=50)
@given(ledger=paid_orders(), data=st.data())
def test_an_order_given_back_by_amounts_and_then_whole_is_given_back_line_by_line(
    ledger: Ledger, data: st.DataObject
) -> None:
    order = ledger.order
    assert order.tax is not None
    if order.captured.minor_units < 2:
        return
    for _ in range(data.draw(st.integers(0, 5))):
        ledger.ask(_by_amount(data, ledger), data.draw(_ENDS))

    ledger.ask(Wanted(), SUCCEEDED)

    lines = whole(order.draft, order.tax)
    worth = {line.line_id: (line.net.minor_units, line.tax.minor_units) for line in lines}
    assert ledger.given_back() == {line_id: sums for line_id, sums in worth.items() if any(sums)}


def _give_back_some(data: st.DataObject, ledger: Ledger) -> None:
    match data.draw(st.integers(0, 9)):
        case 0:
            ledger.by_hand(data.draw(st.integers(1, 5000)))
        case 1:
            ledger.bank_returns(data.draw(st.integers(0, 9)))
        case way:
            ledger.ask(_WAYS[way % len(_WAYS)](data, ledger), data.draw(_ENDS))


def _check(ledger: Ledger) -> None:
    """Check that the order's account is the payment's, and that no line has given more than it was worth."""
    order = ledger.order
    assert order.tax is not None
    assert order.refunded == ledger.payment.refunded
    counted = [refund for refund in order.refunds if refund.counts]
    assert Money.total((refund.amount for refund in counted), order.draft.currency_code) == order.refunded
    assert all(total(refund.shares, order.draft.currency_code) == refund.amount for refund in order.refunds)
    step = step_of(order.draft.currency_code)
    others = [order.captured, *(refund.amount for refund in order.refunds if refund.kind is RefundKind.BY_HAND)]
    if all(amount.minor_units % step == 0 for amount in others):
        assert all(refund.amount.minor_units % step == 0 for refund in order.refunds), "no card takes that back"
    gone = ledger.given_back()
    for line in whole(order.draft, order.tax):
        for given_back, worth in zip(
            gone.get(line.line_id, (0, 0)), (line.net.minor_units, line.tax.minor_units), strict=True
        ):
            assert min(0, worth) <= given_back <= max(0, worth)
