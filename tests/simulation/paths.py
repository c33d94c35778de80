"""The ways that an order can go: the exhaustive pass lets everything go wrong on each of them, once, everywhere."""

from tests.fakes.payment_gateway import DECLINED, MISSING, SLOW_BANK, THREE_D_SECURE, VISA
from tests.simulation.chaos import Outage
from tests.simulation.errands import (
    CANCEL,
    DELIVER,
    NOTE,
    PROCESS,
    REFUND,
    REFUND_A_MUG,
    RETRY,
    SHIP,
    SHIP_A_MUG,
    SHIP_MUGS_ONLY,
    Errand,
    confirm_with,
    refund_of,
)
from tests.simulation.script import Cue, Path
from tests.simulation.wares import ON_SHIPMENT

# An order that waits for its customer is given up after 6 s, and the first try to cancel its payment does not arrive:
# a customer who acts meanwhile has paid for an order that is being given up.
_TOO_LATE = (6.9, True)
_NOT_CANCELLED_YET = Cue("not_sent", "payment.CancelPayment", 1)

_HELD = {"capture_mode": ON_SHIPMENT}
_IN_TWO = (Errand(SHIP_A_MUG, 0.6), Errand(SHIP), Errand(DELIVER))
_ALL_AT_ONCE = (Errand(NOTE, 0.6), Errand(SHIP), Errand(DELIVER))
_OPEN_TO_ANOTHER = {"keep_after_decline": True}

# An errand begins when the one before it is settled; the first, when the order is there. It is paid by then.
_SOON = 0.6

# A day and some, by when a refund that failed was tried again.
_TRIED_AGAIN = 108_000.0

PATHS: tuple[Path, ...] = (
    Path("paid", "PAID"),
    Path("paid at the fallback rate", "PAID", ("avatax.record:after",), outages=(Outage("avatax", 0.0, 5.0),)),
    Path("declined", "FAILED", ("stripe.confirm:after",), card=DECLINED),
    Path("unknown card", "FAILED", ("stripe.confirm:after",), card=MISSING),
    Path("refused address", "FAILED", ("avatax.quote:after",), postal_code="00000"),
    Path("slow bank", "PAID", ("stripe.read",), card=SLOW_BANK),
    Path("3-D Secure", "PAID", ("payment.IngestStripeEvent",), card=THREE_D_SECURE, customer=(3.0, True)),
    Path(
        "3-D Secure whose event is lost",
        "PAID",
        ("payment.ConfirmPayment",),
        card=THREE_D_SECURE,
        customer=(3.0, True),
        faults=(Cue("lost_event", "event.payment_intent.succeeded", 1),),
    ),
    Path("3-D Secure failed", "FAILED", ("stripe.cancel",), card=THREE_D_SECURE, customer=(3.0, False)),
    Path("3-D Secure never finished", "FAILED", ("stripe.cancel",), card=THREE_D_SECURE),
    Path(
        "paid too late and refunded",
        "FAILED",
        ("stripe.refund",),
        card=THREE_D_SECURE,
        customer=_TOO_LATE,
        faults=(_NOT_CANCELLED_YET,),
    ),
    Path(
        "refund answered with an error",
        "FAILED",
        ("stripe.find",),
        card=THREE_D_SECURE,
        customer=_TOO_LATE,
        faults=(_NOT_CANCELLED_YET, Cue("error_after", "stripe.refund", 1)),
    ),
    Path(
        "refund that takes its time",
        "FAILED",
        ("stripe.refund",),
        card=THREE_D_SECURE,
        customer=_TOO_LATE,
        faults=(_NOT_CANCELLED_YET, Cue("refund_pends", "stripe.refund.fate", 1)),
    ),
    Path("charge without an answer", "PAID", ("stripe.read",), faults=(Cue("lost_answer", "stripe.confirm", 1),)),
    Path("charge that arrives late", "PAID", ("stripe.read",), faults=(Cue("late", "stripe.confirm", 1),)),
    Path("clients who ask at once", "PAID", clients=(0.0, 0.0, 0.05, 3.0)),
    Path("mail put off", "PAID", ("sendgrid.send",), outages=(Outage("sendgrid", 0.0, 8.0),)),
)

