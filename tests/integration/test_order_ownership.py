"""Customers and orders of others: for them there are none. A real service, with contexts as the gateway signs them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from sqlalchemy import Engine, event

from chassis.access.contexts import METADATA_KEY, Signer
from chassis.access.keys import make_signing_key
from chassis.access.settings import AccessSettings
from chassis.caller import Caller
from chassis.errors import refusal_of
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from tests.fakes.order_requests import place_request
from tests.fakes.order_service import a_shop

OWN = place_request().customer.customer_id
NOBODYS = "0197a000-0000-7000-8000-000000000000"


@dataclass
class Counter:
    """The order service with an order in it, as one customer and another see it.

    Attributes:
        stub: Calls it.
        order: The first customer's.
        own: The first customer's context.
        other: The second customer's.
        staff: An operator's.
    """

    stub: Any
    order: order_pb2.Order
    own: list[tuple[str, str]]
    other: list[tuple[str, str]]
    staff: list[tuple[str, str]]

    async def told(self, rpc: str, request: Message, metadata: list[tuple[str, str]]) -> Refusal:
        """Return why a call was refused."""
        call = getattr(self.stub, rpc)(request, metadata=metadata, timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await (anext(aiter(call)) if rpc == "WatchOrder" else call)
        refusal = refusal_of(failed.value)
        assert refusal is not None
        return refusal


@asynccontextmanager
async def counter(folder: Path, database_url: str) -> AsyncIterator[Counter]:
    key = make_signing_key(folder / "signing.pem", folder / "trusted.pem")
    signer = Signer(key, SystemClock())

    def speaks_for(who: Caller) -> list[tuple[str, str]]:
        return [(METADATA_KEY, signer.context_of(who, "order"))]

    async with a_shop(folder, database_url) as shop:
        shop.config = replace(shop.config, access=AccessSettings(folder / "trusted.pem"))
        async with shop.open(), grpc.aio.insecure_channel(shop.address) as channel:
            stub = order_service_pb2_grpc.OrderServiceStub(channel)
            request = place_request()
            request.note, request.metadata["shelf"] = "a good customer", "9"
            order = (await stub.PlaceOrder(request)).order
            yield Counter(
                stub,
                order,
                speaks_for(Caller("user:own", "gateway", customer_id=OWN, vouched=True)),
                speaks_for(Caller("user:other", "gateway", customer_id="c-other", vouched=True)),
                speaks_for(Caller("key:desk", "gateway", frozenset({"orders.read"}), vouched=True)),
            )


@pytest.fixture
async def shop_counter(tmp_path: Path, database_url: str) -> AsyncIterator[Counter]:
    async with counter(tmp_path, database_url) as made:
        yield made


def about(rpc: str, order_id: str) -> Message:
    request: Message = getattr(order_service_pb2, f"{rpc}Request")(order_id=order_id)
    if "request_id" in request.DESCRIPTOR.fields_by_name:
        request.request_id = f"{rpc}-{order_id}"  # type: ignore[attr-defined]  # every command has one
    return request


async def test_a_foreign_order_is_no_order(shop_counter: Counter) -> None:
    order_id = shop_counter.order.order_id
    for rpc in ("GetOrder", "WatchOrder", "ConfirmOrderPayment", "CancelOrder"):
        foreign = await shop_counter.told(rpc, about(rpc, order_id), shop_counter.other)
        missing = await shop_counter.told(rpc, about(rpc, NOBODYS), shop_counter.other)

        assert foreign.reason is missing.reason is Reason.ORDER_NOT_FOUND
        assert foreign.message == missing.message.replace(NOBODYS, order_id)
        assert {**foreign.metadata, "orderId": NOBODYS} == dict(missing.metadata)
        assert (foreign.fields, foreign.retry_after) == (missing.fields, missing.retry_after)


async def test_the_same_is_asked_of_the_database_whether_it_is_there_or_not(shop_counter: Counter) -> None:
    """So the time of an answer does not tell either."""
    asked: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if "orders.customer_id = " in statement:  # what is asked for customers, and not by the service's own work
            asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        await shop_counter.told("GetOrder", about("GetOrder", shop_counter.order.order_id), shop_counter.other)
        foreign = asked.copy()
        asked.clear()
        await shop_counter.told("GetOrder", about("GetOrder", NOBODYS), shop_counter.other)
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    assert foreign == asked
    assert len(asked) == 1


async def test_customers_see_their_own_orders_without_what_is_the_shops(shop_counter: Counter) -> None:
    request = order_service_pb2.GetOrderRequest(order_id=shop_counter.order.order_id)

    seen = (await shop_counter.stub.GetOrder(request, metadata=shop_counter.own)).order
    watched = (
        await anext(aiter(shop_counter.stub.WatchOrder(about("WatchOrder", seen.order_id), metadata=shop_counter.own)))
    ).order
    listed = await shop_counter.stub.ListOrders(order_service_pb2.ListOrdersRequest(), metadata=shop_counter.own)
    desk = (await shop_counter.stub.GetOrder(request, metadata=shop_counter.staff)).order

    for order in (seen, watched, *listed.orders):
        assert (order.order_id, order.note, dict(order.metadata)) == (shop_counter.order.order_id, "", {})
    assert (desk.note, dict(desk.metadata)) == ("a good customer", {"shelf": "9"})


async def test_lists_end_at_the_customer(shop_counter: Counter) -> None:
    asked = order_service_pb2.ListOrdersRequest

    others = await shop_counter.stub.ListOrders(asked(), metadata=shop_counter.other)
    pried = await shop_counter.told("ListOrders", asked(customer_id=OWN), shop_counter.other)
    guessed = await shop_counter.told("ListOrders", asked(customer_id="c-nobody"), shop_counter.other)
    sifted = await shop_counter.told("ListOrders", asked(alerted=True), shop_counter.own)

    assert not others.orders
    assert pried.reason is guessed.reason is sifted.reason is Reason.PERMISSION_DENIED
    assert pried.message == guessed.message


async def test_customers_order_for_themselves_and_decide_nothing_else(shop_counter: Counter) -> None:
    changes: dict[str, Callable[[order_service_pb2.PlaceOrderRequest], None]] = {
        "customer.customer_id": lambda request: setattr(request.customer, "customer_id", "c-other"),
        "customer.exemption_number": lambda request: setattr(request.customer, "exemption_number", "X-1"),
        "customer.provider_customer_id": lambda request: setattr(request.customer, "provider_customer_id", "cus_1"),
        "note": lambda request: setattr(request, "note", "free of charge, says the boss"),
        "metadata": lambda request: request.metadata.update(discount="100"),
    }
    for field, change in changes.items():
        request = place_request()
        change(request)

        refused = await shop_counter.told("PlaceOrder", request, shop_counter.own)

        assert (refused.reason, [each.field for each in refused.fields]) == (Reason.PERMISSION_DENIED, [field])


async def test_customers_place_and_quote_their_own(shop_counter: Counter) -> None:
    request = place_request()
    request.request_id = "my-own"
    quote = order_service_pb2.QuoteOrderRequest(customer=request.customer, items=request.items, ship_to=request.ship_to)
    calls: list[Awaitable[Any]] = [
        shop_counter.stub.PlaceOrder(request, metadata=shop_counter.own),
        shop_counter.stub.QuoteOrder(quote, metadata=shop_counter.own),
    ]

    placed, quoted = await asyncio.gather(*calls)

    assert placed.order.customer.customer_id == OWN
    assert placed.order.order_id != shop_counter.order.order_id
    assert quoted.total.minor_units == 7075


async def test_a_key_is_good_for_its_owner_alone(shop_counter: Counter) -> None:
    """The key of the shop's own order, used by a customer, stands for nothing yet."""
    request = place_request()

    placed = await shop_counter.stub.PlaceOrder(request, metadata=shop_counter.own)

    assert placed.order.order_id != shop_counter.order.order_id
