"""An order as callers see it: everything that is known of it, and nothing that is not for them."""

from dataclasses import fields, replace

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from ordermesh.order.v1 import order_pb2
from ordermesh.payment.v1 import payment_pb2
from ordermesh.tax.v1 import tax_pb2
from ordermesh.type.v1 import address_pb2, customer_pb2

from chassis.wire import money_to_wire
from kernel.errors import Reason
from order_svc import wire
from order_svc.domain.draft import CaptureMode, ItemKind
from order_svc.domain.fulfilment import Shipment
from order_svc.domain.order import Failure, Order, Stage, State
from order_svc.domain.payment import PaymentState, RefundState
from order_svc.domain.refund import RefundKind
from tests.fakes.order_samples import a_payment, an_order, euros
from tests.fakes.order_whole import GIVEN_BACK, LATER, a_whole_order

NOON = Timestamp(seconds=1_767_268_800)
MOMENT_LATER = Timestamp(seconds=1_767_268_800, nanos=1_000_000)


def empty_fields(message: Message, path: str = "") -> set[str]:
    """Return the paths of all fields that are not set, in the message and in those within it."""
    empty = set()
    for field in message.DESCRIPTOR.fields:
        value, name = getattr(message, field.name), f"{path}{field.name}"
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            empty |= {name} if not value else set()
        elif field.is_repeated:
            empty |= {name} if not value else empty_fields(value[-1], f"{name}.")
        else:
            empty |= empty_fields(value, f"{name}.") if message.HasField(field.name) else {name}
    return empty


def test_the_sample_leaves_nothing_out() -> None:
    order = a_whole_order()

    assert [each.name for each in fields(Order) if not getattr(order, each.name)] == []
    assert [each.name for each in fields(order.terms) if not getattr(order.terms, each.name)] == []
    assert [each.name for each in fields(order.shipments[0]) if not getattr(order.shipments[0], each.name)] == []
    assert [each.name for each in fields(order.refunds[0]) if not getattr(order.refunds[0], each.name)] == []


def test_an_order_says_everything_it_knows() -> None:
    message = wire.order_to_wire(a_whole_order())

    # The secret is for a customer who is waited for alone, and so is the time; the hold is over; these began at noon.
    assert empty_fields(message) == {
        "payment.client_secret",
        "expire_time",
        "payment.hold_expire_time",
        "payment.released.minor_units",
        "payment.disputes.create_time.nanos",
        "shipments.ship_time.nanos",
        "refunds.create_time.nanos",
        "create_time.nanos",
    }


def test_an_order_says_it_in_the_contracts_words() -> None:
    order = a_whole_order()
    message = wire.order_to_wire(order)

    assert message == order_pb2.Order(
        order_id=order.order_id,
        state=order_pb2.ORDER_STATE_FAILED,
        customer=customer_pb2.Customer(
            customer_id="c-1",
            email="ada@example.com",
            name="Ada Lovelace",
            locale="fr-CA",
            exemption_number="EX-1",
            entity_use_code="A",
            business_id="FR40303265045",
            provider_customer_id="cus_1",
        ),
        items=_items(),
        ship_to=address_pb2.Address(
            line1="1 rue de Rivoli",
            line2="2e étage",
            locality="Paris",
            administrative_area="75",
            postal_code="75001",
            region_code="FR",
        ),
        subtotal=money_to_wire(euros(3500)),
        tax=order_pb2.OrderTax(
            amount=money_to_wire(euros(583)),
            source=tax_pb2.TAX_SOURCE_FALLBACK,
            lines=[_tax_line("1", 667), _tax_line("2", 83), _tax_line("3", -167)],
            document_code="doc-1",
            difference=money_to_wire(euros(-7)),
        ),
        total=money_to_wire(euros(3500)),
        payment=_payment(),
        refunded=money_to_wire(euros(840)),
        failure=order_pb2.OrderFailure(reason="PAYMENT_DECLINED", decline_code="expired", message="Too late."),
        needs_review=True,
        reference="shop-1",
        version=7,
        create_time=NOON,
        update_time=MOMENT_LATER,
        prices_include_tax=True,
        capture_mode=payment_pb2.CAPTURE_MODE_ON_SHIPMENT,
        shipments=[
            order_pb2.Shipment(
                shipment_id="1",
                items=[order_pb2.OrderQuantity(sku="mug", quantity=1)],
                carrier="DHL",
                tracking_number="0034",
                tracking_url="https://dhl.example/0034",
                ship_time=NOON,
                deliver_time=MOMENT_LATER,
            )
        ],
        refunds=[_refund()],
        alerts=[
            order_pb2.OrderAlert(
                kind="refund.failed", subject="1", message="The refund has failed.", create_time=MOMENT_LATER
            )
        ],
        metadata={"channel": "web", "shelf": "7"},
        note="Call before.",
        etag="7",
        keep_after_decline=True,
    )


