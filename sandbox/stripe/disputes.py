"""Disputes: money that the customer's bank asks back, or asks about."""

from typing import Any

from sandbox.stripe.books import Books, Context
from sandbox.stripe.errors import StripeError, bad_parameter
from sandbox.stripe.payment_methods import card_of

Json = dict[str, Any]

_EVIDENCE_SECONDS = 7 * 24 * 60 * 60  # a bank gives one to three weeks

_STATUSES = (
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "needs_response",
    "under_review",
    "won",
    "lost",
)
_OVER = frozenset({"warning_closed", "won", "lost"})
_TAKEN = frozenset({"needs_response", "under_review", "lost"})
"""While these last, the money is not the shop's."""


class Disputes:
    """The operations on Disputes, and how banks make them."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def complain(self, charge: Json, context: Context) -> None:
        """Open the dispute that the charge's card always ends in, if it is such a card."""
        method = self._books.need("payment_method", charge["payment_method"], param="payment_method")
        complaint = card_of(method).complaint
        if complaint is not None:
            self._open(charge, complaint.status, complaint.reason, charge["amount_captured"], context)

    def play(self, charge: Json, params: Json, context: Context) -> Json:
        """Open a dispute of a charge, or bring the one that there is to another status.

        Args:
            charge: The charge.
            params: `status` (needs_response), `reason` (fraudulent), `amount` (all that was captured).
            context: Whose call it is.

        Raises:
            StripeError: naming the parameter.
        """
        status = params.get("status", "needs_response")
        if status not in _STATUSES:
            raise bad_parameter(f"Invalid status: must be one of {', '.join(_STATUSES)}", "status")
        found = self._books.find("dispute", charge.get("_dispute", ""))
        if found is None:
            amount = params.get("amount", charge["amount_captured"])
            if not isinstance(amount, int) or not 0 < amount <= charge["amount_captured"]:
                raise bad_parameter("Invalid amount: more than was captured, or nothing", "amount")
            return self._open(charge, status, str(params.get("reason", "fraudulent")), amount, context)
        return self._move(found, status, context)

    def close(self, params: Json, args: Json, context: Context) -> Json:
        """POST /v1/disputes/{id}/close: the shop gives in."""
        dispute = self._books.need("dispute", args["id"], param="dispute")
        if dispute["status"] in _OVER:
            raise StripeError(400, "This dispute is already closed", param="dispute")
        return self._move(dispute, "lost", context)

    def _open(self, charge: Json, status: str, reason: str, amount: int, context: Context) -> Json:
        now = self._books.now()
        dispute = {
            "id": self._books.new_id("dp"),
            "object": "dispute",
            "amount": amount,
            "balance_transactions": [],
            "charge": charge["id"],
            "created": now,
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": {},
            "evidence_details": {
                "due_by": now + _EVIDENCE_SECONDS,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": status.startswith("warning"),
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "payment_method_details": {"card": {"brand": "visa", "case_type": "chargeback"}, "type": "card"},
            "reason": reason,
            "status": status,
        }
        charge["disputed"] = True
        charge["_dispute"] = dispute["id"]
        self._books.save(charge)
        self._keep(dispute)
        self._books.announce("charge.dispute.created", dispute, context)
        if status in _TAKEN:
            self._books.announce("charge.dispute.funds_withdrawn", dispute, context)
        return dispute

    def _move(self, dispute: Json, status: str, context: Context) -> Json:
        before, dispute["status"] = dispute["status"], status
        if status in _OVER:
            dispute["evidence_details"]["due_by"] = None
        self._keep(dispute)
        self._books.announce("charge.dispute.closed" if status in _OVER else "charge.dispute.updated", dispute, context)
        if before in _TAKEN and status not in _TAKEN:
            self._books.announce("charge.dispute.funds_reinstated", dispute, context)
        elif before not in _TAKEN and status in _TAKEN:
            self._books.announce("charge.dispute.funds_withdrawn", dispute, context)
        return dispute

    def _keep(self, dispute: Json) -> None:
        charge = self._books.need("charge", dispute["charge"], param="charge")
        self._books.save(dispute, order_id=charge["metadata"].get("order_id"))
