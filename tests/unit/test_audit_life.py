"""Whatever may be wrong with holds, captures, shipments, refunds and their returns is found and named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.audit.rows import (
    ChargeRefundRow,
    ChargeRow,
    DisputeRow,
    DocumentRow,
    OrderRefundRow,
    OrderRow,
    PaymentRow,
    RefundRow,
    Row,
)
from cli.audit.rule import Remedy
from cli.audit.rules import NOTES
from cli.audit.rules_holds import HOLDS
from cli.audit.rules_refunds import REFUNDS
from cli.audit.rules_returns import RETURNS
from tests.fakes.audit_world import (
    AuditWorld,
    audit_of,
    book_in,
    declined_order,
    differences_of,
    held_order,
    identity,
    paid_order,
    refunded_order,
    shipped_order,
)

ORDER, PAYMENT = identity(1), identity(1, "1")
RETURN = f"{ORDER}-r1"


def hold_lapsed(world: AuditWorld) -> None:
    for kind in (ChargeRow, PaymentRow):
        world.change(kind, state="CANCELLED")


def hold_taken_unheard(world: AuditWorld) -> None:
    for kind in (ChargeRow, PaymentRow):
        world.change(kind, state="SUCCEEDED", captured=1085)


def hold_of_another_amount(world: AuditWorld) -> None:
    for kind in (ChargeRow, PaymentRow):
        world.change(kind, amount=1084)


def prepared_without_hold(world: AuditWorld) -> None:
    world.change(OrderRow, state="PROCESSING")
    hold_lapsed(world)


def shipped_without_money(world: AuditWorld) -> None:
    world.change(OrderRow, captured=0, released=0)
    for kind in (ChargeRow, PaymentRow):
        world.change(kind, captured=0, state="CANCELLED")


def release_unnoted(world: AuditWorld) -> None:
    world.change(OrderRow, released=0)


def cancelled_and_open(world: AuditWorld) -> None:
    for kind in (ChargeRow, PaymentRow):
        world.change(kind, state="ACTION_REQUIRED")


def order_thinks_failed(world: AuditWorld) -> None:
    world.change(OrderRefundRow, state="FAILED")


def order_thinks_succeeded(world: AuditWorld) -> None:
    for refund in (RefundRow, ChargeRefundRow):
        world.change(refund, state="FAILED")
    for kind in (ChargeRow, PaymentRow):
        world.change(kind, refunded=0)


def order_unaware(world: AuditWorld) -> None:
    world.drop(OrderRefundRow)
    world.change(OrderRow, refunded=0)


def refunded_twice(world: AuditWorld) -> None:
    again = identity(9, "3")
    world.rows += [
        RefundRow(again, PAYMENT, "re_9", "SUCCEEDED", 500, f"{ORDER}:refund:1:2"),
        ChargeRefundRow("re_9", again, "pi_1", "SUCCEEDED", "USD", 500, 0),
    ]
    for kind in (ChargeRow, PaymentRow):
        world.change(kind, refunded=1000)


def said_to_be_refunded(world: AuditWorld) -> None:
    world.change(OrderRow, state="REFUNDED")


def of_returns(world: AuditWorld, **fields: object) -> None:
    """Change the returns alone."""
    changed: list[Row] = []
    for row in world.rows:
        of_return = isinstance(row, DocumentRow) and row.kind == "ReturnInvoice"
        changed.append(row._replace(**fields) if of_return else row)  # type: ignore[arg-type]  # fields of DocumentRow
    world.rows = changed


def return_unasked(world: AuditWorld) -> None:
    of_returns(world, status="Cancelled")
    world.change(OrderRefundRow, document_code="")


def return_of_nothing(world: AuditWorld) -> None:
    world.rows.append(DocumentRow(f"{ORDER}-r7", "ReturnInvoice", "Committed", "USD", -100, -8))


def return_of_an_unpaid_order(world: AuditWorld) -> None:
    world.rows.append(DocumentRow(RETURN, "ReturnInvoice", "Committed", "USD", -100, -8))


# What is done to which order; the kinds that it has to be found as; and words that tell of it.
Case = tuple[Callable[[int], list[Row]], Callable[[AuditWorld], None], set[str], str]
DONE: dict[str, Case] = {
    "lapsed hold": (held_order, hold_lapsed, {"hold_differs"}, "its hold pi_1 is CANCELLED at Stripe"),
    "hold that was never made": (
        held_order,
        lambda world: world.drop(ChargeRow),
        {"hold_differs", "ledger_differs"},
        "Stripe holds nothing for it",
    ),
    "taken hold": (
        held_order,
        hold_taken_unheard,
        {"hold_differs", "money_differs"},
        "its hold pi_1 is SUCCEEDED at Stripe",
    ),
    "other hold": (held_order, hold_of_another_amount, {"hold_differs"}, "Stripe holds 10.84 USD with pi_1"),
    "prepared without a hold": (held_order, prepared_without_hold, {"hold_differs"}, "PROCESSING over 10.85 USD"),
    "shipped without money": (
        shipped_order,
        shipped_without_money,
        {"shipped_unpaid", "taken_differs", "money_differs", "return_unfounded"},
        "no money was taken for it",
    ),
    "release not noted": (
        shipped_order,
        release_unnoted,
        {"taken_differs", "money_differs", "return_unfounded"},
        "8.00 USD was taken and 0.00 USD let go",
    ),
    "failed and payable": (declined_order, cancelled_and_open, {"payable_yet"}, "could still be paid"),
    "failed refund that succeeded": (
        refunded_order,
        order_thinks_failed,
        {"order_refund_differs", "refunds_do_not_add_up", "return_unfounded"},
        "5.00 USD FAILED, and re_1 is 5.00 USD SUCCEEDED at Stripe",
    ),
    "refund that failed unheard": (
        refunded_order,
        order_thinks_succeeded,
        {"order_refund_differs", "money_differs"},
        "5.00 USD SUCCEEDED, and re_1 is 5.00 USD FAILED at Stripe",
    ),
    "refund that the order does not know": (
        refunded_order,
        order_unaware,
        {"refund_untold", "money_differs", "return_unfounded", "mail_unfounded"},
        "5.00 USD was given back (re_1), and the order does not know of it",
    ),
    "refunded twice": (
        refunded_order,
        refunded_twice,
        {"refunded_twice", "refund_untold", "money_differs"},
        "refund 1 of the order was made 2 times, over 10.00 USD together",
    ),
    "refunds that do not add up": (
        refunded_order,
        lambda world: world.change(OrderRefundRow, amount=501),
        {"refunds_do_not_add_up", "order_refund_differs", "return_differs"},
        "its refunds come to 5.01 USD",
    ),
    "refunded in name": (
        refunded_order,
        said_to_be_refunded,
        {"refunded_state"},
        "REFUNDED, and of 10.85 USD taken 5.00 USD was given back",
    ),
    "lines that do not add up": (
        paid_order,
        lambda world: world.change(OrderRow, lines=999),
        {"sums_differ"},
        "its lines come to 9.99 USD",
    ),
    "tax that does not add up": (
        paid_order,
        lambda world: world.change(OrderRow, line_taxes=84),
        {"sums_differ"},
        "and 0.84 USD tax",
    ),
    "refund without a return": (refunded_order, return_unasked, {"return_missing"}, "but no return is recorded"),
    "return that is gone": (
        refunded_order,
        lambda world: of_returns(world, status="Cancelled"),
        {"return_lost"},
        "AvaTax has none such",
    ),
    "return over another amount": (
        refunded_order,
        lambda world: of_returns(world, amount=-460),
        {"return_differs"},
        "records 4.99 USD with 0.39 USD tax, but refund 1 is 5.00 USD with 0.39 USD tax",
    ),
    "return with another tax": (
        refunded_order,
        lambda world: of_returns(world, amount=-460, tax=-40),
        {"return_differs"},
        "5.00 USD with 0.40 USD tax",
    ),
    "release without a return": (
        shipped_order,
        lambda world: of_returns(world, status="Cancelled"),
        {"release_differs"},
        "2.85 USD of the hold was let go, and AvaTax has 0 returns",
    ),
    "release with two returns": (shipped_order, return_of_nothing, {"release_differs"}, "has 2 returns for it"),
    "return of nothing": (paid_order, return_of_nothing, {"return_unfounded"}, "1.08 USD"),
    "return of an order that was not paid": (
        declined_order,
        return_of_an_unpaid_order,
        {"return_unfounded"},
        "for which nothing was given back",
    ),
}


@pytest.mark.parametrize("name", DONE)
async def test_a_difference_is_found_and_named_and_nothing_else(name: str, tmp_path: Path) -> None:
    order, make, kinds, words = DONE[name]
    world = AuditWorld(order(1))
    make(world)

    found = await differences_of(world, tmp_path)

    assert {finding.rule.kind for finding in found} == kinds
    assert words in "\n".join(finding.what for finding in found)
    assert all(finding.rule.advice for finding in found)


def test_every_rule_is_broken_by_one_of_these_tests() -> None:
    found = {kind for _, _, kinds, _ in DONE.values() for kind in kinds}
    assert found >= {rule.kind for rule in (*HOLDS, *REFUNDS, *RETURNS)}


def test_no_repair_of_these_moves_money() -> None:
    remedies = {remedy for rule in (*HOLDS, *REFUNDS, *RETURNS) for remedy in rule.remedies}
    assert remedies == {Remedy.CONFIRM_PAYMENT, Remedy.RETRY_ORDER}


async def test_where_prices_include_the_tax_the_sale_is_recorded_without_it(tmp_path: Path) -> None:
    world = AuditWorld(paid_order(1))
    world.change(OrderRow, included=True, subtotal=1085, lines=1085)

    assert await differences_of(world, tmp_path) == []


async def test_rates_that_changed_before_the_sale_was_recorded_are_told_and_no_difference(tmp_path: Path) -> None:
    world = AuditWorld(paid_order(1))
    world.change(OrderRow, difference=3)
    world.change(DocumentRow, tax=88)

    with book_in(tmp_path) as book:
        audit = await audit_of(world, book)

        assert [note.what for note in audit.findings(NOTES)] == [
            "charged before the rates changed; AvaTax recorded 0.03 USD more"
        ]


async def test_a_refund_that_is_still_to_be_made_leaves_its_order_moving(tmp_path: Path) -> None:
    world = AuditWorld(refunded_order(1))
    world.change(OrderRefundRow, state="PENDING", provider_refund_id="", document_code="")
    world.change(OrderRow, refunded=0)

    with book_in(tmp_path) as book:
        audit = await audit_of(world, book)

        assert audit.census().moving == 1


async def test_an_open_dispute_is_worth_knowing(tmp_path: Path) -> None:
    world = AuditWorld(paid_order(1))
    world.rows += [
        DisputeRow("dp_1", ORDER, PAYMENT, "NEEDS_RESPONSE", "USD", 1085),
        DisputeRow("dp_2", ORDER, PAYMENT, "WON", "USD", 1085),
    ]

    with book_in(tmp_path) as book:
        audit = await audit_of(world, book)

        (note,) = audit.findings(NOTES)
        assert (note.rule.kind, note.subject) == ("dispute_open", ORDER)
        assert "10.85 USD (dp_1, NEEDS_RESPONSE)" in note.what
