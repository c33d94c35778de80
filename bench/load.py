"""The load: orders placed over gRPC, so many in flight, each answer checked."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from ordermesh.type.v1 import address_pb2, customer_pb2, money_pb2

from chassis.trust.transport import Connect, plaintext

_CALL_SECONDS = 30.0


@dataclass
class Load:
    """What a slice of load saw.

    Attributes:
        seconds: From the first call to the last answer.
        latencies: Of each order, in seconds.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def orders(self) -> int:
        """Return how many orders were placed."""
        return len(self.latencies)


def request(key: str) -> order_service_pb2.PlaceOrderRequest:
    """Return an order as the README's example places it: two items, shipped to Seattle."""
    return order_service_pb2.PlaceOrderRequest(
        request_id=key,
        customer=customer_pb2.Customer(customer_id="bench", email="bench@shop.example", name="Bench"),
        items=[
            order_pb2.OrderItem(
                sku="MUG-1",
                description="Mug",
                quantity=2,
                unit_price=money_pb2.Money(currency_code="USD", minor_units=1250),
            ),
            order_pb2.OrderItem(
                sku="TEE-L",
                description="T-shirt",
                quantity=1,
                unit_price=money_pb2.Money(currency_code="USD", minor_units=2900),
            ),
        ],
        ship_to=address_pb2.Address(
            line1="1201 3rd Ave", locality="Seattle", administrative_area="WA", postal_code="98101", region_code="US"
        ),
        payment_method="pm_card_visa",
    )


async def place_orders(
    address: str,
    prefix: str,
    count: int,
    in_flight: int,
    accept: Callable[[order_pb2.Order], bool],
    connect: Connect = plaintext,
) -> Load:
    """Place orders and return what was seen.

    Args:
        address: Where order_svc listens.
        prefix: Makes the idempotency keys of this slice its own.
        count: How many orders.
        in_flight: How many at once.
        accept: Says whether an answer is as it has to be; a slice with a wrong answer is void.
        connect: Opens the channel.
    """
    load = Load()
    numbers = iter(range(count))
    channel = connect(address, [])
    try:
        stub = order_service_pb2_grpc.OrderServiceStub(channel)

        async def worker() -> None:
            for number in numbers:
                began = time.perf_counter()
                answer = await stub.PlaceOrder(request(f"{prefix}-{number}"), timeout=_CALL_SECONDS)
                load.latencies.append(time.perf_counter() - began)
                if not accept(answer.order):
                    raise SystemExit(f"an order came back {answer.order}")

        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        load.seconds = time.perf_counter() - began
    finally:
        await channel.close()
    return load
