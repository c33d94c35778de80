"""Requests to the order service, as a shop sends them."""

from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.type.v1 import address_pb2, customer_pb2, money_pb2

from tests.fakes.order_samples import VISA


def place_request(request_id: str = "k-1", payment_method: str = VISA) -> order_service_pb2.PlaceOrderRequest:
    """Return the request for the usual order: two mugs and a hat for 58.97 EUR, to Paris."""
    return order_service_pb2.PlaceOrderRequest(
        request_id=request_id,
        customer=customer_pb2.Customer(customer_id="c-1", email="ada@example.com", name="Ada Lovelace"),
        items=[
            order_pb2.OrderItem(
                sku="mug",
                description="A mug",
                quantity=2,
                unit_price=money_pb2.Money(currency_code="EUR", minor_units=1999),
            ),
            order_pb2.OrderItem(
                sku="hat",
                quantity=1,
                unit_price=money_pb2.Money(currency_code="EUR", minor_units=1899),
                tax_code="PC040100",
            ),
        ],
        ship_to=address_pb2.Address(
            line1="1 rue de Rivoli", line2="2e étage", locality="Paris", postal_code="75001", region_code="FR"
        ),
        payment_method=payment_method,
        reference="shop-1",
    )
