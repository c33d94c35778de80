"""A shop that sees one order through: places it, ships it, gives back, cancels, and writes down what it was told."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import httpx
from ordermesh.client import (
    AsyncClient,
    DeadlineExceeded,
    IllegalState,
    OrdermeshError,
    Overloaded,
    PaymentDeclined,
    RefundExceedsPayment,
    Unavailable,
    ValidationFailed,
)
from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.payment.v1 import payment_pb2
from ordermesh.type.v1 import money_pb2

from tests.fakes.sandbox_world import STRIPE_KEY
from tests.ledger import draws, worth
from tests.ledger.places import BY_CODE

# What passes is asked for again with the same key for this long. The machine may be busy with other things.
_PATIENCE_SECONDS = 300.0
_PAUSE_SECONDS = 0.5

# How often money is given back in Stripe's dashboard.
_BY_HAND = 0.08

_KEPT = {
    order_pb2.ORDER_STATE_PAID,
    order_pb2.ORDER_STATE_PROCESSING,
    order_pb2.ORDER_STATE_SHIPPED,
    order_pb2.ORDER_STATE_DELIVERED,
}


@dataclass(slots=True)
class Told:
    """What became of one random order, as its shop knows it.

    Attributes:
        number: Which order.
        order_id: Empty when it was refused before it was stored.
        did: What was done, in words.
        given_back: What was asked back by amount, in minor units.
        refused: The reasons of refusals, each of which is fine by itself.
        complaints: What must not be.
    """

    number: int
    order_id: str = ""
    did: list[str] = field(default_factory=list)
    given_back: int = 0
    refused: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class Shop:
    """Sees orders through, each with randomness of its own.

    Args:
        client: The services.
        sandbox: The providers, for what somebody does there by hand.
        seed: What all draws come from.
    """

    def __init__(self, client: AsyncClient, sandbox: httpx.AsyncClient, seed: int) -> None:
        self._client = client
        self._sandbox = sandbox
        self._seed = seed

    async def see_through(self, number: int) -> Told:
        """See the order of that number through to wherever it goes."""
        rng = random.Random(f"{self._seed}:{number}")
        told = Told(number)
        try:
            order = await self._place(draws.order(rng, number), told)
            if order is not None:
                await self._follow(rng, order, told)
        except OrdermeshError as error:
            told.complaints.append(f"{told.did}: {type(error).__name__} {error.reason}: {error.message}")
        return told

    async def _place(self, request: order_service_pb2.PlaceOrderRequest, told: Told) -> order_pb2.Order | None:
        try:
            order: order_pb2.Order = (await self._patiently(self._client.orders.PlaceOrder, request)).order
        except (PaymentDeclined, ValidationFailed) as error:
            told.did.append("refused")
            told.refused.append(error.reason)
            told.order_id = error.metadata.get("orderId", "")
            return None
        told.order_id = order.order_id
        if order.state == order_pb2.ORDER_STATE_PENDING:
            async for seen in self._client.watch_order(told.order_id, timeout=_PATIENCE_SECONDS):
                order = seen
                if order.state != order_pb2.ORDER_STATE_PENDING:
                    break
        return order

    async def _follow(self, rng: random.Random, order: order_pb2.Order, told: Told) -> None:
        if order.state == order_pb2.ORDER_STATE_PAYMENT_ACTION_REQUIRED:
            await self._cancel(order, told)
            return
        if order.state == order_pb2.ORDER_STATE_AUTHORIZED:
            if rng.random() < 0.2:
                await self._cancel(order, told)
                return
            if rng.random() < 0.9:
                order = await self._ship(rng, order, told)
        for act in range(rng.choice((0, 1, 1, 2, 3, 5))):
            if order.state not in _KEPT:
                return
            await self._once_more(rng, order, told, f"ledger-{told.number}-{act}")
            order = await self._read(order.order_id)

    async def _once_more(self, rng: random.Random, order: order_pb2.Order, told: Told, key: str) -> None:
        refunds = (self._refund_items, self._refund_items, self._refund_amount, self._refund_rest)
        do = self._refund_by_hand if rng.random() < _BY_HAND else rng.choice((*refunds, self._go_on))
        try:
            await do(rng, order, told, key)
        except (IllegalState, RefundExceedsPayment, ValidationFailed) as error:
            told.refused.append(error.reason)

    async def _cancel(self, order: order_pb2.Order, told: Told) -> None:
        told.did.append("cancel")
        request = order_service_pb2.CancelOrderRequest(request_id=f"{told.number}-cancel", order_id=order.order_id)
        await self._patiently(self._client.orders.CancelOrder, request)

    async def _ship(self, rng: random.Random, order: order_pb2.Order, told: Told) -> order_pb2.Order:
        """Ship the first of a hold: all of it, or some of it with or without more to come."""
        items = _some(rng, _unshipped(order)) if rng.random() < 0.6 else []
        request = order_service_pb2.ShipOrderRequest(
            request_id=f"{told.number}-ship",
            order_id=order.order_id,
            carrier="DHL",
            items=items,
            release_rest=bool(items) and rng.random() < 0.6,
        )
        told.did.append(f"ship {_words(items)}{' and no more' if request.release_rest else ''}")
        try:
            await self._patiently(self._client.orders.ShipOrder, request)
            shipped = await self._shipped(order.order_id, told)
        except ValidationFailed as error:
            told.refused.append(error.reason)
            return await self._read(order.order_id)
        if request.release_rest:
            rest = [order_pb2.OrderQuantity(sku=sku, quantity=count) for sku, count in _unshipped(shipped).items()]
            _compare(told, order, "let go", shipped.payment.released.minor_units, worth.of_items(order, rest))
        return shipped

    async def _shipped(self, order_id: str, told: Told) -> order_pb2.Order:
        """Return the order once its first shipment has its money: ShipOrder may have answered before."""
        end = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while not (order := await self._read(order_id)).shipments:
            if asyncio.get_running_loop().time() > end:
                told.complaints.append(f"{told.did}: nothing was shipped")
                return order
            await asyncio.sleep(_PAUSE_SECONDS)
        return order

    async def _go_on(self, rng: random.Random, order: order_pb2.Order, told: Told, key: str) -> None:
        if order.state in {order_pb2.ORDER_STATE_PAID, order_pb2.ORDER_STATE_PROCESSING} and rng.random() < 0.7:
            told.did.append("ship")
            left = _unshipped(order)
            items = _some(rng, left) if left and rng.random() < 0.5 else []
            request = order_service_pb2.ShipOrderRequest(request_id=key, order_id=order.order_id, items=items)
            await self._patiently(self._client.orders.ShipOrder, request)
        else:
            told.did.append("deliver")
            deliver = order_service_pb2.DeliverOrderRequest(request_id=key, order_id=order.order_id)
            await self._patiently(self._client.orders.DeliverOrder, deliver)

    async def _refund_items(self, rng: random.Random, order: order_pb2.Order, told: Told, key: str) -> None:
        left = _unrefunded(order)
        if not left:
            return
        items = _some(rng, left)
        told.did.append(f"refund {_words(items)}")
        request = order_service_pb2.RefundOrderRequest(request_id=key, order_id=order.order_id, items=items)
        after = (await self._patiently(self._client.orders.RefundOrder, request)).order
        if not told.given_back and not order.payment.released.minor_units:
            (refund,) = after.refunds[len(order.refunds) : len(order.refunds) + 1]
            _compare(told, order, f"refund {_words(items)}", refund.amount.minor_units, worth.of_items(order, items))
        self._look_at_refund(after, told)

    async def _refund_amount(self, rng: random.Random, order: order_pb2.Order, told: Told, key: str) -> None:
        units = _some_of(rng, order)
        told.did.append(f"refund {units}")
        request = order_service_pb2.RefundOrderRequest(
            request_id=key,
            order_id=order.order_id,
            amount=money_pb2.Money(currency_code=order.subtotal.currency_code, minor_units=units),
        )
        after = (await self._patiently(self._client.orders.RefundOrder, request)).order
        told.given_back += units
        self._look_at_refund(after, told)

    async def _refund_by_hand(self, rng: random.Random, order: order_pb2.Order, told: Told, key: str) -> None:
        """Give back at Stripe itself, and wait until the order has taken it in."""
        units = _some_of(rng, order)
        told.did.append(f"refund {units} by hand")
        form = {
            "payment_intent": order.payment.provider_payment_id,
            "amount": f"{units * BY_CODE[order.subtotal.currency_code].stripe}",
        }
        refund_id = await self._by_hand(form, {**STRIPE_KEY, "Idempotency-Key": key})
        told.given_back += units
        end = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while refund_id not in {each.provider_refund_id for each in (await self._read(order.order_id)).refunds}:
            if asyncio.get_running_loop().time() > end:
                told.complaints.append(f"{told.did}: the order has not taken in {refund_id}")
                return
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _by_hand(self, form: dict[str, str], headers: dict[str, str]) -> str:
        while True:
            try:
                answer = await self._sandbox.post("/stripe/v1/refunds", data=form, headers=headers)
            except httpx.TransportError:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            answer.raise_for_status()
            refund_id: str = answer.json()["id"]
            return refund_id

    async def _refund_rest(self, rng: random.Random, order: order_pb2.Order, told: Told, key: str) -> None:
        if rng.random() < 0.5:
            return
        told.did.append("refund the rest")
        request = order_service_pb2.RefundOrderRequest(request_id=key, order_id=order.order_id)
        after = (await self._patiently(self._client.orders.RefundOrder, request)).order
        told.given_back += after.refunds[-1].amount.minor_units
        self._look_at_refund(after, told)

    def _look_at_refund(self, order: order_pb2.Order, told: Told) -> None:
        for refund in order.refunds:
            if refund.state == payment_pb2.REFUND_STATE_FAILED:
                told.complaints.append(f"{told.did}: refund {refund.refund_id} failed: {refund.failure_reason}")

    async def _read(self, order_id: str) -> order_pb2.Order:
        request = order_service_pb2.GetOrderRequest(order_id=order_id)
        order: order_pb2.Order = (await self._patiently(self._client.orders.GetOrder, request)).order
        return order

    async def _patiently(self, call: Callable[..., Awaitable[Any]], request: object) -> Any:  # noqa: ANN401  (any answer)
        end = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while True:
            try:
                return await call(request)
            except (Unavailable, DeadlineExceeded, Overloaded) as error:
                if asyncio.get_running_loop().time() > end:
                    raise
                await asyncio.sleep(max(error.retry_after or 0.0, _PAUSE_SECONDS))


def _compare(told: Told, order: order_pb2.Order, what: str, units: int, exact: Fraction) -> None:
    """Complain when an amount is further from its exact worth than rounding each line once, price and tax, explains."""
    if abs(units - exact) > 2 * len(order.items) * BY_CODE[order.subtotal.currency_code].step:
        told.complaints.append(f"{what} was {units}, and is worth {float(exact):.3f}")


def _some_of(rng: random.Random, order: order_pb2.Order) -> int:
    """Return some of what is left of an order, in minor units."""
    kept: int = order.payment.captured.minor_units - order.refunded.minor_units
    step = BY_CODE[order.subtotal.currency_code].step
    return rng.randint(1, max(kept // step * rng.choice((10, 50, 100)) // 100, 1)) * step


def _some(rng: random.Random, left: Counter[str]) -> list[order_pb2.OrderQuantity]:
    skus = [sku for sku in sorted(left) if rng.random() < 0.6] or [rng.choice(sorted(left))]
    return [order_pb2.OrderQuantity(sku=sku, quantity=rng.randint(1, left[sku])) for sku in skus]


def _unshipped(order: order_pb2.Order) -> Counter[str]:
    left = Counter({each.sku: each.quantity for each in order.items if each.kind == order_pb2.ORDER_ITEM_KIND_ARTICLE})
    for shipment in order.shipments:
        left.subtract(_counts(shipment.items))
    return +left


def _unrefunded(order: order_pb2.Order) -> Counter[str]:
    """Return what can still be given back by lines: articles and shipping, not discounts."""
    left = Counter({each.sku: each.quantity for each in order.items if each.unit_price.minor_units >= 0})
    for refund in order.refunds:
        if refund.state != payment_pb2.REFUND_STATE_FAILED:
            left.subtract(_counts(refund.items))
    return +left


def _counts(items: Any) -> Counter[str]:  # noqa: ANN401  (a repeated field)
    return Counter({each.sku: each.quantity for each in items})


def _words(items: list[order_pb2.OrderQuantity]) -> str:
    return ", ".join(f"{each.quantity} {each.sku}" for each in items) or "all"