def _items() -> list[order_pb2.OrderItem]:
    return [
        order_pb2.OrderItem(
            sku="mug",
            description="A mug",
            quantity=2,
            unit_price=money_to_wire(euros(2000)),
            tax_code="P0000000",
            kind=order_pb2.ORDER_ITEM_KIND_ARTICLE,
        ),
        order_pb2.OrderItem(
            sku="post",
            description="By post",
            quantity=1,
            unit_price=money_to_wire(euros(500)),
            tax_code="FR020100",
            kind=order_pb2.ORDER_ITEM_KIND_SHIPPING,
        ),
        order_pb2.OrderItem(
            sku="code",
            description="Ten euros off",
            quantity=1,
            unit_price=money_to_wire(euros(-1000)),
            tax_code="OD010000",
            kind=order_pb2.ORDER_ITEM_KIND_DISCOUNT,
            applies_to_skus=["mug"],
        ),
    ]


def _tax_line(line_id: str, minor_units: int) -> tax_pb2.TaxLine:
    tax = money_to_wire(euros(minor_units))
    share = tax_pb2.TaxJurisdiction(name="FRANCE", kind="Country", rate="0.2", tax=tax)
    return tax_pb2.TaxLine(line_id=line_id, tax=tax, jurisdictions=[share])


def _payment() -> order_pb2.OrderPayment:
    return order_pb2.OrderPayment(
        payment_id="01980000-0000-7000-8000-0000000000aa",
        provider_payment_id="pi_1",
        payment_method="pm_card_visa",
        state=payment_pb2.PAYMENT_STATE_DECLINED,
        captured=money_to_wire(euros(3400)),
        released=money_to_wire(euros(0)),
        decline_code="insufficient_funds",
        decline_message="Your card has insufficient funds.",
        disputes=[
            payment_pb2.Dispute(
                provider_dispute_id="dp_1",
                state=payment_pb2.DISPUTE_STATE_NEEDS_RESPONSE,
                amount=money_to_wire(euros(3500)),
                reason="fraudulent",
                evidence_due_time=MOMENT_LATER,
                create_time=NOON,
            )
        ],
    )


def _refund() -> order_pb2.OrderRefund:
    return order_pb2.OrderRefund(
        refund_id="1",
        amount=money_to_wire(euros(840)),
        tax=money_to_wire(euros(140)),
        items=[order_pb2.OrderQuantity(sku="mug", quantity=1)],
        state=payment_pb2.REFUND_STATE_FAILED,
        reason="broken",
        provider_refund_id="re_1",
        failure_reason="expired_or_canceled_card",
        document_code="doc-1-r1",
        create_time=NOON,
        external=True,
    )


def test_a_new_order_says_nothing_that_it_does_not_know() -> None:
    message = wire.order_to_wire(an_order())

    for field in ("tax", "total", "failure", "expire_time"):
        assert not message.HasField(field)
    assert message.payment == order_pb2.OrderPayment(payment_method="pm_card_visa")
    assert message.refunded == money_to_wire(euros(0))
    assert not any([message.shipments, message.refunds, message.alerts, message.metadata, message.note])


