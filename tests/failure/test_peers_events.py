"""Webhooks early, three at a time, and long after: failures that other shops are known for, kept away."""

import asyncio

import pytest

from tests.fakes.mesh_shop import THREE_D_SECURE, MeshShop
from tests.fakes.whole_mesh import Json, until

# The tests that share the mesh of conftest.py stay together, so that one process of theirs starts it.
pytestmark = pytest.mark.long

SUCCEEDED = "payment_intent.succeeded"


async def left(shop: MeshShop, order_id: str) -> tuple[Json, Json, Json]:
    """Return everything that an event could change: the story, the payment, and the providers' books."""
    return await shop.story(order_id), await shop.payment(order_id), await shop.ledger(order_id)


async def test_the_news_of_a_payment_three_times_at_once_and_again_after_everything_changes_nothing_twice(
    shop: MeshShop,
) -> None:
    """The event is applied three times, and once the order has gone on it is answered with 500s for ever.

    https://github.com/Pinelab-studio/pinelab-vendure-plugins/issues/620, https://github.com/vendurehq/vendure/pull/2657
    """
    order = (await shop.place("peers-three-events", payment_method=THREE_D_SECURE)).json()
    order_id, intent_id = order["order_id"], order["payment"]["provider_payment_id"]
    assert (await shop.authenticate(intent_id)).is_success

    taken = await asyncio.gather(*(shop.deliver(SUCCEEDED, intent_id, "evt_peers_thrice") for _ in range(3)))

    assert sorted(each["duplicate"] for each in taken) == [False, True, True]
    books = await shop.until_done(order_id)
    assert [len(books[kind]) for kind in ("charges", "documents", "mails", "refunds")] == [1, 1, 1, 0]
    before = await left(shop, order_id)
    kinds = [event["kind"] for event in before[0]["events"]]
    assert kinds.count("payment.charged") == 1

    again = [await shop.deliver(SUCCEEDED, intent_id, "evt_peers_thrice")]
    again += await asyncio.gather(*(shop.deliver(SUCCEEDED, intent_id, f"evt_peers_late_{n}") for n in range(3)))

    assert [each["duplicate"] for each in again] == [True, False, False, False]
    # A whole order later nothing has come of them.
    other = (await shop.place("peers-after-events")).json()
    await shop.until_done(other["order_id"])
    assert await left(shop, order_id) == before


async def test_an_event_that_comes_before_its_payment_is_kept_and_the_order_is_paid_once(shop: MeshShop) -> None:
    """The webhook is faster than the order, gets its 200, is never sent again, and the order stays unpaid.

    https://github.com/duncanmcclean/statamic-cargo/issues/190
    """
    # Stripe makes the intent, we do not hear of it, and then it is away (though not for this test): our ledger has no
    # payment.
    await shop.fail("stripe", "lost_answer", operation="payment_intents.create", times=1)
    await shop.fail("stripe", "outage")
    await shop.fail("stripe", "latency", operation="payment_intents.list", latency_ms=0)
    calling = asyncio.create_task(shop.place("peers-early"))
    order_id = (await shop.charging())["order_id"]
    (intent_id,) = await until(lambda: shop.intents(order_id))

    early = [await shop.deliver(SUCCEEDED, intent_id, "evt_peers_early") for _ in range(2)]

    assert [each["duplicate"] for each in early] == [False, True]
    assert (await shop.order(order_id))["state"] == "PENDING"
    shop.mesh.parts["payment"].kill()  # between the intent's creation and its being stored
    await shop.heal()
    await asyncio.to_thread(shop.mesh.start, "payment")
    await shop.until_state(order_id, "PAID")
    assert (await calling).json()["order_id"] == order_id
    books = await shop.until_done(order_id)
    assert [len(books[kind]) for kind in ("charges", "documents", "mails", "refunds")] == [1, 1, 1, 0]
    assert await shop.intents(order_id) == [intent_id]


async def test_what_a_customer_did_while_nobody_took_events_is_found_out(shop: MeshShop) -> None:
    """The payment went through while the shop was down, its webhook was lost, and the order is never paid.

    https://github.com/woocommerce/woocommerce-gateway-stripe/issues/2536
    """
    order = (await shop.place("peers-deaf", payment_method=THREE_D_SECURE)).json()
    shop.mesh.parts["gateway"].kill()
    assert (await shop.authenticate(order["payment"]["provider_payment_id"])).is_success
    await asyncio.to_thread(shop.mesh.start, "gateway")

    await shop.until_state(order["order_id"], "PAID")

    books = await shop.until_done(order["order_id"])
    assert [len(books[kind]) for kind in ("charges", "documents", "mails", "refunds")] == [1, 1, 1, 0]
