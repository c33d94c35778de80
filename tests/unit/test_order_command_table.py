"""Every command meets every state: what becomes of the order, or how it is refused."""

from dataclasses import replace

import pytest
from ordermesh.order.v1 import order_service_pb2

from kernel.errors import Reason, Refusal
from order_svc.domain.commands import (
    ALLOWED,
    Command,
    allowed,
    annotate,
    cancel,
    check_version,
    confirm,
    process,
)
from order_svc.domain.giving_back import Wanted, refund
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.payment import PaymentState
from order_svc.domain.saga import next_step
from order_svc.domain.shipping import Handover, deliver, ship
from order_svc.domain.transition import Transition
from tests.fakes.order_samples import NOW
from tests.fakes.order_situations import SITUATIONS

# Answered as it is; not possible in the state; not just now; wrong in a field.
SAME, NO, SOON, WRONG = "same", "NO", "soon", "wrong"

# RetryOrder never refuses: tests/unit/test_order_retry.py. MarkOrderReviewed is about a mark that orders have in any
# state: tests/unit/test_order_review.py. PlaceOrder has no order before it.
COLUMNS = (
    Command.CONFIRM,
    Command.CANCEL,
    Command.REFUND,
    Command.PROCESS,
    Command.SHIP,
    Command.DELIVER,
    Command.ANNOTATE,
)

# What each command, in the order above, makes of the order: its state and stage afterwards, or one of the four words.
TABLE: dict[str, tuple[str, ...]] = {
    "PENDING, quoting": (SAME, "CANCELLED SETTLED", NO, NO, NO, NO, "PENDING QUOTING"),
    "PENDING, charging": (SAME, "PENDING UNDOING", NO, NO, NO, NO, "PENDING CHARGING"),
    "PENDING, failing": (SAME, SAME, NO, NO, NO, NO, "PENDING UNDOING"),
    "PENDING, being cancelled": (SAME, SAME, NO, NO, NO, NO, "PENDING UNDOING"),
    "PAYMENT_ACTION_REQUIRED, 3-D Secure": (
        "PAYMENT_ACTION_REQUIRED AWAITING_CUSTOMER",
        "PAYMENT_ACTION_REQUIRED UNDOING",
        NO,
        NO,
        NO,
        NO,
        "PAYMENT_ACTION_REQUIRED AWAITING_CUSTOMER",
    ),
    "PAYMENT_ACTION_REQUIRED, declined": (
        WRONG,
        "PAYMENT_ACTION_REQUIRED UNDOING",
        NO,
        NO,
        NO,
        NO,
        "PAYMENT_ACTION_REQUIRED AWAITING_CUSTOMER",
    ),
    "PAYMENT_ACTION_REQUIRED, being cancelled": (SOON, SAME, NO, NO, NO, NO, "PAYMENT_ACTION_REQUIRED UNDOING"),
    "AUTHORIZED": (
        SAME,
        "AUTHORIZED UNDOING",
        NO,
        "PROCESSING HOLDING",
        "AUTHORIZED CAPTURING",
        NO,
        "AUTHORIZED HOLDING",
    ),
    "AUTHORIZED, capturing": (SAME, SOON, NO, SOON, SOON, NO, "AUTHORIZED CAPTURING"),
    "AUTHORIZED, being cancelled": (SAME, SAME, NO, SOON, SOON, NO, "AUTHORIZED UNDOING"),
    "PAID": (SAME, NO, "PAID REFUNDING", "PROCESSING SETTLED", "SHIPPED SETTLED", NO, "PAID SETTLED"),
    "PAID, refunding": (SAME, NO, "PAID REFUNDING", "PROCESSING REFUNDING", "SHIPPED REFUNDING", NO, "PAID REFUNDING"),
    "PAID, catching up": (SAME, NO, SOON, SOON, SOON, NO, "PAID CATCHING_UP"),
    "PROCESSING": (SAME, NO, "PROCESSING REFUNDING", SAME, "SHIPPED SETTLED", NO, "PROCESSING SETTLED"),
    "PROCESSING, held": (
        SAME,
        "PROCESSING UNDOING",
        NO,
        SAME,
        "PROCESSING CAPTURING",
        NO,
        "PROCESSING HOLDING",
    ),
    "PROCESSING, shipped in part": (
        SAME,
        NO,
        "PROCESSING REFUNDING",
        SAME,
        "SHIPPED SETTLED",
        "PROCESSING SETTLED",
        "PROCESSING SETTLED",
    ),
    "PROCESSING, capturing": (SAME, SOON, NO, SAME, SOON, NO, "PROCESSING CAPTURING"),
    "PROCESSING, being cancelled": (SAME, SAME, NO, SAME, SOON, NO, "PROCESSING UNDOING"),
    "SHIPPED": (SAME, NO, "SHIPPED REFUNDING", NO, NO, "DELIVERED SETTLED", "SHIPPED SETTLED"),
    "SHIPPED, refunding": (SAME, NO, "SHIPPED REFUNDING", NO, NO, "DELIVERED REFUNDING", "SHIPPED REFUNDING"),
    "DELIVERED": (SAME, NO, "DELIVERED REFUNDING", NO, NO, SAME, "DELIVERED SETTLED"),
    "FAILED": (NO, NO, NO, NO, NO, NO, "FAILED SETTLED"),
    "FAILED, giving money back": (NO, NO, NO, NO, NO, NO, "FAILED UNDOING"),
    "CANCELLED": (NO, SAME, NO, NO, NO, NO, "CANCELLED SETTLED"),
    "REFUNDED": (NO, NO, NO, NO, NO, NO, "REFUNDED SETTLED"),
}

