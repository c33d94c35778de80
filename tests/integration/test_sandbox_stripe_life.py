"""The sandbox's Stripe beyond one payment: holds, saved cards, disputes, as the real SDK sees them."""

from typing import Any

import pytest
import stripe

from tests.fakes.sandbox_world import CARD_ONLY, STRIPE_KEY, World


async def made(world: World, **more: Any) -> stripe.PaymentIntent:  # noqa: ANN401  (Stripe's parameters)
    params: Any = {"amount": 1000, "currency": "usd", "automatic_payment_methods": CARD_ONLY, **more}
    return await world.sdk.v1.payment_intents.create_async(params)


async def lever(world: World, intent_id: str, name: str, **body: str) -> tuple[int, dict[str, Any]]:
    path = f"/stripe/_sandbox/payment_intents/{intent_id}/{name}"
    answer = await world.http.post(path, json=body, headers=STRIPE_KEY)
    return answer.status_code, answer.json()


async def test_what_is_not_taken_of_a_hold_is_listed_as_refunded_and_moves_nothing(world: World) -> None:
    intent = await made(world, capture_method="manual", payment_method="pm_card_visa", confirm=True)

    taken = await world.sdk.v1.payment_intents.capture_async(
        intent.id, {"amount_to_capture": 700, "expand": ["latest_charge"]}
    )

    charge = taken.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (taken.amount_received, charge.amount_captured, charge.amount_refunded) == (700, 700, 300)
    (released,) = (await world.sdk.v1.refunds.list_async({"payment_intent": intent.id})).data
    assert (released.amount, released.balance_transaction) == (300, None)
    assert (await world.sdk.v1.refunds.create_async({"payment_intent": intent.id})).amount == 700
    with pytest.raises(stripe.InvalidRequestError, match="already been refunded"):
        await world.sdk.v1.refunds.create_async({"payment_intent": intent.id})


async def test_only_what_is_held_can_lapse_and_only_what_was_taken_can_be_disputed(world: World) -> None:
    intent = await made(world, capture_method="manual", payment_method="pm_card_visa", confirm=True)
    assert (await lever(world, intent.id, "dispute"))[0] == 400

    status, lapsed = await lever(world, intent.id, "lapse")

    assert (status, lapsed["status"], lapsed["cancellation_reason"]) == (200, "canceled", "automatic")
    assert (await lever(world, intent.id, "lapse"))[0] == 400


async def test_a_card_that_was_set_up_once_pays_without_its_holder_and_for_nobody_else(world: World) -> None:
    customers, intents = world.sdk.v1.customers, world.sdk.v1.payment_intents
    ada, bob = [(await customers.create_async({"name": name})).id for name in ("Ada", "Bob")]
    first = await made(world, customer=ada, setup_future_usage="off_session")
    waiting = await intents.confirm_async(first.id, {"payment_method": "pm_card_authenticationRequiredOnSetup"})
    assert waiting.status == "requires_action"
    await lever(world, first.id, "authenticate", outcome="succeed")
    saved = (await intents.retrieve_async(first.id)).payment_method
    assert isinstance(saved, str)

    again = await made(world, customer=ada, payment_method=saved, off_session=True, confirm=True)
    assert again.status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError, match="belongs to a Customer"):
        await made(world, customer=bob, payment_method=saved, confirm=True)


async def test_a_dispute_is_opened_by_the_card_and_lost_by_giving_in(world: World) -> None:
    intent = await made(world, payment_method="pm_card_createDisputeInquiry", confirm=True)
    disputes = world.sdk.v1.disputes

    (dispute,) = (await disputes.list_async({"payment_intent": intent.id})).data
    assert (dispute.status, dispute.amount) == ("warning_needs_response", 1000)
    assert (await lever(world, intent.id, "dispute", status="nonsense"))[0] == 400
    assert (await lever(world, intent.id, "dispute", status="needs_response"))[1]["id"] == dispute.id
    assert (await disputes.close_async(dispute.id)).status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        await disputes.close_async(dispute.id)
    events = (await world.sdk.v1.events.list_async({"limit": 100})).data
    assert [event.type for event in reversed(events) if event.type.startswith("charge.dispute")] == [
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
    ]
