"""Another payment method on the same intent: after a decline, after a failed 3-D Secure, with calls that go wrong."""

from collections.abc import AsyncIterator

import pytest

from payment_svc.domain.payment import PaymentState
from tests.fakes.payment_gateway import DECLINED, THREE_D_SECURE, Fault
from tests.fakes.payment_service import PaymentWorld, payment_world


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[PaymentWorld]:
    async with payment_world(sqlite_url) as running:
        yield running


@pytest.mark.parametrize("first", [DECLINED, THREE_D_SECURE])
@pytest.mark.parametrize("fault", [None, Fault.ERROR, Fault.ERROR_EXECUTED, Fault.LOST_ANSWER])
async def test_another_card_pays_once_on_the_same_intent(world: PaymentWorld, first: str, fault: Fault | None) -> None:
    declined = await world.charge(payment_method=first)
    if first == THREE_D_SECURE:
        world.gateway.authenticate(declined.intent_id, success=False)
        declined = await world.confirm(declined)
    assert declined.state is PaymentState.DECLINED
    if fault is not None:
        world.gateway.fail("confirm", fault)

    paid = await world.charge("r2")

    assert (paid.state, paid.intent_id) == (PaymentState.SUCCEEDED, declined.intent_id)
    assert world.gateway.charges == [declined.intent_id]


async def test_a_second_failed_authentication_is_told_from_the_first(world: PaymentWorld) -> None:
    for request_id in ("r1", "r2"):
        waiting = await world.charge(request_id, payment_method=THREE_D_SECURE)
        assert waiting.state is PaymentState.ACTION_REQUIRED
        world.gateway.authenticate(waiting.intent_id, success=False)

        assert (await world.confirm(waiting, request_id)).state is PaymentState.DECLINED