CELLS = [
    pytest.param(SITUATIONS[name], command, cell, id=f"{command} of {name}")
    for name, row in TABLE.items()
    for command, cell in zip(COLUMNS, row, strict=True)
]


def obey(command: Command, order: Order) -> Transition | None:
    """Do what the use case of the command does, with a request that leaves everything open."""
    match command:
        case Command.CONFIRM:
            return confirm(order, "", NOW)
        case Command.CANCEL:
            return cancel(order, "", NOW)
        case Command.REFUND:
            return refund(order, Wanted(), NOW)
        case Command.PROCESS:
            return process(order, NOW)
        case Command.SHIP:
            return ship(order, Handover(), NOW)
        case Command.DELIVER:
            return deliver(order, 0, NOW)
        case Command.ANNOTATE:
            return annotate(order, "new", NOW)
        case _:
            raise AssertionError(f"{command} is no column")


def test_the_table_has_no_gaps() -> None:
    assert TABLE.keys() == SITUATIONS.keys()
    assert {order.state for order in SITUATIONS.values()} == set(State)
    assert {order.stage for order in SITUATIONS.values()} == set(Stage)
    assert {*COLUMNS, Command.RETRY, Command.REVIEW, Command.PLACE} == set(Command)
    assert set(ALLOWED) == {*COLUMNS, Command.RETRY, Command.REVIEW}


def test_every_command_is_an_rpc_of_the_contract_and_the_other_way_round() -> None:
    rpcs = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"].methods
    commands = {rpc.name for rpc in rpcs if "request_id" in rpc.input_type.fields_by_name}

    assert {command.value for command in Command} == commands


@pytest.mark.parametrize(("order", "command", "cell"), CELLS)
def test_a_command_makes_of_the_order_what_the_table_says(order: Order, command: Command, cell: str) -> None:
    if cell in {NO, SOON, WRONG}:
        with pytest.raises(Refusal) as refused:
            obey(command, order)
        _check_refusal(refused.value, order, command, cell)
        return
    transition = obey(command, order)
    if cell == SAME:
        assert transition is None
        return
    assert transition is not None
    after = transition.order
    assert f"{after.state} {after.stage}" == cell
    assert (after.version, after.fence, after.updated_at) == (order.version + 1, order.fence + 1, NOW)
    assert transition.kind


