"""Charges: each attempt to take money for a PaymentIntent, successful or not."""

from typing import Any

from sandbox.stripe.books import Books, Context
from sandbox.stripe.cards import Decline
from sandbox.stripe.payment_methods import card_details, card_of

Json = dict[str, Any]

AUTHORISATION_SECONDS = 7 * 24 * 60 * 60
"""How long an uncaptured card payment is held."""


class Charges:
    """The operations on Charges, and how PaymentIntents make them."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def make(self, intent: Json, method: Json, decline: Decline | None) -> Json:
        """Return a new charge: approved, and captured unless the intent says otherwise, or declined."""
        captured = decline is None and intent["capture_method"] != "manual"
        held = decline is None and not captured
        now = self._books.now()
        charge = {
            "id": self._books.new_id("ch"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount"] if captured else 0,
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": self._books.new_id("txn") if captured else None,
            "billing_details": method["billing_details"],
            "calculated_statement_descriptor": "ORDERMESH SANDBOX",
            "captured": captured,
            "created": now,
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": None if decline is None else decline.code,
            "failure_message": None if decline is None else decline.message,
            "fraud_details": {},
            "livemode": False,
            "metadata": intent["metadata"],
            "on_behalf_of": None,
            "outcome": _outcome(decline),
            "paid": decline is None,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": {
                "card": {
                    **card_details(card_of(method)),
                    "amount_authorized": intent["amount"],
                    "exp_month": method["card"]["exp_month"],
                    "exp_year": method["card"]["exp_year"],
                    "network": card_of(method).brand,
                    "three_d_secure": None,
                    "wallet": None,
                    **({"capture_before": now + AUTHORISATION_SECONDS} if held else {}),
                },
                "type": "card",
            },
            "radar_options": {},
            "receipt_email": intent["receipt_email"],
            "receipt_number": None,
            "receipt_url": None,
            "refunded": False,
            "review": None,
            "shipping": intent["shipping"],
            "source_transfer": None,
            "statement_descriptor": intent["statement_descriptor"],
            "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
            "status": "succeeded" if decline is None else "failed",
            "transfer_data": None,
            "transfer_group": intent["transfer_group"],
        }
        self._books.save(charge)
        return charge

    def capture(self, charge: Json, amount: int, context: Context) -> None:
        """Take `amount` of an authorised charge; the rest is released."""
        charge["captured"] = True
        charge["amount_captured"] = amount
        charge["balance_transaction"] = self._books.new_id("txn")
        if amount < charge["amount"]:
            self._let_go(charge, charge["amount"] - amount)
        self._books.save(charge)
        self._books.announce("charge.captured", charge, context)

    def release(self, charge: Json, context: Context, *, lapsed: bool) -> None:
        """Let go of an authorised charge."""
        self._let_go(charge, charge["amount"])
        charge["refunded"] = True
        self._books.save(charge)
        self._books.announce("charge.expired" if lapsed else "charge.refunded", charge, context)

    def _let_go(self, charge: Json, amount: int) -> None:
        """Release money that was held and not taken, which Stripe lists as a refund that moves nothing on a balance."""
        charge["amount_refunded"] += amount
        refund = refund_of(charge, amount, self._books.new_id("re"), self._books.now())
        self._books.save(refund, order_id=charge["metadata"].get("order_id"))


def refund_of(charge: Json, amount: int, id_: str, now: int) -> Json:
    """Return a new refund of a charge."""
    return {
        "id": id_,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "destination_details": {
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def _outcome(decline: Decline | None) -> Json:
    if decline is None:
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 8,
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    return {
        "advice_code": "try_again_later" if decline.code == "processing_error" else "do_not_try_again",
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network",
        "reason": decline.decline_code,
        "risk_level": "normal",
        "risk_score": 8,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }
