"""The payment service over gRPC when Stripe, a bank or the service itself is away."""

from pathlib import Path

import grpc
import pytest
from ordermesh.payment.v1 import payment_pb2

from kernel.errors import Reason
from tests.fakes.payment_over_grpc import Service, euros, service
from tests.fakes.sandbox_world import World
from tests.fakes.service_over_grpc import refused

_SUCCEEDED = payment_pb2.PAYMENT_STATE_SUCCEEDED


async def test_the_same_answer_comes_after_a_restart_and_nothing_is_charged_again(tmp_path: Path, world: World) -> None:
    async with service(tmp_path, world) as before:
        first = await before.charge()
    async with service(tmp_path, world) as after:
        again = await after.charge()
        other = await refused(after.charge(minor_units=1100))

    assert again == first
    assert other.reason is Reason.REQUEST_ID_REUSED
    assert len((await world.ledger())["charges"]) == 1


async def test_while_stripe_is_away_the_charge_is_open_and_afterwards_made_once(
    payments: Service, world: World
) -> None:
    await world.fault("stripe", mode="outage")
    refusal = await refused(payments.charge())
    assert refusal.reason is Reason.UNAVAILABLE
    assert refusal.retry_after is not None

    await world.http.delete("/faults")

    assert (await payments.charge()).state == _SUCCEEDED
    assert len((await world.ledger())["charges"]) == 1


@pytest.mark.parametrize("mode", ["lost_answer", "late_execution"])
async def test_a_charge_whose_answer_is_lost_is_found_and_not_repeated(
    payments: Service, world: World, mode: str
) -> None:
    await world.fault("stripe", mode=mode, operation="payment_intents.confirm", times=1)

    assert (await payments.charge()).state == _SUCCEEDED
    assert len((await world.ledger())["charges"]) == 1


async def test_a_slow_bank_is_given_up_in_time_to_say_so(payments: Service, world: World) -> None:
    await world.fault("stripe", mode="latency", operation="payment_intents.confirm", times=1, latency_ms=4_000)
    refusal = await refused(payments.charge(seconds=3.0))
    assert refusal.reason is Reason.UNAVAILABLE

    answers = 0
    while True:  # as the caller does, until it is answered
        try:
            payment = await payments.charge()
            break
        except grpc.aio.AioRpcError:
            answers += 1
    assert payment.state == _SUCCEEDED
    assert len((await world.ledger())["charges"]) == 1


async def test_a_refund_that_stripe_refuses_for_good_is_failed_in_the_answer(payments: Service, world: World) -> None:
    payment = await payments.charge()
    await world.fault("stripe", mode="error", status=400, operation="refunds.create", times=1)

    refused_for_good = await payments.refund(payment.payment_id, 400, "f1")

    assert refused_for_good.refund.state == payment_pb2.REFUND_STATE_FAILED
    assert refused_for_good.payment.refunded == euros(0)
    assert await payments.refund(payment.payment_id, 400, "f1") == refused_for_good
    assert (await world.ledger())["refunds"] == []


async def test_a_refund_left_open_by_a_crash_is_made_after_the_next_start(tmp_path: Path, world: World) -> None:
    async with service(tmp_path, world, PAYMENT_SETTLE_SECONDS="0.2") as before:
        payment = await before.charge()
        await world.fault("stripe", mode="outage", operation="refunds.create")
        pending = await before.refund(payment.payment_id, 400, "f1")
    assert pending.refund.state == payment_pb2.REFUND_STATE_PENDING
    await world.http.delete("/faults")

    async with service(tmp_path, world, PAYMENT_SETTLE_SECONDS="0.2") as after:
        await after.until(payment.payment_id, lambda now: now.refunds[0].state == payment_pb2.REFUND_STATE_SUCCEEDED)

    assert [refund["amount"] for refund in (await world.ledger())["refunds"]] == [400]