def test_the_customers_secret_and_time_are_told_while_the_customer_has_to_act_and_never_else() -> None:
    waiting = replace(an_order(Stage.AWAITING_CUSTOMER), expires_at=LATER)

    told = wire.order_to_wire(waiting)
    assert (told.payment.client_secret, told.expire_time) == ("pi_secret", MOMENT_LATER)
    for state in set(State) - {State.PAYMENT_ACTION_REQUIRED}:
        told = wire.order_to_wire(replace(waiting, state=state))
        assert (told.payment.client_secret, told.HasField("expire_time")) == ("", False)


def test_why_an_order_fails_is_told_once_it_has_failed() -> None:
    undoing = an_order(Stage.UNDOING, failure=Failure(Reason.PROVIDER_REFUSED, "No."))

    assert not wire.order_to_wire(undoing).HasField("failure")
    assert wire.order_to_wire(replace(undoing, state=State.FAILED)).failure.message == "No."


def test_a_hold_says_until_when_and_what_of_it_was_let_go() -> None:
    held = an_order(
        Stage.HOLDING,
        state=State.AUTHORIZED,
        payment=a_payment(euros(7075), PaymentState.AUTHORIZED, hold_expires_at=LATER),
    )
    taken = replace(held, payment=a_payment(euros(7075), captured=euros(5000)))

    assert wire.order_to_wire(held).payment.hold_expire_time == MOMENT_LATER
    assert wire.order_to_wire(held).payment.released == money_to_wire(euros(0))
    assert wire.order_to_wire(taken).payment.released == money_to_wire(euros(2075))
    assert not wire.order_to_wire(taken).payment.HasField("hold_expire_time")


def test_why_a_card_was_declined_is_told_only_while_it_is() -> None:
    declined = an_order(Stage.AWAITING_CUSTOMER, payment=a_payment(euros(7075), PaymentState.DECLINED))
    paid = replace(declined, payment=a_payment(euros(7075), decline_code="insufficient_funds"))

    assert wire.order_to_wire(declined).payment.decline_code == "insufficient_funds"
    assert wire.order_to_wire(paid).payment.decline_code == ""


def test_a_shipment_that_waits_for_its_money_is_none_yet() -> None:
    order = an_order(Stage.CAPTURING, shipments=(Shipment(1, ()),))

    assert not wire.order_to_wire(order).shipments


def test_what_was_let_go_of_a_hold_is_no_refund() -> None:
    released = replace(GIVEN_BACK, number=2, kind=RefundKind.RELEASED)

    message = wire.order_to_wire(replace(a_whole_order(), refunds=(GIVEN_BACK, released)))

    assert [each.refund_id for each in message.refunds] == ["1"]


@pytest.mark.parametrize("kind", ItemKind)
def test_every_kind_of_line_is_told(kind: ItemKind) -> None:
    order = a_whole_order()
    (line,) = [each for each in wire.order_to_wire(order).items if order_pb2.OrderItemKind.Name(each.kind)[16:] == kind]

    assert line.sku == next(item.sku for item in order.draft.items if item.kind is kind)


@pytest.mark.parametrize("capture", CaptureMode)
def test_every_way_to_take_the_money_is_told(capture: CaptureMode) -> None:
    order = a_whole_order()
    told = wire.order_to_wire(replace(order, terms=replace(order.terms, capture=capture))).capture_mode

    assert payment_pb2.CaptureMode.Name(told) == f"CAPTURE_MODE_{capture.value}"


@pytest.mark.parametrize("state", RefundState)
def test_every_state_of_a_refund_is_told(state: RefundState) -> None:
    (told,) = wire.order_to_wire(replace(a_whole_order(), refunds=(replace(GIVEN_BACK, state=state),))).refunds

    assert payment_pb2.RefundState.Name(told.state) == f"REFUND_STATE_{state.value}"
