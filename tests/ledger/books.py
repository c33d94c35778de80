"""Everybody's books, read once all is done: orders, our payments, and what the sandbox's providers have on record."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from ordermesh.client import AsyncClient
from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2

Json = dict[str, Any]

# A sale's document has the order's id as its code, a return's has more behind it.
_ID = 36

_PAGE = 200
_SECONDS = 120.0


@dataclass(slots=True)
class OrderBooks:
    """What everybody has of one order.

    Attributes:
        order: As order_svc lists it.
        payments: Of it, as payment_svc lists them.
        charges: Of it at Stripe, which took or hold money.
        refunds: Of it at Stripe.
        documents: Of it at AvaTax.
    """

    order: order_pb2.Order
    payments: list[payment_pb2.Payment] = field(default_factory=list)
    charges: list[Json] = field(default_factory=list)
    refunds: list[Json] = field(default_factory=list)
    documents: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class Books:
    """All of them.

    Attributes:
        orders: By their ids.
        strays: What providers have of no order, in words.
    """

    orders: dict[str, OrderBooks]
    strays: list[str] = field(default_factory=list)


async def read_books(client: AsyncClient, sandbox: httpx.AsyncClient) -> Books:
    """Read everything: the providers first, so that whatever they show has its order among ours."""
    ledger: Json = (await sandbox.get("/ledger", timeout=_SECONDS)).json()
    payments = await _payments(client)
    books = Books({order.order_id: OrderBooks(order) for order in await _orders(client)})
    for payment in payments:
        _of(books, payment.order_id, payment.payment_id).payments.append(payment)
    intents: dict[str, str] = {}
    for charge in ledger["charges"]:
        order_id = charge["metadata"].get("order_id", "")
        intents[charge["payment_intent"]] = order_id
        _of(books, order_id, charge["payment_intent"]).charges.append(charge)
    for refund in ledger["refunds"]:
        _of(books, intents.get(refund["payment_intent"], ""), refund["refund"]).refunds.append(refund)
    for document in ledger["documents"]:
        _of(books, document["code"][:_ID], document["code"]).documents.append(document)
    return books


def _of(books: Books, order_id: str, what: str) -> OrderBooks:
    found = books.orders.get(order_id)
    if found is None:
        books.strays.append(f"{what} is of no order")
        return OrderBooks(order_pb2.Order())
    return found


async def _orders(client: AsyncClient) -> Sequence[order_pb2.Order]:
    request = order_service_pb2.ListOrdersRequest(page_size=_PAGE)
    found: list[order_pb2.Order] = []
    while True:
        page = await client.orders.ListOrders(request, timeout=_SECONDS)
        found += page.orders
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def _payments(client: AsyncClient) -> Sequence[payment_pb2.Payment]:
    request = payment_service_pb2.ListPaymentsRequest(page_size=_PAGE)
    found: list[payment_pb2.Payment] = []
    while True:
        page = await client.payments.ListPayments(request, timeout=_SECONDS)
        found += page.payments
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token
