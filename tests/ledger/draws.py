"""Random orders: any currency, any place, any mix of articles, shipping and discounts."""

import random

from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.payment.v1 import payment_pb2
from ordermesh.type.v1 import customer_pb2, money_pb2

from tests.ledger.places import BY_CODE, PLACES, Currency

VISA = "pm_card_visa"
DECLINED = "pm_card_chargeDeclined"
THREE_D_SECURE = "pm_card_threeDSecure2Required"
LATE_REFUNDS = "pm_card_pendingRefund"

_CARDS = {VISA: 84, LATE_REFUNDS: 6, THREE_D_SECURE: 4, DECLINED: 6}

# How many articles an order has, and how many pieces of each: mostly few, sometimes so many that they do not divide.
_ARTICLES = (1, 1, 1, 2, 2, 3, 4, 7)
_PIECES = (1, 1, 1, 1, 2, 2, 3, 7, 13)


def order(rng: random.Random, number: int) -> order_service_pb2.PlaceOrderRequest:
    """Return a random order with a key of its own."""
    place = rng.choice(PLACES)
    currency = BY_CODE[place.currency] if rng.random() < 0.8 else rng.choice(tuple(BY_CODE.values()))
    # A tax on three decimals seldom ends in a zero: with prices that include it there is something to charge.
    included = rng.random() < (0.9 if currency.step > 1 else 0.4)
    on_shipment = rng.random() < 0.4
    (card,) = rng.choices(list(_CARDS), list(_CARDS.values()))
    return order_service_pb2.PlaceOrderRequest(
        request_id=f"ledger-{number}",
        customer=_customer(rng, number),
        items=_items(rng, currency),
        ship_to=place.address,
        payment_method=card,
        reference=f"L-{number}",
        prices_include_tax=included,
        capture_mode=(payment_pb2.CAPTURE_MODE_ON_SHIPMENT if on_shipment else payment_pb2.CAPTURE_MODE_AT_PLACEMENT),
    )


def _customer(rng: random.Random, number: int) -> customer_pb2.Customer:
    exempt = rng.random()
    return customer_pb2.Customer(
        customer_id=f"c-{number}",
        email=f"customer{number}@example.com",
        name="A Customer",
        exemption_number="CERT-4711" if exempt < 0.04 else "",
        entity_use_code="G" if 0.04 <= exempt < 0.08 else "",
    )


def _items(rng: random.Random, currency: Currency) -> list[order_pb2.OrderItem]:
    articles = [_article(rng, currency, position) for position in range(rng.choice(_ARTICLES))]
    items = list(articles)
    if rng.random() < 0.6:
        items.append(
            order_pb2.OrderItem(
                sku="shipping",
                quantity=1,
                unit_price=_money(currency, 0 if rng.random() < 0.2 else _price(rng, currency, 20)),
                kind=order_pb2.ORDER_ITEM_KIND_SHIPPING,
            )
        )
    # Together they never take more than three quarters of any article.
    items += [_discount(rng, currency, articles, position) for position in range(rng.choice((0, 0, 0, 1, 1, 2)))]
    rng.shuffle(items)
    return items


def _article(rng: random.Random, currency: Currency, position: int) -> order_pb2.OrderItem:
    gift = position > 0 and rng.random() < 0.05
    return order_pb2.OrderItem(
        sku=f"SKU-{position}",
        description=f"Article {position}",
        quantity=rng.choice(_PIECES),
        unit_price=_money(currency, 0 if gift else _price(rng, currency, rng.choice((1, 5, 25)))),
        kind=order_pb2.ORDER_ITEM_KIND_ARTICLE,
    )


def _discount(
    rng: random.Random, currency: Currency, articles: list[order_pb2.OrderItem], position: int
) -> order_pb2.OrderItem:
    some = rng.random() < 0.5
    chosen = [each for each in articles if not some or rng.random() < 0.5] or articles
    worth = sum(each.quantity * each.unit_price.minor_units for each in chosen)
    if not worth:
        chosen, worth = articles, sum(each.quantity * each.unit_price.minor_units for each in articles)
    off = max(worth * rng.choice((5, 10, 15, 33)) // 100 // currency.step, 1) * currency.step
    return order_pb2.OrderItem(
        sku=f"DISCOUNT-{position}",
        quantity=1,
        unit_price=_money(currency, -off),
        kind=order_pb2.ORDER_ITEM_KIND_DISCOUNT,
        applies_to_skus=[each.sku for each in chosen] if chosen != articles else [],
    )


def _price(rng: random.Random, currency: Currency, cheaper: int) -> int:
    dearest = currency.dear // cheaper // currency.step
    return rng.randint(max(dearest // 10, 1), max(dearest, 1)) * currency.step


def _money(currency: Currency, units: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code=currency.code, minor_units=units)
