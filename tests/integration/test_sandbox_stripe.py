"""Stripe as the real SDK sees it: payments, refunds and cards."""

from pathlib import Path

import pytest
import stripe

from tests.fakes.manual_clock import ManualClock
from tests.fakes.sandbox_world import CARD_ONLY, World, sandbox_world


async def test_a_card_is_charged_in_two_steps(world: World) -> None:
    intents = world.sdk.v1.payment_intents
    intent = await intents.create_async(
        {"amount": 1000, "currency": "USD", "automatic_payment_methods": CARD_ONLY, "metadata": {"order_id": "o1"}}
    )
    assert (intent.status, intent.currency, intent.payment_method) == ("requires_payment_method", "usd", None)

    paid = await intents.confirm_async(intent.id, {"payment_method": "pm_card_visa", "expand": ["latest_charge"]})

    assert (paid.status, paid.amount_received, paid.last_payment_error) == ("succeeded", 1000, None)
    charge = paid.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (charge.paid, charge.captured, charge.amount_captured, charge.status) == (True, True, 1000, "succeeded")
    assert charge.metadata.to_dict() == {"order_id": "o1"}
    assert (await intents.retrieve_async(intent.id)).latest_charge == charge.id
    assert (await world.sdk.v1.charges.retrieve_async(charge.id)).payment_intent == intent.id


async def test_an_intent_with_a_payment_method_waits_for_confirmation(world: World) -> None:
    intents = world.sdk.v1.payment_intents
    intent = await intents.create_async(
        {"amount": 1000, "currency": "usd", "automatic_payment_methods": CARD_ONLY, "payment_method": "pm_card_amex"}
    )

    assert intent.status == "requires_confirmation"
    assert intent.payment_method is not None
    assert (await intents.confirm_async(intent.id)).status == "succeeded"


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
    ],
)
async def test_a_declined_card_is_a_card_error_with_its_reason(
    world: World, method: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as refused:
        await world.pay(method=method)

    error = refused.value.error
    assert error is not None
    assert (refused.value.http_status, refused.value.code, error.decline_code) == (402, code, decline_code)
    intent = error.payment_intent
    assert intent is not None
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    again = await world.sdk.v1.payment_intents.retrieve_async(intent.id, {"expand": ["latest_charge"]})
    assert again.last_payment_error is not None
    assert again.last_payment_error.decline_code == decline_code
    assert isinstance(again.latest_charge, stripe.Charge)
    assert (again.latest_charge.status, again.latest_charge.id) == ("failed", error.charge)
    assert (await world.ledger())["charges"] == []


async def test_a_declined_intent_can_be_paid_with_another_card(world: World) -> None:
    with pytest.raises(stripe.CardError) as refused:
        await world.pay(method="pm_card_chargeDeclined")
    assert refused.value.error is not None
    assert refused.value.error.payment_intent is not None

    intents = world.sdk.v1.payment_intents
    paid = await intents.confirm_async(refused.value.error.payment_intent.id, {"payment_method": "pm_card_visa"})

    assert (paid.status, paid.last_payment_error) == ("succeeded", None)


@pytest.mark.parametrize("method", ["pm_card_authenticationRequired", "pm_card_threeDSecure2Required"])
async def test_a_3ds_card_is_paid_once_its_holder_has_authenticated(world: World, method: str) -> None:
    intent = await world.pay(method=method)
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.client_secret is not None

    answer = await world.http.post(
        f"/stripe/_sandbox/payment_intents/{intent.id}/authenticate", json={"outcome": "succeed"}
    )

    assert (answer.status_code, answer.json()["status"], answer.json()["amount_received"]) == (200, "succeeded", 1000)


async def test_failed_authentication_gives_the_intent_back(world: World) -> None:
    intent = await world.pay(method="pm_card_threeDSecure2Required")

    answer = await world.http.post(
        f"/stripe/_sandbox/payment_intents/{intent.id}/authenticate", json={"outcome": "fail"}
    )

    assert answer.json()["status"] == "requires_payment_method"
    assert answer.json()["last_payment_error"]["code"] == "payment_intent_authentication_failure"
    assert (await world.ledger())["charges"] == []


async def test_a_3ds_card_may_still_be_declined_after_authentication(world: World) -> None:
    intent = await world.pay(method="pm_card_threeDSecureRequiredChargeDeclined")

    answer = await world.http.post(
        f"/stripe/_sandbox/payment_intents/{intent.id}/authenticate", json={"outcome": "succeed"}
    )

    assert answer.json()["last_payment_error"]["code"] == "card_declined"


async def test_the_3ds_page_and_its_way_back_are_told_when_a_return_url_is_given(world: World) -> None:
    intent = await world.pay(
        method="pm_card_threeDSecure2Required",
        return_url="https://shop.example/back",
        automatic_payment_methods={"enabled": True},
    )

    assert intent.next_action is not None
    redirect = intent.next_action.redirect_to_url
    assert redirect is not None
    assert redirect.url is not None
    assert redirect.return_url == "https://shop.example/back"
    page = await world.http.get(redirect.url)
    assert (page.status_code, intent.id in page.text) == (200, True)


async def test_a_payment_without_its_holder_present_cannot_ask_him(world: World) -> None:
    with pytest.raises(stripe.CardError) as refused:
        await world.pay(method="pm_card_authenticationRequired", off_session=True)

    assert refused.value.code == "authentication_required"


async def test_authorised_money_is_captured_in_part_and_the_rest_released(world: World) -> None:
    intents = world.sdk.v1.payment_intents
    intent = await world.pay(capture_method="manual")
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 1000, 0)
    assert (await world.ledger())["charges"][0]["status"] == "requires_capture"

    with pytest.raises(stripe.InvalidRequestError) as refused:
        await intents.capture_async(intent.id, {"amount_to_capture": 1001})
    assert refused.value.code == "amount_too_large"
    captured = await intents.capture_async(intent.id, {"amount_to_capture": 700})

    assert (captured.status, captured.amount_received, captured.amount_capturable) == ("succeeded", 700, 0)
    assert (await world.ledger())["charges"][0]["amount"] == 700
    with pytest.raises(stripe.InvalidRequestError) as late:
        await intents.capture_async(intent.id)
    assert late.value.code == "payment_intent_unexpected_state"


