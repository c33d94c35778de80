"""PaymentMethods: cards, made from Stripe's test tokens or test numbers."""

from typing import Any

from sandbox.stripe.books import Books, Context
from sandbox.stripe.cards import CARDS, GENERIC, TestCard, card_named, card_numbered
from sandbox.stripe.errors import StripeError, bad_parameter, missing_object

Json = dict[str, Any]

_EXPIRY_YEAR = 2034  # as Stripe's test cards: a date well ahead


class PaymentMethods:
    """The operations on PaymentMethods."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def create(self, params: Json, args: Json, context: Context) -> Json:
        """POST /v1/payment_methods."""
        method = self.make(params, "")
        self._books.save(method)
        return method

    def attach(self, params: Json, args: Json, context: Context) -> Json:
        """POST /v1/payment_methods/{id}/attach."""
        customer = params["customer"]
        self._books.need("customer", customer, param="customer", status=400)
        method = self.resolve(args["id"], param="payment_method", status=404)
        if not card_of(method).attachable:
            decline = card_of(method).decline or GENERIC
            raise StripeError(
                402,
                decline.message,
                kind="card_error",
                code=decline.code,
                param=decline.param or "",
                extra={"decline_code": decline.decline_code},
            )
        if method["customer"] is not None:
            raise StripeError(400, "The payment method you provided has already been attached to a customer.")
        method["customer"] = customer
        self._books.save(method)
        return method

    def detach(self, params: Json, args: Json, context: Context) -> Json:
        """POST /v1/payment_methods/{id}/detach."""
        method = self._books.need("payment_method", args["id"], param="payment_method")
        if method["customer"] is None:
            message = "The payment method you provided is not attached to a customer so detachment is impossible."
            raise StripeError(400, message)
        method["customer"] = None
        method["_used"] = True
        self._books.save(method)
        return method

    def resolve(self, id_: str, *, param: str, status: int = 400) -> Json:
        """Return the PaymentMethod that an id names; a test token makes a new one, as with Stripe.

        Raises:
            StripeError: there is none, or it was used up.
        """
        name = card_named(id_)
        if name is not None:
            method = self._build(name, {}, None)
            self._books.save(method)
            return method
        found = self._books.find("payment_method", id_)
        if found is None:
            raise missing_object("PaymentMethod", id_, param, status=status)
        if found.get("_used") and found["customer"] is None:
            message = (
                "This PaymentMethod was previously used without being attached to a Customer or was detached from a "
                "Customer, and may not be used again."
            )
            raise StripeError(400, message, param=param)
        return found

    def make(self, params: Json, prefix: str) -> Json:
        """Return a PaymentMethod made from `type` and `card` parameters; `prefix` names where they were sent.

        Raises:
            StripeError: it is not a card that the sandbox knows.
        """

        def param(name: str) -> str:
            head, _, tail = name.partition("[")
            return f"{prefix}[{head}]" + (f"[{tail}" if tail else "") if prefix else name

        if "type" not in params:
            raise bad_parameter(f"Missing required param: {param('type')}.", param("type"), "parameter_missing")
        if params["type"] != "card":
            raise bad_parameter(f"Invalid {param('type')}: this sandbox has cards only", param("type"))
        card = params.get("card") or {}
        name = card_named(card["token"]) if "token" in card else card_numbered(card.get("number", ""))
        if name is None and "token" in card:
            raise missing_object("token", card["token"], param("card[token]"), status=400)
        if name is None:
            raise StripeError(
                402,
                "Your card number is incorrect.",
                kind="card_error",
                code="incorrect_number",
                param=param("card[number]"),
                remembered=False,
            )
        return self._build(name, params, card)

    def _build(self, name: str, params: Json, given: Json | None) -> Json:
        card = CARDS[name]
        billing = params.get("billing_details") or {}
        return {
            "id": self._books.new_id("pm"),
            "object": "payment_method",
            "allow_redisplay": params.get("allow_redisplay", "unspecified"),
            "billing_details": {
                "address": {
                    part: (billing.get("address") or {}).get(part)
                    for part in ("city", "country", "line1", "line2", "postal_code", "state")
                },
                "email": billing.get("email"),
                "name": billing.get("name"),
                "phone": billing.get("phone"),
                "tax_id": billing.get("tax_id"),
            },
            "card": {
                **card_details(card),
                "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
                "display_brand": card.brand,
                "exp_month": (given or {}).get("exp_month", 12),
                "exp_year": (given or {}).get("exp_year", _EXPIRY_YEAR),
                "generated_from": None,
                "networks": {"available": [card.brand], "preferred": None},
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
            "created": self._books.now(),
            "customer": None,
            "livemode": False,
            "metadata": params.get("metadata") or {},
            "type": "card",
            "_card": name,
        }


def card_of(method: Json) -> TestCard:
    """Return the test card behind a PaymentMethod."""
    return CARDS[method["_card"]]


def token_of(method: Json) -> str:
    """Return the test token behind a PaymentMethod: `pm_card_visa`."""
    return f"pm_card_{method['_card']}"


def card_details(card: TestCard) -> Json:
    """Return what both a PaymentMethod and a Charge say about their card."""
    return {
        "brand": card.brand,
        "country": "US",
        "fingerprint": f"sandbox{card.last4}",
        "funding": card.funding,
        "last4": card.last4,
    }
