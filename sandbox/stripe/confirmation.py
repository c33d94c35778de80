"""What happens when a PaymentIntent is confirmed: charge, decline, or a request to authenticate."""

from typing import Any

from sandbox.stripe.books import Books, Context, public
from sandbox.stripe.cards import AUTHENTICATION_REQUIRED, Authentication, Decline
from sandbox.stripe.charges import Charges
from sandbox.stripe.disputes import Disputes
from sandbox.stripe.errors import DOC, StripeError
from sandbox.stripe.payment_methods import card_of

Json = dict[str, Any]

_REDIRECT_ADVICE = (
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these "
    "payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want "
    "to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
    "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
)


class Confirmation:
    """Moves an intent from `requires_confirmation` onward."""

    def __init__(self, books: Books, charges: Charges) -> None:
        self._books = books
        self._charges = charges
        self._disputes = Disputes(books)

    def run(self, intent: Json, method: Json, params: Json, context: Context) -> Json:
        """Confirm an intent with a PaymentMethod and return it as it then is.

        Raises:
            StripeError: the card was declined; the intent is back at requires_payment_method.
        """
        require_same_customer(intent, method)
        intent["payment_method"] = method["id"]
        if _must_authenticate(method):
            if params.get("off_session") not in {None, False, "false"} or params.get("error_on_requires_action"):
                raise self._decline(intent, method, AUTHENTICATION_REQUIRED, context)
            return self._ask_to_authenticate(intent, params, context)
        return self.charge(intent, method, context)

    def authenticate(self, intent: Json, context: Context, *, success: bool) -> Json:
        """Play the customer coming back from 3-D Secure, and return the intent as it then is."""
        method = self._books.need("payment_method", intent["payment_method"], param="payment_method")
        if success:
            try:
                return self.charge(intent, method, context)
            except StripeError:  # the customer came back from authentication, and then the card was declined
                return intent
        message = (
            "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new "
            "PaymentMethod to attempt to fulfill this PaymentIntent again."
        )
        code = "payment_intent_authentication_failure"
        error = {"code": code, "doc_url": _doc(code), "message": message, "type": "card_error"}
        self._give_back(intent, {**error, "payment_method": public(method)}, context)
        return intent

    def charge(self, intent: Json, method: Json, context: Context) -> Json:
        """Charge the card and return the intent, paid or authorised.

        Raises:
            StripeError: the card was declined.
        """
        decline = card_of(method).decline
        if decline is not None:
            raise self._decline(intent, method, decline, context)
        charge = self._charges.make(intent, method, None)
        intent["latest_charge"] = charge["id"]
        intent["last_payment_error"] = None
        intent["next_action"] = None
        if intent["capture_method"] == "manual":
            intent["status"] = "requires_capture"
            intent["amount_capturable"] = intent["amount"]
            outcome = "payment_intent.amount_capturable_updated"
        else:
            intent["status"] = "succeeded"
            intent["amount_received"] = intent["amount"]
            outcome = "payment_intent.succeeded"
        method["_used"] = True
        if intent["setup_future_usage"] and intent["customer"] is not None:
            method["customer"] = intent["customer"]
            method["_set_up"] = intent["setup_future_usage"] == "off_session"
        self._books.save(method)
        self._books.save(intent)
        self._books.announce("charge.succeeded", charge, context)
        self._books.announce(outcome, intent, context)
        if charge["captured"]:
            self._disputes.complain(charge, context)
        return intent

    def _ask_to_authenticate(self, intent: Json, params: Json, context: Context) -> Json:
        page = f"http://{context.host}/stripe/_sandbox/payment_intents/{intent['id']}/authenticate"
        if params.get("return_url"):
            redirect = {"return_url": params["return_url"], "url": page}
            intent["_return_url"] = params["return_url"]
            intent["next_action"] = {"redirect_to_url": redirect, "type": "redirect_to_url"}
        else:
            use_sdk = {"stripe_js": page, "type": "three_d_secure_redirect"}
            intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": use_sdk}
        intent["status"] = "requires_action"
        self._books.save(intent)
        self._books.announce("payment_intent.requires_action", intent, context)
        return intent

    def _decline(self, intent: Json, method: Json, decline: Decline, context: Context) -> StripeError:
        charge = self._charges.make(intent, method, decline)
        intent["latest_charge"] = charge["id"]
        error = {
            "charge": charge["id"],
            "code": decline.code,
            "decline_code": decline.decline_code,
            "doc_url": _doc(decline.code),
            "message": decline.message,
            "type": "card_error",
        }
        if decline.param is not None:
            error["param"] = decline.param
        self._books.announce("charge.failed", charge, context)
        self._give_back(intent, {**error, "payment_method": public(method)}, context)
        return StripeError(
            402,
            decline.message,
            kind="card_error",
            code=decline.code,
            param=decline.param,
            extra={
                "charge": charge["id"],
                "decline_code": decline.decline_code,
                "payment_intent": public(intent),
                "payment_method": public(method),
            },
        )

    def _give_back(self, intent: Json, error: Json, context: Context) -> None:
        intent["status"] = "requires_payment_method"
        intent["payment_method"] = None
        intent["next_action"] = None
        intent["last_payment_error"] = error
        self._books.save(intent)
        self._books.announce("payment_intent.payment_failed", intent, context)


def require_same_customer(intent: Json, method: Json) -> None:
    """Refuse a payment method that is kept with a customer whose payment this is not.

    Raises:
        StripeError: naming the payment method.
    """
    owner = method["customer"]
    if owner is not None and owner != intent["customer"]:
        message = (
            f"The payment method supplied ({method['id']}) belongs to a Customer. Please include the Customer in the "
            "`customer` parameter on the PaymentIntent."
        )
        raise StripeError(400, message, param="payment_method")


def _must_authenticate(method: Json) -> bool:
    match card_of(method).authentication:
        case Authentication.UNLESS_SET_UP:
            return not method.get("_set_up")
        case wish:
            return wish is Authentication.ALWAYS


def require_return_url(intent: Json, params: Json) -> None:
    """Refuse to confirm when the customer might be sent away without a way back.

    Raises:
        StripeError: `return_url` is missing.
    """
    if intent["automatic_payment_methods"]["allow_redirects"] == "always" and not params.get("return_url"):
        raise StripeError(400, _REDIRECT_ADVICE)


def _doc(code: str) -> str:
    return DOC + code.replace("_", "-")