def _check_refusal(refusal: Refusal, order: Order, command: Command, cell: str) -> None:
    if cell == SOON:
        assert (refusal.reason, refusal.retry_after) == (Reason.UNAVAILABLE, 1.0)
    elif cell == WRONG:
        assert (refusal.reason, len(refusal.fields)) == (Reason.VALIDATION_FAILED, 1)
    else:
        possible = ", ".join(each.value for each in allowed(order))
        assert refusal.reason is Reason.ILLEGAL_STATE
        assert refusal.metadata == {"orderId": order.order_id, "state": order.state.value, "allowed": possible}
        assert command.value in refusal.message
        assert order.state.value in refusal.message
        assert possible in refusal.message
        assert command not in allowed(order)


@pytest.mark.parametrize(("order", "command", "cell"), CELLS)
def test_what_an_order_says_is_allowed_is_what_changes_it(order: Order, command: Command, cell: str) -> None:
    said = command in allowed(order)

    assert said or cell in {SAME, NO}
    assert not said or cell != NO


@pytest.mark.parametrize(("order", "command", "cell"), CELLS)
def test_a_command_leaves_the_saga_a_next_step_or_an_end(order: Order, command: Command, cell: str) -> None:
    if cell in {NO, SOON, WRONG, SAME}:
        return
    transition = obey(command, order)

    assert transition is not None
    under_way = next_step(transition.order) is not None
    waits = transition.wake_at is not None
    at_rest = transition.order.stage in {Stage.SETTLED, Stage.HOLDING, Stage.AWAITING_CUSTOMER}
    assert under_way or not waits
    assert at_rest or under_way


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[1] == NO])
def test_who_cancels_what_was_paid_is_told_to_refund_it(name: str) -> None:
    order = SITUATIONS[name]
    with pytest.raises(Refusal) as refused:
        cancel(order, "", NOW)

    assert ("RefundOrder" in refused.value.message.split("Possible now")[0]) is bool(order.captured.minor_units)


def test_another_payment_method_is_taken_after_a_decline_and_only_then() -> None:
    declined, waiting = (
        SITUATIONS["PAYMENT_ACTION_REQUIRED, declined"],
        SITUATIONS["PAYMENT_ACTION_REQUIRED, 3-D Secure"],
    )

    again = confirm(declined, "pm_other", NOW)
    with pytest.raises(Refusal) as refused:
        confirm(waiting, "pm_other", NOW)

    assert again is not None
    assert (again.order.stage, again.order.payment_method, again.order.attempt) == (Stage.CHARGING, "pm_other", 2)
    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert refused.value.metadata["state"] == "PAYMENT_ACTION_REQUIRED"


@pytest.mark.parametrize("order", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_a_command_that_was_decided_on_another_version_is_refused(order: Order) -> None:
    check_version(order, "")
    check_version(order, order.etag)
    with pytest.raises(Refusal) as refused:
        check_version(replace(order, version=order.version + 1), order.etag)

    assert refused.value.reason is Reason.VERSION_MISMATCH
    assert refused.value.metadata == {"orderId": order.order_id, "etag": str(order.version + 1)}


def test_no_order_takes_refunds_without_end() -> None:
    order = SITUATIONS["PAID, refunding"]
    many = replace(order, refunds=order.refunds * 100)
    with pytest.raises(Refusal) as refused:
        refund(many, Wanted(), NOW)

    assert refused.value.reason is Reason.ILLEGAL_STATE


def test_a_note_that_is_there_already_is_no_change() -> None:
    order = replace(SITUATIONS["PAID"], note="new")

    assert annotate(order, "new", NOW) is None


@pytest.mark.parametrize("state", [state for state in PaymentState if state is not PaymentState.DECLINED])
def test_only_a_decline_asks_for_another_payment_method(state: PaymentState) -> None:
    waiting = SITUATIONS["PAYMENT_ACTION_REQUIRED, 3-D Secure"]
    assert waiting.payment is not None

    transition = confirm(replace(waiting, payment=replace(waiting.payment, state=state)), "", NOW)

    assert transition is not None
    assert transition.order.stage is Stage.AWAITING_CUSTOMER
