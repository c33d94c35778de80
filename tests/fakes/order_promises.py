"""The promises that hold for every order once the world is quiet, however it came there."""

from kernel.money import Money
from order_svc.app.ports import OrderFilter, Story
from order_svc.domain.order import Order, State
from order_svc.domain.task import Task, TaskKind
from tests.fakes.order_world import Life, World

# Mails that are to wait before they are sent, because the customer may act until then.
_REMINDERS = {TaskKind.SEND_ACTION_REQUIRED}


async def check_promises(world: World, life: Life, customer_id: str = "") -> list[Order]:
    """Check every order and return them; there is one, as these stories go.

    Args:
        world: Where they were placed.
        life: A process that can read them.
        customer_id: Whose orders; everybody's where empty.
    """
    stored = [order for state in State for order in await life.orders.page(OrderFilter(customer_id, state), "", 100)]
    assert len(stored) == 1
    for order in stored:
        story = await life.read.explain(order.order_id)
        _check_end(order)
        _check_money(world, order)
        _check_followers(world, story)
        _check_journal(story)
    return stored


def _check_end(order: Order) -> None:
    assert order.state in {State.PAID, State.FAILED}
    assert not order.needs_review
    assert (order.failure is None) is (order.state is State.PAID)


def _check_money(world: World, order: Order) -> None:
    moves = [amount for order_id, amount in world.payments.captures if order_id == order.order_id]
    assert len(moves) <= 1
    if order.state is State.PAID:
        assert moves == [order.total]
        assert world.payments.kept(order.order_id) == order.total
    elif order.order_id in world.payments.payments:
        assert world.payments.kept(order.order_id) == Money.zero(order.draft.currency_code)


def _check_followers(world: World, story: Story) -> None:
    order = story.order
    paid = order.state is State.PAID
    commit = f"{order.order_id}:commit"
    assert {each for each in world.taxes.commits if order.order_id in each} == ({commit} if paid else set())
    assert {task.name for task in story.tasks} == _tasks_that_follow(story)
    # A reminder is let go by when its time comes; until then it waits.
    assert all(task.done or task.kind in _REMINDERS for task in story.tasks)
    mails = {_key(task) for task in story.tasks if task.kind is not TaskKind.COMMIT_TAX and _was_sent(task)}
    assert {each for each in world.mails.asked if order.order_id in each} == mails
    assert order.tax_document == (order.order_id if paid else "")


def _tasks_that_follow(story: Story) -> set[str]:
    """Return what follows from the journal: the customer is written to whenever nobody read the answer."""
    kinds = [event.kind for event in story.events if event.cause != "outbox"]
    follow = {"send_action_required:1"} if "payment.action_required" in kinds else set()
    if story.order.state is State.PAID:
        return follow | {"commit_tax", "send_confirmation"}
    failed = next(place for place, event in enumerate(story.events) if event.state is State.FAILED)
    before = {event.kind for event in story.events[:failed]}
    waited = any(kind.partition(".")[0] in {"payment", "read_payment"} or kind == "charge.refused" for kind in before)
    return follow | ({"send_payment_failed"} if waited else set())


def _was_sent(task: Task) -> bool:
    return task.done and task.result != "not needed"


def _key(task: Task) -> str:
    """Return the request id under which notify_svc knows the mail of a task."""
    name = "confirmation" if task.kind is TaskKind.SEND_CONFIRMATION else task.name
    return f"{task.order_id}:{name}"


def _check_journal(story: Story) -> None:
    own = [event for event in story.events if event.cause != "outbox"]
    assert [event.version for event in own] == list(range(1, story.order.version + 1))
    assert own[-1].state is story.order.state
    assert story.wake_at is None
