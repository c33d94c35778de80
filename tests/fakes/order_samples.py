"""Orders and what belongs to them, with values that a test may change one by one."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kernel.address import Address
from kernel.money import Money
from kernel.request import Request
from order_svc.domain.draft import Customer, Draft, Item, Terms
from order_svc.domain.order import Event, Order, Stage, State
from order_svc.domain.payment import Payment, PaymentRefund, PaymentState, RefundState
from order_svc.domain.step import Refunded
from order_svc.domain.tax import Jurisdiction, Tax, TaxLine, TaxSource

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
ORDER_ID = "01980000-0000-7000-8000-000000000001"
VISA = "pm_card_visa"


def euros(minor_units: int) -> Money:
    return Money("EUR", minor_units)


def a_draft(**changes: Any) -> Draft:  # noqa: ANN401  (fields of Draft)
    """Return two mugs and a hat for 58.97 EUR, to Paris."""
    draft = Draft(
        customer=Customer("c-1", "ada@example.com", "Ada Lovelace"),
        items=(
            Item("mug", "A mug", 2, euros(1999), ""),
            Item("hat", "", 1, euros(1899), "PC040100"),
        ),
        ship_to=Address("1 rue de Rivoli", "2e étage", "Paris", "", "75001", "FR"),
    )
    return replace(draft, **changes)


def a_tax(draft: Draft, source: TaxSource = TaxSource.AVATAX) -> Tax:
    """Return a fifth of every item."""
    lines = []
    for position, item in enumerate(draft.items, start=1):
        tax = Money(draft.currency_code, item.amount.minor_units // 5)
        lines.append(TaxLine(str(position), tax, (Jurisdiction("FRANCE", "Country", "0.2", tax),)))
    return Tax(Money.total((line.tax for line in lines), draft.currency_code), source, tuple(lines))


def a_payment(
    amount: Money,
    state: PaymentState = PaymentState.SUCCEEDED,
    order_id: str = ORDER_ID,
    **changes: Any,  # noqa: ANN401  (fields of Payment)
) -> Payment:
    """Return a payment in the state, with what usually goes with it."""
    nothing = Money.zero(amount.currency_code)
    payment = Payment(
        payment_id=str(uuid.uuid5(uuid.NAMESPACE_OID, order_id)),
        provider_payment_id=f"pi_{order_id[-6:]}",
        state=state,
        amount=amount,
        captured=amount if state is PaymentState.SUCCEEDED else nothing,
        refunded=nothing,
        client_secret="pi_secret" if state is PaymentState.ACTION_REQUIRED else "",
        decline_code="insufficient_funds" if state is PaymentState.DECLINED else "",
        decline_message="Your card has insufficient funds." if state is PaymentState.DECLINED else "",
    )
    return replace(payment, **changes)


def refunded(payment: Payment, *, failed: bool = False) -> Refunded:
    """Return what came of a refund, and what the payment then is."""
    state = RefundState.FAILED if failed else RefundState.SUCCEEDED
    return Refunded(payment, PaymentRefund("r-1", "re_1", state, payment.refunded))


def an_order(stage: Stage = Stage.QUOTING, **changes: Any) -> Order:  # noqa: ANN401  (fields of Order)
    """Return an order as it is when it has come to the stage."""
    draft = changes.pop("draft", None) or a_draft()
    order = Order(
        order_id=ORDER_ID,
        caller="local",
        draft=draft,
        payment_method=VISA,
        terms=Terms(reference="shop-1"),
        state=State.PENDING,
        stage=stage,
        version=1,
        created_at=NOW,
        updated_at=NOW,
    )
    if stage is not Stage.QUOTING:
        order = replace(order, tax=a_tax(draft), version=2, fence=2)
    if stage is Stage.AWAITING_CUSTOMER:
        assert order.total is not None
        payment = a_payment(order.total, PaymentState.ACTION_REQUIRED)
        order = replace(order, state=State.PAYMENT_ACTION_REQUIRED, payment=payment)
    return replace(order, **changes)


def a_request(request_id: str = "k-1", fingerprint: str = "f" * 64, caller: str = "local") -> Request:
    return Request(caller, request_id, fingerprint)


def an_event(order: Order, kind: str = "order.placed", **changes: Any) -> Event:  # noqa: ANN401  (fields of Event)
    event = Event(order.version, order.updated_at, kind, "request", order.state, {"a": "b"}, "0" * 31 + "1")
    return replace(event, **changes)
