"""A person has looked at an order: the mark goes, and who looked stays in the journal."""

from dataclasses import replace

import pytest

from kernel.errors import Reason, Refusal
from order_svc.domain.commands import Command, allowed, mark_reviewed
from order_svc.domain.order import Order, Stage
from tests.fakes.order_samples import NOW, a_request
from tests.fakes.order_situations import SITUATIONS
from tests.fakes.order_world import World, in_a_world

MARKED = {name: replace(order, needs_review=True, tries=3) for name, order in SITUATIONS.items()}
AT_REST = {name: order for name, order in MARKED.items() if order.stage in {Stage.SETTLED, Stage.HOLDING}}
STOPPED = {name: order for name, order in MARKED.items() if name not in AT_REST}


@pytest.mark.parametrize("order", AT_REST.values(), ids=AT_REST.keys())
def test_an_order_at_rest_needs_no_review_afterwards(order: Order) -> None:
    reviewed = mark_reviewed(order, "The mail went by hand.", NOW)

    assert reviewed is not None
    assert (reviewed.kind, reviewed.facts) == ("order.reviewed", {"finding": "The mail went by hand."})
    assert reviewed.order == replace(
        order, needs_review=False, tries=0, version=order.version + 1, fence=order.fence + 1, updated_at=NOW
    )
    assert Command.REVIEW in allowed(order)
    assert mark_reviewed(reviewed.order, "", NOW) is None


@pytest.mark.parametrize("order", STOPPED.values(), ids=STOPPED.keys())
def test_an_order_that_stopped_in_its_work_is_not_left_lying(order: Order) -> None:
    with pytest.raises(Refusal) as refused:
        mark_reviewed(order, "", NOW)

    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert "RetryOrder" in refused.value.message
    assert Command.REVIEW not in allowed(order)


@in_a_world
async def test_the_journal_says_who_gave_a_command(world: World) -> None:
    life = world.life()
    world.mails.faults.plan("send", Refusal(Reason.VALIDATION_FAILED, "no such recipient"))
    placed = await life.place()
    await life.work.idle()
    request = replace(a_request("looked"), caller="key:support")

    reviewed = await life.cases.mark_reviewed(placed.order_id, "written to by hand", "", request)
    repeated = await life.cases.mark_reviewed(placed.order_id, "written to by hand", "", request)
    story = await life.cases.read.explain(placed.order_id)

    assert not reviewed.needs_review
    assert repeated == reviewed
    told = next(event for event in story.events if event.kind == "order.reviewed")
    assert told.facts == {"finding": "written to by hand", "by": "key:support"}
