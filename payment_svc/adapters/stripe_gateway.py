"""Stripe, through its own SDK, as the port PaymentGateway."""

from collections.abc import Mapping
from typing import Any

from kernel.outcome import Done, NotDone, Unknown
from payment_svc.adapters.stripe_amounts import to_stripe
from payment_svc.adapters.stripe_calls import Access, call, path_of
from payment_svc.adapters.stripe_objects import intent_of, refund_of
from payment_svc.adapters.stripe_problem import Problem
from payment_svc.app.ports import AmountRefused, CurrencyRefused, Refused, WrongState
from payment_svc.domain.intent import Decline, Intent, NewIntent, ProviderRefund
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

# The most that Stripe puts on a page.
_PAGE = 100

_UNEXPECTED_STATE = "payment_intent_unexpected_state"
_MISSING = "resource_missing"


class StripeGateway:
    """The port PaymentGateway, on Stripe.

    Args:
        access: The way to Stripe.
    """

    def __init__(self, access: Access) -> None:
        self._create = access.client("create_payment_intent", _CREATE_SECONDS)
        self._confirm = access.client("confirm_payment_intent", _BANK_SECONDS)
        self._read = access.client("retrieve_payment_intent", _READ_SECONDS)
        self._cancel = access.client("cancel_payment_intent", _BANK_SECONDS, _SPARE_SECONDS)
        self._refund = access.client("create_refund", _BANK_SECONDS)
        self._list_refunds = access.client("list_refunds", _READ_SECONDS)

    async def create_intent(
        self, intent: NewIntent, key: str
    ) -> Done[Intent] | NotDone[AmountRefused | CurrencyRefused | Refused] | Unknown:
        """Make an intent without a payment method: no money can move on it yet."""
        params = {
            "amount": to_stripe(intent.amount),
            "currency": intent.amount.currency_code.lower(),
            # Cards and what works like them; nothing that would send the customer to another page.
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "metadata": {"order_id": intent.order_id, "payment_id": intent.payment_id},
        }
        answer = await call(self._create, "post", "/v1/payment_intents", intent_of, params, key)
        if not isinstance(answer, Problem):
            return answer
        if answer.param == "currency":
            return NotDone(CurrencyRefused())
        return NotDone(AmountRefused() if answer.param == "amount" else Refused(answer.code))

    async def confirm_intent(
        self, intent_id: str, payment_method: str, key: str
    ) -> Done[Intent] | NotDone[Decline | WrongState] | Unknown:
        """Try to take the money with this payment method."""
        path = f"{path_of(intent_id)}/confirm"
        answer = await call(self._confirm, "post", path, intent_of, {"payment_method": payment_method}, key)
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
        answer = await call(self._read, "get", path_of(intent_id), intent_of)
        return NotDone(Refused(answer.code)) if isinstance(answer, Problem) else answer

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

    async def find_refund(
        self, intent_id: str, refund_id: str
    ) -> Done[ProviderRefund | None] | NotDone[Refused] | Unknown:
        """Look through the intent's refunds for the one with our mark; the list shows what was made a moment ago."""
        params: dict[str, Any] = {"payment_intent": intent_id, "limit": _PAGE}
        while True:
            answer = await call(self._list_refunds, "get", "/v1/refunds", _refunds_of, params)
            if isinstance(answer, Problem):
                return NotDone(Refused(answer.code))
            if isinstance(answer, Unknown):
                return answer
            refunds, more = answer.value
            for found in refunds:
                if found.refund_id == refund_id:
                    return Done(found)
            if not more or not refunds:
                return Done(None)
            params = {**params, "starting_after": refunds[-1].provider_refund_id}


def _refunds_of(data: Mapping[str, Any]) -> tuple[list[ProviderRefund], bool]:
    return [refund_of(each) for each in data["data"]], data["has_more"]
