"""An order of which everything is known, so that whatever forgets a field of it is seen."""

from datetime import timedelta

from kernel.address import Address
from kernel.errors import Reason
from kernel.money import Money
from order_svc.domain.draft import CaptureMode, Customer, Draft, Item, ItemKind, Terms
from order_svc.domain.fulfilment import Quantity, Shipment
from order_svc.domain.order import Alert, Failure, Order, Stage, State
from order_svc.domain.payment import Dispute, Payment, PaymentState, RefundState
from order_svc.domain.refund import Refund, RefundKind
from order_svc.domain.shares import Share
from order_svc.domain.tax import Jurisdiction, Tax, TaxLine, TaxSource
from tests.fakes.order_samples import NOW, ORDER_ID, euros

# Whatever keeps times keeps milliseconds at least.
LATER = NOW + timedelta(milliseconds=1)

CUSTOMER = Customer("c-1", "ada@example.com", "Ada Lovelace", "fr-CA", "EX-1", "A", "FR40303265045", "cus_1")
ITEMS = (
    Item("mug", "A mug", 2, euros(2000), "P0000000"),
    Item("post", "By post", 1, euros(500), "FR020100", ItemKind.SHIPPING),
    Item("code", "Ten euros off", 1, euros(-1000), "OD010000", ItemKind.DISCOUNT, ("mug",)),
)
DRAFT = Draft(
    CUSTOMER, ITEMS, Address("1 rue de Rivoli", "2e étage", "Paris", "75", "75001", "FR"), prices_include_tax=True
)
TERMS = Terms(
    CaptureMode.ON_SHIPMENT,
    off_session=True,
    save_payment_method=True,
    keep_after_decline=True,
    reference="shop-1",
    metadata=(("channel", "web"), ("shelf", "7")),
)
SHIPPED = Shipment(1, (Quantity("mug", 1),), "DHL", "0034", "https://dhl.example/0034", NOW, LATER, release_rest=True)
GIVEN_BACK = Refund(
    1,
    RefundKind.BY_HAND,
    (Share("1", euros(800), euros(160)), Share("3", euros(-100), euros(-20))),
    euros(840),
    NOW,
    (Quantity("mug", 1),),
    "broken",
    RefundState.FAILED,
    2,
    "r-1",
    "re_1",
    "expired_or_canceled_card",
    booked=True,
)
DISPUTE = Dispute("dp_1", "NEEDS_RESPONSE", euros(3500), "fraudulent", LATER, NOW)
ALERT = Alert("refund.failed", "1", "The refund has failed.", LATER)


def a_tax_line(line_id: str, minor_units: int) -> TaxLine:
    tax = euros(minor_units)
    return TaxLine(line_id, tax, (Jurisdiction("FRANCE", "Country", "0.2", tax),))


def a_whole_order() -> Order:
    """Return it: FAILED, so that also that is told; not all of it can be true of one order."""
    return Order(
        order_id=ORDER_ID,
        caller="local",
        draft=DRAFT,
        payment_method="pm_card_visa",
        state=State.FAILED,
        stage=Stage.UNDOING,
        version=7,
        created_at=NOW,
        updated_at=LATER,
        terms=TERMS,
        tax=Tax(euros(583), TaxSource.FALLBACK, (a_tax_line("1", 667), a_tax_line("2", 83), a_tax_line("3", -167))),
        payment=Payment(
            payment_id="01980000-0000-7000-8000-0000000000aa",
            provider_payment_id="pi_1",
            state=PaymentState.DECLINED,
            amount=euros(3500),
            captured=euros(3400),
            refunded=euros(840),
            client_secret="pi_secret",
            decline_code="insufficient_funds",
            decline_message="Your card has insufficient funds.",
            version=3,
            hold_expires_at=LATER,
            disputes=(DISPUTE,),
        ),
        failure=Failure(Reason.PAYMENT_DECLINED, "Too late.", "expired", "payment_method"),
        needs_review=True,
        tries=5,
        expires_at=LATER,
        tax_document="doc-1",
        traceparent="00-1",
        refund_number=4,
        attempt=2,
        cancelling=True,
        shipments=(SHIPPED,),
        refunds=(GIVEN_BACK,),
        alerts=(ALERT,),
        note="Call before.",
        tax_difference=Money("EUR", -7),
        refund_documents={1: "doc-1-r1"},
        fence=9,
    )
