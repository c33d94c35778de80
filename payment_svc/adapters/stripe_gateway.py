"""Stripe, through its own SDK, as the port PaymentGateway."""

from collections.abc import Mapping
from typing import Any

from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.adapters.stripe_amounts import to_stripe
from payment_svc.adapters.stripe_calls import Access, call, path_of, read_all
from payment_svc.adapters.stripe_objects import dispute_of, intent_of, is_release, refund_of
from payment_svc.adapters.stripe_problem import Problem
from payment_svc.app.ports import AmountRefused, CurrencyRefused, Refused, WrongState
from payment_svc.domain.dispute import Dispute
from payment_svc.domain.intent import PLAIN, CaptureMode, Decline, Intent, Manner, NewIntent, ProviderRefund
from payment_svc.domain.refund import Refund

# Stripe allows 100 requests a second; at some 300 ms each that is 30 at a time.
MOST_CONNECTIONS = 64

# What a call may take: a bank is asked in a confirmation, a refund and a cancellation, and banks take their time.
_READ_SECONDS = 3.0
_CREATE_SECONDS = 5.0
_BANK_SECONDS = 8.0

# The largest of them, for the transport.
LONGEST_SECONDS = _BANK_SECONDS

# Of the caller's time, so that the outcome of a lost cancellation can still be read.
_SPARE_SECONDS = 0.7

_REFUNDS = "/v1/refunds"

_UNEXPECTED_STATE = "payment_intent_unexpected_state"
_MISSING = "resource_missing"

# The charge tells how long money is held, and whether it is disputed.
_WITH_CHARGE = {"expand": ["latest_charge"]}


class StripeGateway:
    """The port PaymentGateway, on Stripe.

    Args:
        access: The way to Stripe.
    """

    def __init__(self, access: Access) -> None:
        self._create = access.client("create_payment_intent", _CREATE_SECONDS)
        self._confirm = access.client("confirm_payment_intent", _BANK_SECONDS)
        self._read = access.client("retrieve_payment_intent", _READ_SECONDS)
        self._capture = access.client("capture_payment_intent", _BANK_SECONDS, _SPARE_SECONDS)
        self._cancel = access.client("cancel_payment_intent", _BANK_SECONDS, _SPARE_SECONDS)
        self._refund = access.client("create_refund", _BANK_SECONDS)
        self._list_refunds = access.client("list_refunds", _READ_SECONDS)
        self._list_disputes = access.client("list_disputes", _READ_SECONDS)

    async def create_intent(
        self, intent: NewIntent, key: str
    ) -> Done[Intent] | NotDone[AmountRefused | CurrencyRefused | Refused] | Unknown:
        """Make an intent without a payment method: no money can move on it yet."""
        params: dict[str, Any] = {
            "amount": to_stripe(intent.amount),
            "currency": intent.amount.currency_code.lower(),
            # Cards and what works like them; nothing that would send the customer to another page.
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "metadata": {"order_id": intent.order_id, "payment_id": intent.payment_id},
        }
        if intent.capture_mode is CaptureMode.ON_SHIPMENT:
            params["capture_method"] = "manual"
        if intent.customer_id:
            params["customer"] = intent.customer_id
        answer = await call(self._create, "post", "/v1/payment_intents", intent_of, params, key)
        if not isinstance(answer, Problem):
            return answer
        if answer.param == "currency":
            return NotDone(CurrencyRefused())
        return NotDone(AmountRefused() if answer.param == "amount" else Refused(answer.code))

    async def confirm_intent(
        self, intent_id: str, payment_method: str, key: str, manner: Manner = PLAIN
    ) -> Done[Intent] | NotDone[Decline | WrongState] | Unknown:
        """Try to take or hold the money with this payment method."""
        params: dict[str, Any] = {"payment_method": payment_method}
        if manner.holds:
            params |= _WITH_CHARGE
        if manner.off_session:
            params["off_session"] = True
        elif manner.saves:
            params["setup_future_usage"] = "off_session"
        answer = await call(self._confirm, "post", f"{path_of(intent_id)}/confirm", intent_of, params, key)
        if not isinstance(answer, Problem):
            return answer
        if answer.code == _UNEXPECTED_STATE:
            return NotDone(WrongState())
        if answer.code == _MISSING and not answer.about_method:
            # The intent itself: this key is not that of the account it was made in. Reading it tells.
            return Unknown("the intent is not in this account")
        return NotDone(answer.decline())

    async def read_intent(self, intent_id: str) -> Done[Intent] | NotDone[Refused] | Unknown:
        """Read the intent as it is now."""
        answer = await call(self._read, "get", path_of(intent_id), intent_of, _WITH_CHARGE)
        return NotDone(Refused(answer.code)) if isinstance(answer, Problem) else answer

    async def capture_intent(
        self, intent_id: str, amount: Money, key: str
    ) -> Done[Intent] | NotDone[WrongState | Refused] | Unknown:
        """Take so much of what is held; the rest is released, and nothing more can be taken."""
        params = {"amount_to_capture": to_stripe(amount)}
        answer = await call(self._capture, "post", f"{path_of(intent_id)}/capture", intent_of, params, key)
        if not isinstance(answer, Problem):
            return answer
        return NotDone(WrongState() if answer.code == _UNEXPECTED_STATE else Refused(answer.code))

    async def cancel_intent(self, intent_id: str, key: str) -> Done[Intent] | NotDone[WrongState | Refused] | Unknown:
        """Give the intent up; money that is held is released."""
        answer = await call(self._cancel, "post", f"{path_of(intent_id)}/cancel", intent_of, {}, key)
        if not isinstance(answer, Problem):
            return answer
        return NotDone(WrongState() if answer.code == _UNEXPECTED_STATE else Refused(answer.code))

    async def create_refund(
        self, intent_id: str, refund: Refund, key: str
    ) -> Done[ProviderRefund] | NotDone[Refused] | Unknown:
        """Give money back, marked with our refund's id."""
        params = {
            "payment_intent": intent_id,
            "amount": to_stripe(refund.amount),
            "metadata": {"refund_id": refund.refund_id, "payment_id": refund.payment_id},
        }
        answer = await call(self._refund, "post", "/v1/refunds", refund_of, params, key)
        return NotDone(Refused(answer.code)) if isinstance(answer, Problem) else answer

    async def list_refunds(self, intent_id: str) -> Done[list[ProviderRefund]] | NotDone[Refused] | Unknown:
        """Return all refunds of the intent, oldest first; not what was only held and let go."""
        match await read_all(self._list_refunds, _REFUNDS, intent_id, _given_back):
            case Done(found):
                return Done(found[::-1])
            case other:
                return other

    async def list_disputes(self, intent_id: str) -> Done[list[Dispute]] | NotDone[Refused] | Unknown:
        """Return all disputes of the intent."""
        return await read_all(self._list_disputes, "/v1/disputes", intent_id, dispute_of)


def _given_back(data: Mapping[str, Any]) -> ProviderRefund | None:
    return None if is_release(data) else refund_of(data)