async def test_an_intent_is_cancelled_unless_it_is_paid(world: World) -> None:
    intents = world.sdk.v1.payment_intents
    held, paid = await world.pay(capture_method="manual"), await world.pay()

    gone = await intents.cancel_async(held.id, {"cancellation_reason": "abandoned"})

    assert (gone.status, gone.cancellation_reason, gone.amount_capturable) == ("canceled", "abandoned", 0)
    for call in (intents.cancel_async(paid.id), intents.confirm_async(paid.id), intents.confirm_async(gone.id)):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await call
        assert refused.value.code == "payment_intent_unexpected_state"
        assert refused.value.error is not None
        assert refused.value.error.payment_intent is not None
    assert [charge["payment_intent"] for charge in (await world.ledger())["charges"]] == [paid.id]


async def test_updates_change_what_is_not_yet_paid(world: World) -> None:
    intents = world.sdk.v1.payment_intents
    intent = await intents.create_async(
        {"amount": 1000, "currency": "usd", "automatic_payment_methods": CARD_ONLY, "metadata": {"a": "1", "b": "2"}}
    )

    changed = await intents.update_async(intent.id, {"amount": 1200, "metadata": {"a": "", "c": "3"}})
    assert (changed.amount, changed.metadata.to_dict()) == (1200, {"b": "2", "c": "3"})

    await intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert (await intents.update_async(intent.id, {"metadata": {"d": "4"}})).metadata["d"] == "4"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await intents.update_async(intent.id, {"amount": 1300})
    assert refused.value.code == "payment_intent_unexpected_state"


