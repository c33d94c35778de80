"""What an order may consist of, and what it says of itself."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Reason, Refusal
from kernel.money import Money
from order_svc.domain.draft import MAXIMUM_MINOR_UNITS, Item
from order_svc.domain.order import Stage, State
from order_svc.domain.payment import PaymentState
from tests.fakes.order_samples import a_draft, a_payment, an_order, euros


def item(sku: str, minor_units: int, quantity: int = 1, currency_code: str = "EUR") -> Item:
    return Item(sku, "", quantity, Money(currency_code, minor_units), "")


@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(1, 10)), min_size=1, max_size=8))
def test_the_subtotal_is_the_exact_sum_of_the_items(prices: list[tuple[int, int]]) -> None:
    items = (item("first", 1), *(item(f"s{n}", price, count) for n, (price, count) in enumerate(prices)))

    draft = a_draft(items=items)

    assert draft.subtotal == euros(1 + sum(price * count for price, count in prices))


@pytest.mark.parametrize(
    ("items", "field", "words"),
    [
        ((item("a", 5), item("b", -1)), "items[1].unit_price.minor_units", "negative"),
        ((item("a", 5), item("b", 5, currency_code="USD")), "items[1].unit_price.currency_code", "USD"),
        ((item("a", 5), item("b", 5), item("a", 5)), "items[2].sku", "twice"),
        ((item("a", 0), item("b", 0)), "items", "nothing"),
        ((item("a", MAXIMUM_MINOR_UNITS), item("b", 1)), "items", str(MAXIMUM_MINOR_UNITS)),
        ((item("a", 2**63 - 1, 100_000),), "items", "more than"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused_and_the_field_named(
    items: tuple[Item, ...], field: str, words: str
) -> None:
    with pytest.raises(Refusal) as refused:
        a_draft(items=items)

    assert refused.value.reason is Reason.VALIDATION_FAILED
    assert [each.field for each in refused.value.fields] == [field]
    assert words in refused.value.fields[0].description


def test_the_most_expensive_order_is_the_most_that_can_be_charged() -> None:
    assert a_draft(items=(item("a", MAXIMUM_MINOR_UNITS),)).subtotal == euros(99_999_999)


def test_a_free_item_beside_another_is_welcome() -> None:
    assert a_draft(items=(item("gift", 0), item("a", 5))).subtotal == euros(5)


def test_the_total_is_known_once_the_tax_is() -> None:
    assert an_order(Stage.QUOTING).total is None

    order = an_order(Stage.CHARGING)
    assert order.tax is not None
    assert order.total == order.draft.subtotal + order.tax.amount


def test_nothing_is_refunded_until_the_payment_says_so() -> None:
    order = an_order(Stage.CHARGING)
    refunded = replace(order, payment=a_payment(euros(100), PaymentState.SUCCEEDED, refunded=euros(40)))

    assert order.refunded == euros(0)
    assert refunded.refunded == euros(40)


@pytest.mark.parametrize("state", State)
def test_an_order_is_open_as_long_as_it_changes_by_itself(state: State) -> None:
    order = an_order(state=state)

    assert order.open is (state in {State.PENDING, State.PAYMENT_ACTION_REQUIRED})
    assert not replace(order, needs_review=True).open
