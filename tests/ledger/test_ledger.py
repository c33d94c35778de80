"""A few dozen random orders on a real mesh agree with everybody's books; and books that do not agree are found out."""

import copy
from collections.abc import Callable

import pytest
from ordermesh.order.v1 import order_pb2
from ordermesh.payment.v1 import payment_pb2

from tests.ledger.books import OrderBooks
from tests.ledger.check import of_one
from tests.ledger.run import Outcome, report, run

ORDERS = 60

# It takes some twenty seconds on an idle machine; whichever test comes first waits for all of it.
pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
async def outcome() -> Outcome:
    return await run(ORDERS, seed=3)


async def test_everybody_agrees_to_the_minor_unit(outcome: Outcome) -> None:
    assert outcome.wrong == []
    assert outcome.audit == "clean"
    assert len(outcome.books.orders) == ORDERS
    assert "Everything agrees" in report(outcome)


def refunded(outcome: Outcome) -> OrderBooks:
    """Return the books of an order of which something was given back, priced before tax, to be changed at will."""
    return next(
        copy.deepcopy(books)
        for books in outcome.books.orders.values()
        if books.refunds
        and len(books.order.items) > 1
        and books.order.tax.amount.minor_units
        and books.order.state != order_pb2.ORDER_STATE_REFUNDED
    )


def a_line_more(books: OrderBooks) -> None:
    books.order.items[0].quantity += 1


def tax_of_a_line(books: OrderBooks) -> None:
    books.order.tax.lines[0].tax.minor_units += 1


def total(books: OrderBooks) -> None:
    books.order.total.minor_units += 1


def captured(books: OrderBooks) -> None:
    books.charges[0]["amount"] += 1


def second_charge(books: OrderBooks) -> None:
    books.charges.append({**books.charges[0], "payment_intent": "pi_other"})


def refund_at_stripe(books: OrderBooks) -> None:
    books.refunds[0]["amount"] -= 1


def refund_lost(books: OrderBooks) -> None:
    books.refunds.pop()


def our_payment(books: OrderBooks) -> None:
    books.payments[0].refunded.minor_units += 1


def given_up(books: OrderBooks) -> None:
    books.order.state = order_pb2.ORDER_STATE_CANCELLED


def refund_failed(books: OrderBooks) -> None:
    books.order.refunds[0].state = payment_pb2.REFUND_STATE_FAILED


def sale(books: OrderBooks) -> None:
    books.documents = [each for each in books.documents if each["type"] != "SalesInvoice"]


def sold_for_more(books: OrderBooks) -> None:
    for each in books.documents:
        each["total_amount"] = round(each["total_amount"] + 10, 3)


def taxed_otherwise(books: OrderBooks) -> None:
    for each in books.documents:
        each["total_tax"] = round(each["total_tax"] + 10, 3)


def a_return(books: OrderBooks) -> None:
    books.documents = [each for each in books.documents if each["type"] == "SalesInvoice"]


def a_return_too_many(books: OrderBooks) -> None:
    last = books.documents[-1]
    books.documents.append({**last, "code": f"{last['code']}0"})


@pytest.mark.parametrize(
    "harm",
    [
        a_line_more,
        tax_of_a_line,
        total,
        captured,
        second_charge,
        refund_at_stripe,
        refund_lost,
        our_payment,
        given_up,
        refund_failed,
        sale,
        sold_for_more,
        taxed_otherwise,
        a_return,
        a_return_too_many,
    ],
)
async def test_what_does_not_agree_is_told(outcome: Outcome, harm: Callable[[OrderBooks], None]) -> None:
    books = refunded(outcome)
    assert list(of_one(books)) == []

    harm(books)

    assert list(of_one(books)) != []
