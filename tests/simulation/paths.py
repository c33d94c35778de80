"""The ways that an order can go: the exhaustive pass lets everything go wrong on each of them, once, everywhere."""

from tests.fakes.payment_gateway import DECLINED, MISSING, SLOW_BANK, THREE_D_SECURE
from tests.simulation.chaos import Outage
from tests.simulation.script import Cue, Path

# An order that waits for its customer is given up after 6 s, and the first try to cancel its payment does not arrive:
# a customer who acts meanwhile has paid for an order that is being given up.
_TOO_LATE = (6.9, True)
_NOT_CANCELLED_YET = Cue("not_sent", "payment.CancelPayment", 1)

# A day and some, by when a refund that failed was tried again.
_TRIED_AGAIN = 108_000.0

PATHS = (
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
