"""The trace of each way that an order can go: what hangs where, what is marked, and that it tells nothing of a person.

All orders are placed on one mesh in this process, and each test looks at the waterfall of one, which is the one that
`ordermesh trace` and the console draw.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from chassis.telemetry import conventions
from chassis.telemetry.following import spans_of
from chassis.telemetry.setup import SPANS_FILE
from chassis.telemetry.store import StoredSpan
from chassis.telemetry.waterfall import rows
from tests.fakes import canaries
from tests.fakes.mesh_inside import MeshInside, mesh_inside
from tests.fakes.trace_shape import Shape, drawn, shape_in, shape_of, without_what_may_be
from tests.fakes.webhook_sink import webhook_sink
from tests.fakes.whole_mesh import EXAMPLE, PATIENCE_SECONDS, until

# order_svc/domain/saga.py: what is asked and answered later is one more span or two.
_FIRST_POLL_SECONDS = 1.0

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True)
class Orders:
    """What was placed.

    Attributes:
        mesh: Where.
        ids: Of the orders, by how they went.
    """

    mesh: MeshInside
    ids: dict[str, str]

    async def spans(self, way: str) -> list[StoredSpan]:
        """Return the spans of an order."""
        story = (await self.mesh.rest.get(f"/orders/{self.ids[way]}:explain")).json()
        self.mesh.telemetry.flush()
        return spans_of(self.mesh.data_dir, story["trace_ids"])

    async def shape(self, way: str, wanted: Shape) -> Shape:
        """Return the shape of an order's waterfall, once it is as wanted or has had the time to be so."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            shape = shape_of(rows(await self.spans(way)))
            found, needed = without_what_may_be(shape, wanted)
            if found == needed or time.monotonic() > until:
                return shape
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
async def orders(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Orders]:
    folder = tmp_path_factory.mktemp("traces")
    async with webhook_sink() as (_, hook), mesh_inside(folder) as mesh:
        told = {"url": hook, "event_types": ["order.paid"]}
        await _done(mesh, "/webhookEndpoints", "hook", told)
        yield Orders(mesh, await _all_ways(mesh))


async def _all_ways(mesh: MeshInside) -> dict[str, str]:
    """Place an order for each way; those during which something is away come when nothing else is under way."""
    await _fault(mesh, "avatax", {"mode": "outage", "times": 2})
    ids = {"estimated": (await _placed(mesh, "estimated"))["order_id"]}
    await _until_told(mesh, ids["estimated"], "tax.committed")
    await _fault(mesh, "sendgrid", {"mode": "error", "status": 503, "operation": "mail.send", "times": 1})
    ids["mail"] = (await _placed(mesh, "mail"))["order_id"]
    await _until_over(mesh, "sendgrid")
    ids |= {"secured": await _confirmed(mesh), "success": (await _placed(mesh, "success"))["order_id"]}
    declined = await _placed(mesh, "declined", payment_method="pm_card_chargeDeclinedInsufficientFunds")
    ids["declined"] = declined["metadata"]["orderId"]
    ids["refunded"] = (await _placed(mesh, "refunded"))["order_id"]
    await _done(mesh, f"/orders/{ids['refunded']}:refund", "refund", {"reason": "c4n4ryPLAIN"})
    return ids


async def _confirmed(mesh: MeshInside) -> str:
    """Place an order whose customer confirms the payment before the order first asks after it by itself."""
    for attempt in range(10):
        began = time.monotonic()
        order = await _placed(mesh, f"secured-{attempt}", payment_method="pm_card_authenticationRequired")
        intent = order["payment"]["provider_payment_id"]
        await mesh.sandbox.post(f"/stripe/_sandbox/payment_intents/{intent}/authenticate", json={"outcome": "succeed"})
        if time.monotonic() - began < _FIRST_POLL_SECONDS:
            break
    order_id: str = order["order_id"]
    return order_id


async def _placed(mesh: MeshInside, key: str, **changes: object) -> dict[str, Any]:
    """Place an order that is full of personal data."""
    order = {
        **EXAMPLE,
        "customer": {"customer_id": "c4n4ryCUSTOMER", "email": "c4n4ryMAILBOX@example.com", "name": "Ada c4n4ryNAME"},
        "ship_to": {**EXAMPLE["ship_to"], "line2": "c/o c4n4ryNAME"},
        "reference": "c4n4ryPLAIN",
        "note": "call c4n4ryNAME",
        "metadata": {"a": "c4n4ryPLAIN"},
        **changes,
    }
    headers = {**canaries.HARMLESS_HEADERS, "Idempotency-Key": key}
    answer: dict[str, Any] = (await mesh.rest.post("/orders", json=order, headers=headers)).json()
    return answer


async def _done(mesh: MeshInside, path: str, key: str, body: dict[str, Any]) -> None:
    (await mesh.rest.post(path, json=body, headers={"Idempotency-Key": key})).raise_for_status()


