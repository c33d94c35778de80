"""Money given back twice, not at all, or only in name: failures that other systems are known for, kept away."""

import asyncio

import pytest
from ordermesh.payment.v1 import payment_pb2

from tests.fakes.mesh_shop import MeshShop
from tests.fakes.whole_mesh import Json, until

# The tests that share the mesh of conftest.py stay together, so that one process of theirs starts it.
pytestmark = pytest.mark.long

PENDING = payment_pb2.REFUND_STATE_PENDING
SUCCEEDED = payment_pb2.REFUND_STATE_SUCCEEDED


async def paid(shop: MeshShop, key: str, payment_method: str = "pm_card_visa") -> Json:
    """Return the payment of an order that was paid."""
    order = (await shop.place(key, payment_method=payment_method)).json()
    assert order["state"] == "PAID"
    return await shop.payment(order["order_id"])


async def given_back(shop: MeshShop, payment: Json) -> list[int]:
    """Return the amounts of the refunds that Stripe has made, in minor units."""
    books = await shop.ledger(payment["order_id"])
    return [refund["amount"] for refund in books["refunds"] if refund["status"] == "succeeded"]


async def test_a_refund_whose_answer_is_lost_and_that_is_tried_again_is_made_once(shop: MeshShop) -> None:
    """Nobody knows whether the refund was made, so it is made again: twice the money.

    https://github.com/saleor/apps/issues/2446
    """
    payment = await paid(shop, "peers-lost-refund")
    await shop.fail("stripe", "lost_answer", operation="refunds.create")
    await shop.fail("stripe", "outage", operation="refunds.list")

    first = (await shop.refund(payment, 500, "lost-1")).refund
    again = (await shop.refund(payment, 500, "lost-1")).refund

    assert (first.state, again.state) == (PENDING, PENDING)
    assert first.refund_id == again.refund_id
    await shop.heal()

    async def settled() -> bool:
        return (await shop.refund(payment, 500, "lost-1")).refund.state == SUCCEEDED

    await until(settled)
    assert await given_back(shop, payment) == [500]
    assert (await shop.payment(payment["order_id"]))["refunded"]["minor_units"] == 500


async def test_a_refund_is_made_once_though_the_process_dies_before_the_answer(shop: MeshShop) -> None:
    """The refund's id is lost when the call does not come back, and with it what became of the money.

    https://github.com/juspay/hyperswitch/issues/3751
    """
    payment = await paid(shop, "peers-killed-refund")
    await shop.fail("stripe", "latency", operation="refunds.create", latency_ms=1_000, times=1)
    calling = asyncio.create_task(shop.refund(payment, 500, "killed-1"))

    async def asked() -> list[Json]:
        found: list[Json] = (await shop.payment(payment["order_id"]))["refunds"]
        return found

    await until(asked)
    shop.mesh.parts["payment"].kill()
    await asyncio.gather(calling, return_exceptions=True)
    await until(lambda: given_back(shop, payment))
    await asyncio.to_thread(shop.mesh.start, "payment")

    async def settled() -> list[Json]:
        return [refund for refund in await asked() if refund["state"] == "SUCCEEDED"]

    await until(settled)
    again = await shop.refund(payment, 500, "killed-1")
    assert again.refund.state == SUCCEEDED
    assert await given_back(shop, payment) == [500]


async def test_two_equal_partial_refunds_are_both_made_and_a_repeated_one_is_not(shop: MeshShop) -> None:
    """A refund is known by payment and amount: the second of two equal ones is swallowed, or a retry makes a third.

    https://github.com/saleor/apps/issues/2446, https://github.com/medusajs/medusa/issues/15306
    """
    payment = await paid(shop, "peers-equal-refunds")

    answers = await asyncio.gather(
        *(shop.refund(payment, 700, request_id) for request_id in ("equal-1", "equal-2", "equal-1"))
    )
    replay = await shop.refund(payment, 700, "equal-2")

    assert {answer.refund.state for answer in (*answers, replay)} == {SUCCEEDED}
    assert answers[0].refund == answers[2].refund != answers[1].refund == replay.refund
    assert await given_back(shop, payment) == [700, 700]
    assert replay.payment.refunded.minor_units == 1_400


async def test_a_refund_that_comes_back_later_is_seen_on_the_payment(shop: MeshShop) -> None:
    """The refund is reported as done, and when the bank sends it back nobody learns that the money is still ours.

    https://github.com/medusajs/medusa/issues/15306
    """
    payment = await paid(shop, "peers-failing-refund", "pm_card_refundFail")
    made = (await shop.refund(payment, 900, "failing-1")).refund
    assert made.state == SUCCEEDED

    after = await until(lambda: failed_refund(shop, payment["order_id"]))

    assert after["refunds"][0]["refund_id"] == made.refund_id
    assert after["refunded"]["minor_units"] == 0
    assert after["captured"] == payment["amount"]


async def test_an_order_whose_refund_comes_back_later_needs_a_person(shop: MeshShop) -> None:
    """The refund waits for an event that nobody listens to, and the customer for the money, for ever.

    https://github.com/solidusio/solidus_stripe/issues/189
    """
    # The order expires, the money comes too late and is given back, and then the bank does not take it.
    await shop.fail("stripe", "outage", operation="payment_intents.cancel")
    card = "pm_card_threeDSecureRequiredRefundFail"
    order = (await shop.place("peers-order-failing-refund", payment_method=card)).json()
    order_id = order["order_id"]
    await shop.until_state(order_id, "PENDING")
    assert (await shop.authenticate(order["payment"]["provider_payment_id"])).is_success
    await shop.heal()

    await until(lambda: failed_refund(shop, order_id))

    parked = await shop.until_parked(order_id)
    assert (parked["state"], parked["refunded"]["minor_units"]) == ("FAILED", 0)
    assert await shop.differences(order_id) == ["money_differs"]
    assert "refund.failed" in {event["kind"] for event in (await shop.story(order_id))["events"]}


async def failed_refund(shop: MeshShop, order_id: str) -> Json | None:
    """Return the payment of an order as soon as its refund has failed."""
    payment = await shop.payment(order_id)
    return payment if [refund["state"] for refund in payment["refunds"]] == ["FAILED"] else None
