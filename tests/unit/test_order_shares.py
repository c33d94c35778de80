"""What pieces of a line are worth where prices include the tax, and where cards settle less than a minor unit."""

from dataclasses import replace

import pytest

from kernel.errors import Refusal
from kernel.money import Money
from order_svc.domain import shares
from order_svc.domain.commands import Command, allowed
from order_svc.domain.draft import Draft, Item, ItemKind
from order_svc.domain.fulfilment import Quantity
from order_svc.domain.giving_back import Wanted, refund
from order_svc.domain.hold import capture_amount
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.payment import PaymentState, RefundState
from order_svc.domain.shipping import Handover, ship
from order_svc.domain.tax import Tax, TaxLine, TaxSource
from tests.fakes.order_samples import NOW, a_draft, a_payment, an_order


def dinars(minor_units: int) -> Money:
    return Money("KWD", minor_units)


def taxed(draft: Draft, *taxes: int) -> Tax:
    lines = tuple(TaxLine(str(number), Money(draft.currency_code, tax)) for number, tax in enumerate(taxes, start=1))
    return Tax(Money(draft.currency_code, sum(taxes)), TaxSource.AVATAX, lines)


def paid(draft: Draft, tax: Tax, state: PaymentState = PaymentState.SUCCEEDED) -> Order:
    held = state is PaymentState.AUTHORIZED
    order = an_order(
        Stage.HOLDING if held else Stage.SETTLED, draft=draft, state=State.AUTHORIZED if held else State.PAID
    )
    return replace(order, tax=tax, payment=a_payment(draft.total(tax.amount), state))


def in_dinars() -> Draft:
    """Return three mugs at 1.000 with 0.100 off, and shipping for 0.500, all with their tax."""
    return a_draft(
        items=(
            Item("mug", "", 3, dinars(1000), ""),
            Item("off", "", 1, dinars(-100), "", ItemKind.DISCOUNT),
            Item("post", "", 1, dinars(500), "", ItemKind.SHIPPING),
        ),
        prices_include_tax=True,
    )


def given_back(order: Order, wanted: Wanted) -> Order:
    """Return the order after the refund was made."""
    after = refund(order, wanted, NOW).order
    done = replace(after.refunds[-1], state=RefundState.SUCCEEDED, refund_id=f"r-{len(after.refunds)}")
    assert after.payment is not None
    refunded = after.payment.refunded + done.amount
    return replace(
        after,
        stage=Stage.SETTLED,
        refunds=(*after.refunds[:-1], done),
        payment=replace(after.payment, refunded=refunded),
    )


def test_a_piece_is_worth_its_price_where_that_includes_the_tax() -> None:
    draft = a_draft(items=(Item("mug", "", 3, Money("EUR", 1000), ""),), prices_include_tax=True)
    tax = taxed(draft, 479)

    parts = [
        shares.of_items(draft, tax, [Quantity("mug", before)], [Quantity("mug", 1)], shares.whole(draft, tax))
        for before in range(3)
    ]

    assert [shares.total(part, "EUR").minor_units for part in parts] == [1000, 1000, 1000]
    assert sum(shares.total_tax(part, "EUR").minor_units for part in parts) == 479


def test_what_goes_back_by_lines_in_three_decimals_is_what_cards_settle_and_nothing_is_left_at_the_end() -> None:
    draft = in_dinars()
    order = paid(draft, taxed(draft, 391, -13, 65))

    for wanted in ("mug", "mug", "mug", "post"):
        order = given_back(order, Wanted(items=(Quantity(wanted, 1),)))

    amounts = [each.amount.minor_units for each in order.refunds]
    assert all(amount % 10 == 0 for amount in amounts)
    assert sum(amounts) == draft.subtotal.minor_units


def test_an_amount_that_cards_do_not_settle_is_refused_before_anything_is_written_down() -> None:
    draft = in_dinars()

    with pytest.raises(Refusal) as refused:
        refund(paid(draft, taxed(draft, 0, 0, 0)), Wanted(amount=dinars(105)), NOW)

    assert "a multiple of 10" in refused.value.fields[0].description


def test_what_comes_back_after_all_was_given_back_can_be_given_back_again() -> None:
    draft = in_dinars()
    order = given_back(paid(draft, taxed(draft, 391, -13, 65)), Wanted())
    over = replace(order, state=State.REFUNDED)
    assert Command.REFUND not in allowed(over)
    with pytest.raises(Refusal, match="is not possible"):
        refund(over, Wanted(), NOW)

    failed = replace(over.refunds[0], state=RefundState.FAILED)
    assert over.payment is not None
    back = replace(over, refunds=(failed,), payment=replace(over.payment, refunded=dinars(0)))

    assert Command.REFUND in allowed(back)
    again = refund(back, Wanted(), NOW).order
    assert (again.refunds[-1].amount, again.state) == (draft.subtotal, State.REFUNDED)


def test_a_hold_is_not_let_go_whole_with_a_shipment_that_costs_nothing() -> None:
    """There would be nothing to take, and the shipment would wait for it for ever."""
    draft = a_draft(
        items=(Item("mug", "", 1, Money("EUR", 1000), ""), Item("gift", "", 1, Money("EUR", 0), "")),
    )
    order = paid(draft, taxed(draft, 200, 0), PaymentState.AUTHORIZED)
    gift = (Quantity("gift", 1),)

    with pytest.raises(Refusal) as refused:
        ship(order, Handover(items=gift, release_rest=True), NOW)

    assert refused.value.fields[0].field == "release_rest"
    assert capture_amount(ship(order, Handover(items=gift), NOW).order) == order.total


@pytest.mark.parametrize("pieces", [1, 2])
def test_so_is_what_is_taken_of_a_hold(pieces: int) -> None:
    draft = in_dinars()
    order = paid(draft, taxed(draft, 391, -13, 65), PaymentState.AUTHORIZED)

    shipping = ship(order, Handover(items=(Quantity("mug", pieces),), release_rest=True), NOW).order

    assert capture_amount(shipping).minor_units % 10 == 0
    assert 0 < capture_amount(shipping).minor_units < draft.subtotal.minor_units
