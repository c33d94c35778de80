"""Stripe's lists, its search and its events, as the real SDK sees them."""

from pathlib import Path

import pytest
import stripe

from tests.fakes.manual_clock import ManualClock
from tests.fakes.sandbox_world import STRIPE_KEY, World, sandbox_world


async def test_lists_are_newest_first_a_page_at_a_time(world: World) -> None:
    ids = [(await world.pay(amount)).id for amount in (100, 200, 300)]
    intents = world.sdk.v1.payment_intents

    first = await intents.list_async({"limit": 2})
    assert ([intent.id for intent in first.data], first.has_more) == ([ids[2], ids[1]], True)
    rest = await intents.list_async({"limit": 2, "starting_after": ids[1]})
    assert ([intent.id for intent in rest.data], rest.has_more) == ([ids[0]], False)
    before = await intents.list_async({"limit": 1, "ending_before": ids[0]})
    assert ([intent.id for intent in before.data], before.has_more) == ([ids[1]], True)
    created = first.data[0].created
    assert len((await intents.list_async({"created": {"gte": created - 60}})).data) == 3
    assert (await intents.list_async({"created": {"gt": created + 60}})).data == []
    for form in ({"limit": "0"}, {"limit": "101"}, {"starting_after": "pi_nope"}):
        answer = await world.http.get("/stripe/v1/payment_intents", params=form, headers=STRIPE_KEY)
        assert answer.status_code == 400


async def test_search_finds_by_metadata_once_it_has_caught_up(tmp_path: Path) -> None:
    clock = ManualClock()
    async with sandbox_world(tmp_path, clock=clock) as world:
        paid = await world.pay(metadata={"order_id": "o1", "shop": "north"})
        await world.pay(2000, metadata={"order_id": "o2", "shop": "south"})

        async def search(query: str) -> list[str]:
            found = await world.sdk.v1.payment_intents.search_async({"query": query})
            return [intent.id for intent in found.data]

        assert await search("metadata['order_id']:'o1'") == []
        clock.advance(60)
        assert await search("metadata['order_id']:'o1'") == [paid.id]
        assert await search('metadata["shop"]:"north" AND status:"succeeded" AND amount<1500') == [paid.id]
        assert len(await search("metadata['shop']:'north' OR amount>1500")) == 2
        assert await search("-metadata['shop']:'south'") == [paid.id]
        with pytest.raises(stripe.InvalidRequestError):
            await search("metadata['order_id']=o1")


async def test_events_tell_what_happened_in_order(world: World) -> None:
    intent = await world.pay(metadata={"order_id": "o1"})
    await world.sdk.v1.refunds.create_async({"payment_intent": intent.id})

    events = (await world.sdk.v1.events.list_async()).data

    assert [event.type for event in reversed(events)] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "refund.created",
        "charge.refunded",
    ]
    paid = (await world.sdk.v1.events.list_async({"type": "payment_intent.succeeded"})).data[0]
    assert paid.data.object["id"] == intent.id
    assert paid.data.object["metadata"]["order_id"] == "o1"
    assert (await world.sdk.v1.events.retrieve_async(paid.id)).type == paid.type
