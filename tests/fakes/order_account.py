"""The promises of an order that lives on after its payment: its account is the provider's, and nothing is left over."""

from kernel.money import Money
from order_svc.app.ports import Story
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.refund import RefundKind
from order_svc.domain.shares import total_tax
from order_svc.domain.task import TaskKind
from tests.fakes.order_world import Life, World

_REMINDERS = {TaskKind.SEND_ACTION_REQUIRED, TaskKind.SEND_PAYMENT_FAILED}


async def check_account(world: World, life: Life) -> Order:
    """Check the one order that there is, once the world is quiet, and return it."""
    (order_id,) = world.database.orders
    story = await life.read.explain(order_id)
    order = story.order
    assert order.stage in {Stage.SETTLED, Stage.HOLDING}
    assert (story.wake_at is not None) is (order.stage is Stage.HOLDING)
    _check_money(world, order)
    _check_tasks(story)
    _check_documents(world, order)
    _check_mails(world, story)
    told = [event for event in story.events if event.cause != "outbox"]
    assert [event.version for event in told] == list(range(1, order.version + 1))
    assert told[-1].state is order.state
    return order


def _check_money(world: World, order: Order) -> None:
    payment, nothing = world.payments.payments.get(order.order_id), Money.zero(order.draft.currency_code)
    taken = [amount for order_id, amount in world.payments.captures if order_id == order.order_id]
    assert len(taken) <= 1
    assert order.captured == (taken[0] if taken else nothing)
    assert payment is None or (order.captured, order.refunded) == (payment.captured, payment.refunded)
    counted = [each for each in order.refunds if each.counts and each.kind is not RefundKind.RELEASED]
    if order.state not in {State.FAILED, State.CANCELLED}:
        assert Money.total((each.amount for each in counted), order.draft.currency_code) == order.refunded
    else:
        assert order.captured == order.refunded
    assert order.refunded.minor_units <= order.captured.minor_units


def _check_tasks(story: Story) -> None:
    undone = {task.name for task in story.tasks if not task.done and task.kind not in _REMINDERS}
    assert undone == set()


def _check_documents(world: World, order: Order) -> None:
    """Check that what was recorded is what was sold, less what was given back or let go."""
    if not order.captured.minor_units or order.state is State.FAILED:
        assert world.taxes.documents == {}
        return
    assert order.tax is not None
    gone = [each for each in order.refunds if each.booked]
    expected = {order.order_id: order.tax.amount}
    nothing = Money.zero(order.draft.currency_code)
    for each in gone:
        expected[f"{order.order_id}-r{each.number}"] = nothing - total_tax(each.shares, nothing.currency_code)
    assert world.taxes.documents == expected
    assert order.refund_documents == {each.number: f"{order.order_id}-r{each.number}" for each in gone}


def _check_mails(world: World, story: Story) -> None:
    """Check that every shipment, every refund and every end has its one mail."""
    order = story.order
    mails = {task.name for task in story.tasks if task.kind not in {TaskKind.COMMIT_TAX, TaskKind.REFUND_TAX}}
    shipped = {f"send_shipped:{each.number}" for each in order.shipments if each.shipped_at}
    back = {each for each in order.refunds if each.booked and each.kind is not RefundKind.RELEASED}
    expected = shipped | {f"send_refunded:{each.number}" for each in back}
    kinds = {event.kind for event in story.events}
    expected |= {"send_cancelled"} if "order.cancelled" in kinds else set()
    expected |= {"send_delivered"} if "order.delivered" in kinds else set()
    expected |= {"send_confirmation"} if kinds & {"payment.charged", "payment.authorized"} else set()
    assert {name for name in mails if not name.startswith(("send_action_required", "send_payment_failed"))} == expected
    assert len(world.mails.notifications) == len({*world.mails.asked})
