"""How often one customer may order and have cards declined: counted alike in memory and on both databases."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from order_svc.app.ports import Moved, Orders, TooMany
from order_svc.domain.commands import Command
from order_svc.domain.draft import Customer
from order_svc.domain.order import Order, Stage
from order_svc.domain.velocity import WINDOW, Velocity
from tests.fakes.order_moves import CLOCK, IDS, MINUTE, Replicas, fresh, move, moved, store
from tests.fakes.order_samples import a_draft, a_request, an_event

TWO_ORDERS, TWO_DECLINES, TWO_OF_GUESTS = Velocity(orders=2), Velocity(declines=2), Velocity(guest_declines=2)
ADA = Customer("ada", "ada@example.com", "Ada", provider_customer_id="cus_ada")


def order_of(customer: Customer, at: datetime | None = None, caller: str = "shop") -> Order:
    moment = at or CLOCK.now()
    return fresh(draft=a_draft(customer=customer), created_at=moment, updated_at=moment, caller=caller)


async def place(orders: Orders, velocity: Velocity, order: Order, key: str = "") -> bool:
    request = a_request(key or order.order_id)
    return await orders.create(order, request, an_event(order), MINUTE, velocity.of_order(order))


async def decline(orders: Orders, customer: Customer, at: datetime | None = None, caller: str = "shop") -> Order:
    """Store an order, and have its card declined at that time."""
    order = await store(orders, order_of(customer, caller=caller))
    declined = moved(order, Stage.UNDOING, updated_at=at or CLOCK.now())
    return await move(orders, replace(declined, declined=True))


async def test_as_many_orders_as_the_limit_are_taken_and_one_more_is_not(orders: Orders) -> None:
    first = order_of(ADA)
    assert await place(orders, TWO_ORDERS, first)
    assert await place(orders, TWO_ORDERS, order_of(ADA))

    one_more = order_of(ADA)
    with pytest.raises(TooMany) as refused:
        await place(orders, TWO_ORDERS, one_more)

    assert await orders.get(one_more.order_id) is None
    assert refused.value.bound == TWO_ORDERS.of_order(one_more)[0]
    assert abs(refused.value.oldest - first.created_at) < timedelta(milliseconds=1)
    assert await place(orders, TWO_ORDERS, order_of(replace(ADA, customer_id="bob")))


async def test_orders_that_come_at_once_are_counted_one_by_one(orders: Orders) -> None:
    several = [order_of(ADA) for _ in range(10)]

    answers = await asyncio.gather(*(place(orders, TWO_ORDERS, each) for each in several), return_exceptions=True)

    assert sum(answer is True for answer in answers) == 2
    assert sum(isinstance(answer, TooMany) for answer in answers) == 8


async def test_an_order_that_was_taken_is_answered_whatever_its_customer_has_done_since(orders: Orders) -> None:
    first = order_of(ADA)
    await place(orders, TWO_ORDERS, first, "first")
    await place(orders, TWO_ORDERS, order_of(ADA))

    assert not await place(orders, TWO_ORDERS, order_of(ADA), "first")

    found = await orders.find(a_request("first"))
    assert found is not None
    assert found[1].order_id == first.order_id


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(replace(ADA, email="other@example.com"), id="same customer"),
        pytest.param(replace(ADA, customer_id="eve"), id="same address"),
        pytest.param(replace(ADA, customer_id="eve", email="Ada+2@Example.com"), id="same address in other words"),
    ],
)
async def test_declined_cards_count_against_the_customer_and_against_the_address(
    orders: Orders, again: Customer
) -> None:
    await decline(orders, ADA)
    assert await place(orders, TWO_DECLINES, order_of(again))
    await decline(orders, ADA)

    with pytest.raises(TooMany):
        await place(orders, TWO_DECLINES, order_of(again))

    assert await place(orders, TWO_DECLINES, order_of(Customer("eve", "eve@example.com", "")))


async def test_what_was_declined_more_than_an_hour_ago_counts_no_more(orders: Orders) -> None:
    now = CLOCK.now()
    await decline(orders, ADA, now - WINDOW - timedelta(seconds=5))
    await decline(orders, ADA, now - WINDOW + timedelta(minutes=1))
    assert await place(orders, TWO_DECLINES, order_of(ADA, now))
    await decline(orders, ADA, now)

    with pytest.raises(TooMany) as refused:
        await place(orders, TWO_DECLINES, order_of(ADA, now))

    assert abs(refused.value.oldest - (now - WINDOW + timedelta(minutes=1))) < timedelta(milliseconds=1)


async def test_guests_of_one_caller_are_counted_together_and_saved_customers_are_not(orders: Orders) -> None:
    for number in range(2):
        await decline(orders, Customer(f"guest-{number}", f"{number}@example.com", ""))

    with pytest.raises(TooMany):
        await place(orders, TWO_OF_GUESTS, order_of(Customer("guest", "new@example.com", "")))

    assert await place(orders, TWO_OF_GUESTS, order_of(ADA))
    assert await place(orders, TWO_OF_GUESTS, order_of(Customer("guest", "new@example.com", ""), caller="other"))


async def test_a_move_that_somebody_else_forestalled_counts_nothing(orders: Orders) -> None:
    order = await store(orders, order_of(ADA))
    await move(orders, moved(order))
    with pytest.raises(Moved):
        await move(orders, replace(moved(order), declined=True))

    assert await place(orders, Velocity(declines=1), order_of(ADA))


async def test_another_card_for_an_order_is_bound_as_well(orders: Orders) -> None:
    order = await decline(orders, ADA)
    once = Velocity(declines=1).of_card(order)
    again, event = moved(order), an_event(order, "payment.method_changed")
    again = replace(again, order=replace(again.order, updated_at=CLOCK.now()))

    with pytest.raises(TooMany):
        await orders.obey(Command.CONFIRM, a_request("c"), again, event, bounds=once)

    assert await orders.get(order.order_id) == order
    event = replace(event, version=again.order.version)
    assert await orders.obey(Command.CONFIRM, a_request("c"), again, event, bounds=TWO_DECLINES.of_card(order))
    # The key goes first: what was accepted is answered.
    assert not await orders.obey(Command.CONFIRM, a_request("c"), again, event, bounds=once)


async def test_replicas_count_together(replicas: Replicas) -> None:
    one, other = replicas("one", IDS.new()), replicas("other", IDS.new())
    await decline(one, ADA)
    await decline(other, ADA)

    with pytest.raises(TooMany):
        await place(one, TWO_DECLINES, order_of(ADA))