async def _fault(mesh: MeshInside, provider: str, fault: dict[str, Any]) -> None:
    (await mesh.sandbox.put(f"/faults/{provider}", json=fault)).raise_for_status()


async def _until_told(mesh: MeshInside, order_id: str, kind: str) -> None:
    async def told() -> bool:
        return kind in (await mesh.rest.get(f"/orders/{order_id}:explain")).text

    await until(told)


async def _until_over(mesh: MeshInside, provider: str) -> None:
    async def over() -> bool:
        return not (await mesh.sandbox.get(f"/faults/{provider}")).json()[provider]

    await until(over)


async def assert_shape(orders: Orders, way: str, text: str) -> None:
    wanted = shape_in(text)
    found, needed = without_what_may_be(await orders.shape(way, wanted), wanted)
    assert drawn(found) == drawn(needed)


async def test_an_order_that_is_paid_at_once(orders: Orders) -> None:
    await assert_shape(
        orders,
        "success",
        """
        gateway server POST /api/v1/orders
          gateway client OrderService/PlaceOrder
            order server OrderService/PlaceOrder
              order internal saga quote_tax
                order client TaxService/QuoteTax
                  tax server TaxService/QuoteTax
                    tax client POST create_sales_order
              order internal saga charge
                order client PaymentService/ChargePayment
                  payment server PaymentService/ChargePayment
                    payment client POST create_payment_intent
                    payment client POST confirm_payment_intent
                    ? linked gateway server POST /webhooks/stripe
              linked order producer task commit_tax
                order client TaxService/CommitTax
                  tax server TaxService/CommitTax
                    tax client POST create_sales_invoice
              linked order producer task send_confirmation
                order client NotifyService/SendNotification
                  notify server NotifyService/SendNotification
                    linked notify consumer send mail
                      notify client POST send_mail
                    linked gateway server POST /webhooks/sendgrid
                      gateway client NotifyService/IngestSendgridEvents
                        notify server NotifyService/IngestSendgridEvents
              linked order producer webhook order.paid
                order client POST deliver
        """,
    )


async def test_an_order_while_avatax_is_away_for_a_quote_and_a_document(orders: Orders) -> None:
    await assert_shape(
        orders,
        "estimated",
        """
        gateway server POST /api/v1/orders
          gateway client OrderService/PlaceOrder
            order server OrderService/PlaceOrder
              order internal saga quote_tax
                order client TaxService/QuoteTax
                  tax server TaxService/QuoteTax · fallback
                    tax client POST create_sales_order: lost
              order internal saga charge
                order client PaymentService/ChargePayment
                  payment server PaymentService/ChargePayment
                    payment client POST create_payment_intent
                    payment client POST confirm_payment_intent
                    ? linked gateway server POST /webhooks/stripe
              linked order producer task commit_tax
                order client TaxService/CommitTax
                  tax server TaxService/CommitTax: UNAVAILABLE
                    tax client POST create_sales_invoice: lost
                  tax server TaxService/CommitTax · again
                    tax client POST create_sales_invoice
              ? linked order producer task send_confirmation
              ? linked order producer webhook order.paid
        """,
    )


async def test_an_order_whose_card_is_declined(orders: Orders) -> None:
    await assert_shape(
        orders,
        "declined",
        """
        gateway server POST /api/v1/orders
          gateway client OrderService/PlaceOrder: FAILED_PRECONDITION
            order server OrderService/PlaceOrder
              order internal saga quote_tax
                order client TaxService/QuoteTax
                  tax server TaxService/QuoteTax
                    tax client POST create_sales_order
              order internal saga charge
                order client PaymentService/ChargePayment
                  payment server PaymentService/ChargePayment · declined
                    payment client POST create_payment_intent
                    payment client POST confirm_payment_intent: HTTP 402
                    ? linked gateway server POST /webhooks/stripe
              linked order internal resume order
                order internal saga cancel_payment
                  order client PaymentService/CancelPayment
                    payment server PaymentService/CancelPayment · cancelled
                      payment client POST cancel_payment_intent
        """,
    )


