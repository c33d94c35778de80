"""Every move of an order over real sockets, on both databases: what is possible, and what is refused and how."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from ordermesh.order.v1 import order_pb2
from ordermesh.order.v1 import order_service_pb2 as pb
from ordermesh.payment.v1 import payment_pb2
from ordermesh.type.v1 import money_pb2

from chassis.errors import refusal_of
from kernel.errors import Reason, Refusal
from order_svc.__main__ import MIGRATIONS
from order_svc.domain.commands import ALLOWED, Command
from order_svc.domain.order import State
from tests.fakes.migrated import MakeDatabase
from tests.fakes.order_payments import DECLINED, NEEDS_ACTION
from tests.fakes.order_requests import place_request
from tests.fakes.order_samples import VISA
from tests.fakes.order_service import Shop, a_shop

if TYPE_CHECKING:
    from ordermesh.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub

    Way = Callable[["Desk"], Awaitable[order_pb2.Order]]

_REQUESTS: dict[Command, type[Any]] = {
    Command.CONFIRM: pb.ConfirmOrderPaymentRequest,
    Command.CANCEL: pb.CancelOrderRequest,
    Command.REFUND: pb.RefundOrderRequest,
    Command.PROCESS: pb.StartProcessingRequest,
    Command.SHIP: pb.ShipOrderRequest,
    Command.DELIVER: pb.DeliverOrderRequest,
    Command.RETRY: pb.RetryOrderRequest,
    Command.ANNOTATE: pb.AnnotateOrderRequest,
}


class Desk:
    """Who works on the orders of a shop, each request under a key of its own unless it has one."""

    def __init__(self, shop: Shop, stub: "OrderServiceAsyncStub") -> None:
        self.shop = shop
        self.stub = stub
        self._keys = 0

    def key(self) -> str:
        self._keys += 1
        return f"key-{self._keys}"

    async def place(self, payment_method: str = VISA, **fields: object) -> order_pb2.Order:
        request = place_request(self.key(), payment_method)
        request.MergeFrom(pb.PlaceOrderRequest(**fields))  # type: ignore[arg-type]  # fields of it
        return (await self.stub.PlaceOrder(request)).order

    async def ask(self, command: Command, order_id: str, **fields: object) -> order_pb2.Order:
        """Send the command and return the order that it is answered with."""
        request = _REQUESTS[command](order_id=order_id, **{"request_id": self.key(), **fields})
        order: order_pb2.Order = (await getattr(self.stub, command.value)(request)).order
        return order

    async def refused(self, command: Command, order_id: str, **fields: object) -> tuple[grpc.StatusCode, Refusal]:
        """Send the command and return how it is refused."""
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await self.ask(command, order_id, **fields)
        found = refusal_of(failed.value)
        assert found is not None
        return failed.value.code(), found

    async def get(self, order_id: str) -> order_pb2.Order:
        return (await self.stub.GetOrder(pb.GetOrderRequest(order_id=order_id))).order


@pytest.fixture
async def desk(tmp_path: Path, database_kind: str, make_database: MakeDatabase) -> AsyncIterator[Desk]:
    async with (
        a_shop(tmp_path, make_database(database_kind, MIGRATIONS)) as shop,
        shop.open(patience_seconds=5.0) as stub,
    ):
        yield Desk(shop, stub)


def state_of(order: order_pb2.Order) -> State:
    return State(order_pb2.OrderState.Name(order.state).removeprefix("ORDER_STATE_"))


def mugs(count: int) -> list[order_pb2.OrderQuantity]:
    return [order_pb2.OrderQuantity(sku="mug", quantity=count)]


def euros(minor_units: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="EUR", minor_units=minor_units)


async def _held(desk: Desk) -> order_pb2.Order:
    return await desk.place(capture_mode=payment_pb2.CAPTURE_MODE_ON_SHIPMENT)


async def _then(desk: Desk, way: "Way", *commands: Command) -> order_pb2.Order:
    order = await way(desk)
    for command in commands:
        order = await desk.ask(command, order.order_id)
    return order


async def _pending(desk: Desk) -> order_pb2.Order:
    return await desk.place("pm_takes_its_time")


async def _failed(desk: Desk) -> order_pb2.Order:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await desk.place(DECLINED)
    found = refusal_of(failed.value)
    assert found is not None
    return await desk.get(found.metadata["orderId"])


WAYS: dict[State, "Way"] = {
    State.PENDING: _pending,
    State.PAYMENT_ACTION_REQUIRED: lambda desk: desk.place(NEEDS_ACTION),
    State.AUTHORIZED: _held,
    State.PAID: lambda desk: desk.place(),
    State.PROCESSING: lambda desk: _then(desk, Desk.place, Command.PROCESS),
    State.SHIPPED: lambda desk: _then(desk, Desk.place, Command.SHIP),
    State.DELIVERED: lambda desk: _then(desk, Desk.place, Command.SHIP, Command.DELIVER),
    State.FAILED: _failed,
    State.CANCELLED: lambda desk: _then(desk, _held, Command.CANCEL),
    State.REFUNDED: lambda desk: _then(desk, Desk.place, Command.REFUND),
}


async def test_in_every_state_what_is_not_possible_is_refused_naming_the_state_and_what_is(desk: Desk) -> None:
    assert WAYS.keys() == set(State)
    for state, way in WAYS.items():
        order = await way(desk)
        assert state_of(order) is state
        for command in {Command.PROCESS, Command.SHIP, Command.REFUND, Command.CONFIRM, Command.CANCEL} - {
            each for each, states in ALLOWED.items() if state in states
        }:
            code, refusal = await desk.refused(command, order.order_id) if not _done(command, state) else (None, None)
            if refusal is None:
                assert state_of(await desk.ask(command, order.order_id)) is state
                continue
            assert (code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, Reason.ILLEGAL_STATE)
            assert (refusal.metadata["orderId"], refusal.metadata["state"]) == (order.order_id, state.value)
            assert command.value not in refusal.metadata["allowed"]
            assert f"the order is {state.value}" in refusal.message


def _done(command: Command, state: State) -> bool:
    """Say whether the command has nothing left to do in the state: then the order is answered as it is."""
    beyond = set(State) - {State.FAILED, State.CANCELLED, State.REFUNDED, State.PAYMENT_ACTION_REQUIRED}
    return state in {
        Command.CONFIRM: beyond,
        Command.CANCEL: {State.CANCELLED},
        Command.PROCESS: {State.PROCESSING},
        Command.DELIVER: {State.DELIVERED},
    }.get(command, set())


async def test_a_paid_order_goes_all_the_way_and_back(desk: Desk) -> None:
    order_id = (await desk.place()).order_id

    states = [
        state_of(await desk.ask(Command.PROCESS, order_id)),
        state_of(await desk.ask(Command.SHIP, order_id, items=mugs(2), carrier="DHL")),
        state_of(await desk.ask(Command.SHIP, order_id)),
        state_of(await desk.ask(Command.DELIVER, order_id, shipment_id="1")),
        state_of(await desk.ask(Command.DELIVER, order_id)),
        state_of(await desk.ask(Command.REFUND, order_id, amount=euros(75))),
        state_of(await desk.ask(Command.REFUND, order_id, items=mugs(1))),
    ]
    over = await desk.ask(Command.REFUND, order_id)

    assert states == ["PROCESSING", "PROCESSING", "SHIPPED", "SHIPPED", "DELIVERED", "DELIVERED", "DELIVERED"]
    assert state_of(over) is State.REFUNDED
    assert over.refunded == over.total
    assert sum(each.amount.minor_units for each in over.refunds) == over.total.minor_units
    assert sum(each.tax.minor_units for each in over.refunds) == over.tax.amount.minor_units
    assert [each.carrier for each in over.shipments] == ["DHL", ""]


async def test_held_money_is_taken_for_what_is_shipped(desk: Desk) -> None:
    held = await _held(desk)
    assert (held.payment.state, held.payment.captured.minor_units) == (payment_pb2.PAYMENT_STATE_AUTHORIZED, 0)
    assert held.payment.HasField("hold_expire_time")

    shipped = await desk.ask(Command.SHIP, held.order_id, items=mugs(2), release_rest=True)

    assert state_of(shipped) is State.SHIPPED
    assert (shipped.payment.captured.minor_units, shipped.payment.released.minor_units) == (4797, 2278)


async def test_a_payment_that_waited_is_confirmed_after_3d_secure_or_with_another_card(desk: Desk) -> None:
    waiting = await desk.place(NEEDS_ACTION)
    declined = await desk.place(DECLINED, keep_after_decline=True)
    desk.shop.peers.payments.customer_pays(waiting.order_id)

    _, wrong = await desk.refused(Command.CONFIRM, declined.order_id)
    paid = await desk.ask(Command.CONFIRM, waiting.order_id)
    another = await desk.ask(Command.CONFIRM, declined.order_id, payment_method=VISA)

    assert [each.field for each in wrong.fields] == ["payment_method"]
    assert (state_of(declined), declined.payment.decline_code) == (
        State.PAYMENT_ACTION_REQUIRED,
        "insufficient_funds",
    )
    assert (state_of(paid), state_of(another)) == (State.PAID, State.PAID)
    assert another.payment.payment_method == VISA


async def test_who_cancels_what_was_paid_is_told_to_refund_it(desk: Desk) -> None:
    order = await desk.place()

    code, refusal = await desk.refused(Command.CANCEL, order.order_id)

    assert (code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, Reason.ILLEGAL_STATE)
    assert "RefundOrder" in refusal.message


async def test_a_command_is_obeyed_once_per_key(desk: Desk) -> None:
    order_id = (await desk.place()).order_id

    several = await asyncio.gather(
        *(desk.ask(Command.REFUND, order_id, request_id="r", amount=euros(10)) for _ in range(5))
    )
    code, refusal = await desk.refused(Command.REFUND, order_id, request_id="r", amount=euros(11))

    assert {len(each.refunds) for each in several} == {1}
    assert (code, refusal.reason) == (grpc.StatusCode.ALREADY_EXISTS, Reason.REQUEST_ID_REUSED)
    assert (await desk.get(order_id)).refunded == euros(10)


async def test_a_command_that_was_decided_on_an_older_version_is_refused(desk: Desk) -> None:
    seen = await desk.place()
    newer = await desk.ask(Command.ANNOTATE, seen.order_id, note="Call before.", etag=seen.etag)

    code, refusal = await desk.refused(Command.REFUND, seen.order_id, etag=seen.etag)
    processing = await desk.ask(Command.PROCESS, seen.order_id, etag=newer.etag)

    assert (code, refusal.reason) == (grpc.StatusCode.ABORTED, Reason.VERSION_MISMATCH)
    assert refusal.metadata["etag"] == newer.etag
    assert (newer.note, processing.note, state_of(processing)) == ("Call before.", "Call before.", State.PROCESSING)


async def test_more_than_was_paid_is_never_given_back(desk: Desk) -> None:
    order = await desk.place()

    code, refusal = await desk.refused(Command.REFUND, order.order_id, amount=euros(7076))

    assert (code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, Reason.REFUND_EXCEEDS_PAYMENT)
    assert refusal.metadata["refundableMinorUnits"] == "7075"


async def test_a_watcher_who_waits_for_the_end_sees_every_state(desk: Desk) -> None:
    order_id = (await desk.place()).order_id
    watching = desk.stub.WatchOrder(pb.WatchOrderRequest(order_id=order_id, until_final=True))
    until_paid = desk.stub.WatchOrder(pb.WatchOrderRequest(order_id=order_id))
    assert [state_of(each.order) async for each in until_paid] == [State.PAID]

    async def see() -> list[State]:
        return list(dict.fromkeys([state_of(each.order) async for each in watching]))

    seeing = asyncio.create_task(see())
    for command in (Command.PROCESS, Command.SHIP, Command.DELIVER):
        await desk.ask(command, order_id)

    seen = await asyncio.wait_for(seeing, 10)
    assert seen[-1] is State.DELIVERED
    assert set(seen) <= {State.PAID, State.PROCESSING, State.SHIPPED, State.DELIVERED}