async def test_refunds_never_exceed_the_charge(world: World) -> None:
    refunds = world.sdk.v1.refunds
    intent = await world.pay(metadata={"order_id": "o1"})

    first = await refunds.create_async({"payment_intent": intent.id, "amount": 300, "reason": "requested_by_customer"})
    assert (first.status, first.amount, first.charge) == ("succeeded", 300, intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        await refunds.create_async({"payment_intent": intent.id, "amount": 701})
    rest = await refunds.create_async({"payment_intent": intent.id})
    assert rest.amount == 700
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await refunds.create_async({"payment_intent": intent.id, "amount": 1})

    assert refused.value.code == "charge_already_refunded"
    assert (await refunds.retrieve_async(first.id)).amount == 300
    listed = await refunds.list_async({"payment_intent": intent.id})
    assert [refund.id for refund in listed.data] == [rest.id, first.id]
    ledger = await world.ledger("o1")
    assert ledger["charges"][0]["amount_refunded"] == 1000
    assert [refund["amount"] for refund in ledger["refunds"]] == [300, 700]


async def test_a_payment_that_took_nothing_cannot_be_refunded(world: World) -> None:
    intent = await world.pay(capture_method="manual")

    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        await world.sdk.v1.refunds.create_async({"payment_intent": intent.id})


async def test_a_customer_keeps_a_card(world: World) -> None:
    customer = await world.sdk.v1.customers.create_async({"email": "a@shop.example", "name": "A"})
    method = await world.sdk.v1.payment_methods.create_async({"type": "card", "card": {"token": "tok_visa"}})
    await world.sdk.v1.payment_methods.attach_async(method.id, {"customer": customer.id})

    for _ in range(2):
        paid = await world.pay(method=method.id, customer=customer.id)
        assert (paid.status, paid.payment_method, paid.customer) == ("succeeded", method.id, customer.id)

    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        await world.sdk.v1.payment_methods.attach_async(method.id, {"customer": customer.id})
    listed = await world.sdk.v1.payment_intents.list_async({"customer": customer.id})
    assert len(listed.data) == 2


async def test_a_card_that_belongs_to_nobody_pays_once(world: World) -> None:
    method = await world.sdk.v1.payment_methods.create_async(
        {"type": "card", "card": {"number": "4242424242424242", "exp_month": 1, "exp_year": 2035, "cvc": "123"}}
    )
    assert (await world.pay(method=method.id)).status == "succeeded"

    with pytest.raises(stripe.InvalidRequestError, match="previously used"):
        await world.pay(method=method.id)


async def test_an_authorisation_that_nobody_captures_expires_after_a_week(tmp_path: Path) -> None:
    clock = ManualClock()
    async with sandbox_world(tmp_path, clock=clock) as world:
        intent = await world.pay(capture_method="manual")

        clock.advance(7 * 24 * 3600)
        await clock.until_asleep(2)

        expired = await world.sdk.v1.payment_intents.retrieve_async(intent.id)
        assert (expired.status, expired.cancellation_reason) == ("canceled", "automatic")


@pytest.mark.parametrize(
    ("method", "at_first", "in_the_end", "returned"),
    [("pm_card_pendingRefund", "pending", "succeeded", 1000), ("pm_card_refundFail", "succeeded", "failed", 0)],
)
async def test_some_refunds_settle_late(
    tmp_path: Path, method: str, at_first: str, in_the_end: str, returned: int
) -> None:
    clock = ManualClock()
    async with sandbox_world(tmp_path, clock=clock) as world:
        intent = await world.pay(method=method)
        refund = await world.sdk.v1.refunds.create_async({"payment_intent": intent.id})
        assert refund.status == at_first

        clock.advance(3)
        await clock.until_asleep(2)

        assert (await world.sdk.v1.refunds.retrieve_async(refund.id)).status == in_the_end
        assert (await world.ledger())["charges"][0]["amount_refunded"] == returned