# What a shop does with its orders afterwards.
PATHS += (
    Path("cancelled at once", "CANCELLED", ("order.CancelOrder",), errands=(Errand(CANCEL),)),
    Path("cancelled while it is charged", "PAID", ("payment.CancelPayment",), errands=(Errand(CANCEL, 0.15),)),
    Path(
        "cancelled before its charge was answered",
        "CANCELLED",
        ("payment.CancelPayment",),
        errands=(Errand(CANCEL, 1.0),),
        faults=tuple(Cue("not_sent", "payment.ChargePayment", number) for number in (1, 2)),
    ),
    Path(
        "cancelled before its charge arrived",
        "CANCELLED",
        ("payment.CancelPayment",),
        errands=(Errand(CANCEL, 1.0),),
        faults=(Cue("late", "payment.ChargePayment", 1),),
    ),
    Path(
        "cancelled while the bank decides",
        "PAID",
        ("payment.CancelPayment",),
        card=SLOW_BANK,
        errands=(Errand(CANCEL, 0.5),),
        # Stripe is away when the payment is to be given up, and back before the next try: meanwhile the order hears of
        # its payment from Stripe's event.
        bank_seconds=10.0,
        faults=(Cue("lost_answer", "payment.ChargePayment", 1),),
        outages=(Outage("stripe", 1.0, 25.0),),
    ),
    Path(
        "cancelled while the customer is away",
        "CANCELLED",
        ("stripe.cancel",),
        card=THREE_D_SECURE,
        errands=(Errand(CANCEL, 2.0),),
    ),
    Path(
        "another card after a decline",
        "PAID",
        ("order.ConfirmOrderPayment",),
        card=DECLINED,
        place=_OPEN_TO_ANOTHER,
        errands=(Errand(confirm_with(VISA), _SOON),),
    ),
    Path("shipped in two and delivered", "DELIVERED", ("order.DeliverOrder",), errands=_IN_TWO),
    Path("held and shipped", "SHIPPED", ("stripe.capture",), place=_HELD, errands=(Errand(SHIP, _SOON),)),
    Path(
        "held, shipped in part, the rest let go",
        "SHIPPED",
        ("avatax.give_back",),
        place=_HELD,
        errands=(Errand(PROCESS, _SOON), Errand(SHIP_MUGS_ONLY)),
    ),
    Path("held and cancelled", "CANCELLED", ("stripe.cancel",), place=_HELD, errands=(Errand(CANCEL, _SOON),)),
    Path("held until it lapsed", "FAILED", ("payment.IngestStripeEvent",), place=_HELD, hold_seconds=4.0),
    Path("refunded whole", "REFUNDED", ("avatax.give_back",), errands=(Errand(REFUND, _SOON),)),
    Path(
        "refunded by lines and by amount",
        "SHIPPED",
        ("order.RefundOrder",),
        errands=(Errand(REFUND_A_MUG, _SOON, 2), Errand(refund_of(700), etag="right"), Errand(SHIP)),
    ),
    Path(
        "refund of an order that the bank sends back, sent again",
        "REFUNDED",
        ("order.RetryOrder",),
        errands=(Errand(REFUND, _SOON), Errand(RETRY, 10.0)),
        faults=(Cue("refund_fails", "stripe.refund.fate", 1),),
    ),
    Path(
        "refund of an order that Stripe refuses, sent again",
        "REFUNDED",
        ("order.RetryOrder",),
        errands=(Errand(REFUND, _SOON),),
        faults=(Cue("refund_refused", "stripe.refund.fate", 1),),
    ),
    Path(
        "refunded by hand",
        "PAID",
        ("avatax.give_back",),
        faults=(Cue("refunds_by_hand", "stripe.dashboard", 1),),
    ),
    Path(
        "held, taken, and given back by hand before it was heard of",
        "SHIPPED",
        ("stripe.capture",),
        place=_HELD,
        errands=(Errand(SHIP, _SOON),),
        faults=(
            Cue("lost_answer", "payment.CapturePayment", 1),
            # Until somebody has been at the dashboard, after up to 50 s.
            *(Cue("not_sent", "payment.CapturePayment", number) for number in range(2, 11)),
            Cue("refunds_by_hand", "stripe.dashboard", 1),
        ),
    ),
    Path(
        "disputed by the customer's bank",
        "PAID",
        ("stripe.disputes",),
        faults=(Cue("disputed", "stripe.bank", 1),),
        aftermath_seconds=180.0,
    ),
    Path("told to the shop's other systems", "DELIVERED", ("listener.post",), errands=_ALL_AT_ONCE, listens=True),
    Path("captured by hand", "PAID", place=_HELD, faults=(Cue("captures_by_hand", "stripe.hold", 1),)),
)

# A refund that failed or was refused is made anew after a day, and a day of looking around takes an eighth of a second
# of ours: only `make prove` has the time.
LONG_PATHS = (
    Path(
        "refund that the bank sends back",
        "FAILED",
        ("stripe.refund",),
        card=THREE_D_SECURE,
        customer=_TOO_LATE,
        faults=(_NOT_CANCELLED_YET, Cue("refund_fails", "stripe.refund.fate", 1)),
        aftermath_seconds=_TRIED_AGAIN,
    ),
    Path(
        "refund that Stripe refuses",
        "FAILED",
        ("stripe.refund",),
        card=THREE_D_SECURE,
        customer=_TOO_LATE,
        faults=(_NOT_CANCELLED_YET, Cue("refund_refused", "stripe.refund.fate", 1)),
        aftermath_seconds=_TRIED_AGAIN,
    ),
)
