"""Who tries out cards is stopped before anything is begun, and nobody else is."""

import asyncio
from datetime import timedelta

import pytest

from kernel.errors import Reason, Refusal
from order_svc.domain.draft import Customer
from order_svc.domain.order import Order, State
from order_svc.domain.velocity import UNLIMITED, WINDOW, Bound, Counted, Velocity, refusal_of, subjects
from tests.fakes.order_payments import DECLINED, NEEDS_ACTION
from tests.fakes.order_samples import NOW, VISA, a_draft, a_request, an_order
from tests.fakes.order_world import Life, World, in_a_world

MANY = Velocity(orders=5, declines=3, guest_declines=7)


def test_without_limits_nothing_is_counted() -> None:
    assert UNLIMITED.of_order(an_order()) == ()


def test_a_guest_is_bound_by_customer_address_and_caller() -> None:
    bounds = MANY.of_order(an_order())

    assert [(each.counted, each.most, each.field) for each in bounds] == [
        (Counted.ORDERS, 5, "customer.customer_id"),
        (Counted.DECLINES, 3, "customer.customer_id"),
        (Counted.DECLINES, 3, "customer.email"),
        (Counted.GUEST_DECLINES, 7, "customer.provider_customer_id"),
    ]
    assert MANY.of_card(an_order()) == bounds[1:]


def test_the_names_that_are_counted_by_are_of_one_length_and_hold_no_address() -> None:
    names = subjects(an_order())

    assert {len(each) for each in names} == {64}
    assert not any("ada" in each or "@" in each for each in names)


@pytest.mark.parametrize("email", ["ADA@Example.com", "ada+shop@example.com", " ada@example.com"])
def test_an_address_is_the_same_in_other_words(email: str) -> None:
    other = an_order(draft=a_draft(customer=Customer("c-2", email, "")))

    assert len(set(subjects(other)) & set(subjects(an_order()))) == 2  # the address, and the caller's guests


def test_a_refusal_names_limit_field_and_wait_and_no_person() -> None:
    bound = Bound(Counted.DECLINES, subjects(an_order())[1], 3, "customer.email")

    refusal = refusal_of(bound, NOW - timedelta(minutes=50, milliseconds=300), NOW)

    assert (refusal.reason, refusal.retry_after) == (Reason.CUSTOMER_LIMIT_REACHED, 600.0)
    assert refusal.metadata == {"limit": "declines", "most": "3", "withinSeconds": "3600"}
    assert [each.field for each in refusal.fields] == ["customer.email"]
    assert "example.com" not in refusal.message


async def declined(life: Life, key: str, *, keep_after_decline: bool = False) -> Order | Refusal:
    try:
        return await life.place(DECLINED, a_request(key), keep_after_decline=keep_after_decline)
    except Refusal as refusal:
        return refusal


@in_a_world
async def test_after_so_many_declined_cards_nothing_is_begun_and_after_an_hour_it_is(world: World) -> None:
    world.velocity = Velocity(declines=3)
    life = world.life()
    first = [await declined(life, f"k{number}") for number in range(3)]
    await life.work.idle()
    asked = world.payments.charges, world.taxes.quotes

    refusal = await declined(life, "k3")

    assert [each.reason for each in first if isinstance(each, Refusal)] == [Reason.PAYMENT_DECLINED] * 3
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.CUSTOMER_LIMIT_REACHED
    assert asked == (world.payments.charges, world.taxes.quotes)
    assert life.telling.limits == [Counted.DECLINES]
    # An order that was decided is answered as it was, and its card does not count again.
    again = await declined(life, "k0")
    assert isinstance(again, Refusal)
    assert again.reason is Reason.PAYMENT_DECLINED
    assert refusal.retry_after is not None
    await world.clock.sleep(refusal.retry_after)
    assert (await life.place(VISA, a_request("k4"))).state is State.PAID


@in_a_world
async def test_another_card_for_one_order_counts_each_time(world: World) -> None:
    world.velocity = Velocity(declines=3)
    life = world.life()
    order = await declined(life, "k", keep_after_decline=True)
    assert isinstance(order, Order)
    for number in range(2):
        await life.cases.confirm(order.order_id, DECLINED, "", a_request(f"c{number}", order.order_id), 10.0)

    with pytest.raises(Refusal) as refused:
        await life.cases.confirm(order.order_id, VISA, "", a_request("c2", order.order_id), 10.0)

    assert refused.value.reason is Reason.CUSTOMER_LIMIT_REACHED
    assert (await life.read.get(order.order_id)).state is State.PAYMENT_ACTION_REQUIRED
    # Repeating what was taken is answered.
    await life.cases.confirm(order.order_id, DECLINED, "", a_request("c1", order.order_id), 10.0)


@in_a_world
async def test_a_declined_card_that_waits_for_another_counts_once_however_often_it_is_looked_at(world: World) -> None:
    life = world.life()
    await declined(life, "k", keep_after_decline=True)
    for _ in range(60):
        await life.sweep()
        await world.clock.sleep(10.0)

    assert {len(times) for times in world.database.declines.values()} == {1}


@in_a_world
async def test_coming_back_from_3_d_secure_is_no_further_card(world: World) -> None:
    world.velocity = Velocity(declines=1)
    life = world.life()
    order = await life.place(NEEDS_ACTION)
    await declined(life, "k")
    world.payments.customer_pays(order.order_id)

    paid = await life.cases.confirm(order.order_id, "", "", a_request("c", order.order_id), 10.0)

    assert paid.state is State.PAID


@in_a_world
async def test_orders_at_once_are_bound(world: World) -> None:
    world.velocity = Velocity(orders=3)
    life = world.life()

    placing = [life.place(VISA, a_request(f"k{number}")) for number in range(8)]
    answers = await asyncio.gather(*placing, return_exceptions=True)

    paid = [each for each in answers if isinstance(each, Order)]
    refused = [each for each in answers if isinstance(each, Refusal)]
    assert (len(paid), len(refused)) == (3, 5)
    assert {each.reason for each in refused} == {Reason.CUSTOMER_LIMIT_REACHED}
    assert {each.retry_after for each in refused} == {WINDOW.total_seconds()}
