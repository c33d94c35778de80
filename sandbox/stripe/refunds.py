"""Refunds: money back, never more than was taken."""

from typing import Any

from sandbox.stripe.books import Books, Context
from sandbox.stripe.cards import RefundCourse
from sandbox.stripe.charges import refund_of
from sandbox.stripe.errors import StripeError, bad_parameter
from sandbox.stripe.money import Sum
from sandbox.stripe.payment_methods import card_of

Json = dict[str, Any]

SETTLING_SECONDS = 2
"""How long a refund to one of the late cards is under way; days at a bank, a moment here."""


class Refunds:
    """The operations on Refunds."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def check_create(self, params: Json) -> None:
        """Refuse what Stripe refuses before a refund begins.

        Raises:
            StripeError: naming the parameter.
        """
        if params.get("payment_intent") is None and params.get("charge") is None:
            message = "One of the following params should be provided for this request: payment_intent or charge."
            raise StripeError(400, message, remembered=False)
        if params.get("amount", 1) < 1:
            message = "This value must be greater than or equal to 1."
            raise bad_parameter(message, "amount", "parameter_invalid_integer")

    def create(self, params: Json, args: Json, context: Context) -> Json:
        """POST /v1/refunds."""
        charge = self._charge(params)
        left = charge["amount"] - charge["amount_refunded"]  # what was released of a hold counts as refunded
        if left == 0:
            message = f"Charge {charge['id']} has already been refunded."
            raise StripeError(400, message, code="charge_already_refunded", extra={"charge": charge["id"]})
        amount = params.get("amount", left)
        if amount > left:
            currency = charge["currency"]
            message = (
                f"Refund amount ({Sum(amount, currency)}) is greater than unrefunded amount on charge "
                f"({Sum(left, currency)})"
            )
            raise StripeError(400, message, param="amount")
        refund = {
            **refund_of(charge, amount, self._books.new_id("re"), self._books.now()),
            "balance_transaction": self._books.new_id("txn"),
            "metadata": params.get("metadata") or {},
            "reason": params.get("reason"),
        }
        course = self._course(charge)
        if course is not RefundCourse.AT_ONCE:
            refund["_settles_to"] = "succeeded" if course is RefundCourse.LATE else "failed"
        if course is RefundCourse.LATE:
            refund["status"] = "pending"
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self._books.save(refund, order_id=charge["metadata"].get("order_id"))
        self._books.save(charge)
        self._books.announce("refund.created", refund, context)
        self._books.announce("charge.refunded", charge, context)
        return refund

    def settle(self, refund: Json, context: Context) -> None:
        """Let a refund that was waiting come to its end; a failed one gives the money back to the shop."""
        charge = self._books.need("charge", refund["charge"], param="charge")
        refund["status"] = refund.pop("_settles_to")
        if refund["status"] == "failed":
            refund["failure_reason"] = "unknown"
            refund["failure_balance_transaction"] = self._books.new_id("txn")
            charge["amount_refunded"] -= refund["amount"]
            charge["refunded"] = False
            self._books.save(charge)
        self._books.save(refund, order_id=charge["metadata"].get("order_id"))
        self._books.announce("refund.updated", refund, context)
        if refund["status"] == "failed":
            self._books.announce("refund.failed", refund, context)

    def _course(self, charge: Json) -> RefundCourse:
        return card_of(self._books.need("payment_method", charge["payment_method"], param="payment_method")).refund

    def _charge(self, params: Json) -> Json:
        if params.get("charge") is not None:
            charge = self._books.need("charge", params["charge"], param="charge", status=404)
        else:
            intent_id = params["payment_intent"]
            intent = self._books.need("payment_intent", intent_id, param="payment_intent", status=404)
            charge = None
            if intent["latest_charge"] is not None:
                charge = self._books.need("charge", intent["latest_charge"], param="charge")
        if charge is None or charge["status"] != "succeeded" or not charge["captured"]:
            message = "This PaymentIntent does not have a successful charge to refund."
            raise StripeError(400, message, param="charge" if "charge" in params else "payment_intent")
        return charge