async def test_an_order_whose_customer_confirms_the_payment(orders: Orders) -> None:
    # The order asks after the payment by itself as well, and may find it made before payment_svc tells.
    await assert_shape(
        orders,
        "secured",
        """
        gateway server POST /api/v1/orders
          gateway client OrderService/PlaceOrder
            order server OrderService/PlaceOrder
              order internal saga quote_tax
                order client TaxService/QuoteTax
                  tax server TaxService/QuoteTax
                    tax client POST create_sales_order
              order internal saga charge
                order client PaymentService/ChargePayment
                  payment server PaymentService/ChargePayment · action required
                    payment client POST create_payment_intent
                    payment client POST confirm_payment_intent
                    linked gateway server POST /webhooks/stripe
                      gateway client PaymentService/IngestStripeEvent
                        payment server PaymentService/IngestStripeEvent
                          linked payment consumer apply_event
                            ? payment client GET retrieve_payment_intent
                    ? linked payment consumer resume_payment
              ? linked order internal hear news
              linked order internal resume order
                order internal saga read_payment
                  order client PaymentService/ConfirmPayment
                    payment server PaymentService/ConfirmPayment
                      payment client GET retrieve_payment_intent
                      payment client GET list_refunds
                linked order producer task commit_tax
                  order client TaxService/CommitTax
                    tax server TaxService/CommitTax
                      tax client POST create_sales_invoice
                linked order producer task send_confirmation
                  order client NotifyService/SendNotification
                    notify server NotifyService/SendNotification
                      linked notify consumer send mail
                        notify client POST send_mail
                      linked gateway server POST /webhooks/sendgrid
                        gateway client NotifyService/IngestSendgridEvents
                          notify server NotifyService/IngestSendgridEvents
              linked order producer webhook order.paid
                order client POST deliver
        """,
    )


async def test_an_order_that_is_paid_back(orders: Orders) -> None:
    # SendGrid may tell of both of its mails in one batch, which is drawn under one of them.
    await assert_shape(
        orders,
        "refunded",
        """
        gateway server POST /api/v1/orders
          gateway client OrderService/PlaceOrder
            order server OrderService/PlaceOrder
              order internal saga quote_tax
                order client TaxService/QuoteTax
                  tax server TaxService/QuoteTax
                    tax client POST create_sales_order
              order internal saga charge
                order client PaymentService/ChargePayment
                  payment server PaymentService/ChargePayment
                    payment client POST create_payment_intent
                    payment client POST confirm_payment_intent
                    ? linked gateway server POST /webhooks/stripe
              linked order producer task commit_tax
                order client TaxService/CommitTax
                  tax server TaxService/CommitTax
                    tax client POST create_sales_invoice
              ? linked order producer task send_confirmation
              linked gateway server POST /api/v1/orders/{order_id}:refund
                gateway client OrderService/RefundOrder
                  order server OrderService/RefundOrder
                    order internal saga give_back
                      order client PaymentService/RefundPayment
                        payment server PaymentService/RefundPayment
                          payment client POST create_refund
                    linked order producer task refund_tax
                      order client TaxService/RefundTax
                        tax server TaxService/RefundTax
                          tax client POST create_return_invoice
                    linked order producer task send_refunded
                      order client NotifyService/SendNotification
                        notify server NotifyService/SendNotification
                          linked notify consumer send mail
                            notify client POST send_mail
                          ? linked gateway server POST /webhooks/sendgrid
              ? linked order producer webhook order.paid
        """,
    )


async def test_a_mail_that_is_sent_at_the_second_try(orders: Orders) -> None:
    await assert_shape(
        orders,
        "mail",
        """
        gateway server POST /api/v1/orders
          gateway client OrderService/PlaceOrder
            order server OrderService/PlaceOrder
              ? order internal saga quote_tax
              ? order internal saga charge
              ? linked order producer task commit_tax
              linked order producer task send_confirmation
                order client NotifyService/SendNotification
                  notify server NotifyService/SendNotification
                    linked notify consumer send mail: SendGrid answered 503 · postponed
                      notify client POST send_mail: HTTP 503
                    linked notify consumer send mail · again
                      notify client POST send_mail
                    linked gateway server POST /webhooks/sendgrid
                      gateway client NotifyService/IngestSendgridEvents
                        notify server NotifyService/IngestSendgridEvents
              ? linked order producer webhook order.paid
        """,
    )


async def test_no_span_tells_anything_of_a_person(orders: Orders) -> None:
    """Nothing of the kind is in the store, in no place of it; and attributes are of the few that are known."""
    known = {name for name in vars(conventions).values() if isinstance(name, str)}
    stored = (orders.mesh.data_dir / SPANS_FILE).with_name(f"{SPANS_FILE}-wal")
    orders.mesh.telemetry.flush()
    spans = [span for way in orders.ids for span in await orders.spans(way)]

    assert {name for span in spans for name in span.attributes} <= known
    assert {span.service for span in spans} == {"gateway", "order", "tax", "payment", "notify"}
    for path in (orders.mesh.data_dir / SPANS_FILE, stored):
        assert canaries.found_in(path.read_bytes()) == []


def test_a_wrong_shape_is_told_from_the_right_one() -> None:
    wanted = shape_in("""
        a
          b
            ? luck
          ? c
            d
    """)

    for text in ("a\n  b", "a\n  b\n  c", "a\n  b\n    luck\n      e"):
        found, needed = without_what_may_be(shape_in(text), wanted)
        assert drawn(found) == drawn(needed), text
    for text in ("a", "a\n  b\n  e", "b", "a\n  b\n    d", "a\nb"):
        found, needed = without_what_may_be(shape_in(text), wanted)
        assert drawn(found) != drawn(needed), text
