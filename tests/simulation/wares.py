"""What the shops of the simulated world sell: in several currencies, with shipping, discounts and tax in the prices."""

import random

from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.payment.v1 import payment_pb2
from ordermesh.type.v1 import money_pb2

from tests.fakes.order_requests import place_request

# The last two have their own rules at Stripe: no decimals or three, of which the last must be 0.
_CURRENCIES = ("EUR", "EUR", "EUR", "USD", "JPY", "KWD")

ON_SHIPMENT = payment_pb2.CAPTURE_MODE_ON_SHIPMENT


def order_of(key: str, card: str, luck: random.Random) -> order_service_pb2.PlaceOrderRequest:
    """Return an order for mugs and a hat, on some terms or other. The shop's reference of it is its key."""
    request = usual(key, card)
    currency = luck.choice(_CURRENCIES)
    if luck.random() < 0.3:
        request.items.append(line("post", 490, order_pb2.ORDER_ITEM_KIND_SHIPPING))
    if luck.random() < 0.3:
        request.items.append(line("less", -510, order_pb2.ORDER_ITEM_KIND_DISCOUNT))
    request.prices_include_tax = luck.random() < 0.3
    for item in request.items:
        item.unit_price.currency_code = currency
        if currency == "KWD":
            item.unit_price.minor_units *= 10
    request.prices_include_tax |= currency == "KWD"
    if luck.random() < 0.4:
        request.capture_mode = ON_SHIPMENT
    request.keep_after_decline = luck.random() < 0.4
    return request


def usual(key: str, card: str) -> order_service_pb2.PlaceOrderRequest:
    """Return the usual order, with its key as the shop's reference."""
    request = place_request(key, card)
    request.reference = key
    return request


def line(sku: str, minor_units: int, kind: "order_pb2.OrderItemKind.ValueType") -> order_pb2.OrderItem:
    """Return a line of an order."""
    price = money_pb2.Money(currency_code="EUR", minor_units=minor_units)
    return order_pb2.OrderItem(sku=sku, quantity=1, unit_price=price, kind=kind)
