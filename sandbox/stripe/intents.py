"""PaymentIntents: the operations of Stripe's API and the states they are allowed in."""

from typing import Any

from sandbox.stripe.books import Books, Context, public
from sandbox.stripe.charges import Charges
from sandbox.stripe.confirmation import Confirmation, require_return_url
from sandbox.stripe.disputes import Disputes
from sandbox.stripe.errors import StripeError, bad_parameter
from sandbox.stripe.money import Sum, check_amount, check_currency
from sandbox.stripe.payment_methods import PaymentMethods

Json = dict[str, Any]

_CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)
_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_PAYABLE_FIELDS = ("amount", "currency", "customer", "payment_method", "capture_method")
_PLAIN_FIELDS = (
    "description", "receipt_email", "setup_future_usage", "statement_descriptor", "statement_descriptor_suffix",
    "transfer_group",
)  # fmt: skip


class PaymentIntents:
    """The operations on PaymentIntents."""

    def __init__(self, books: Books, methods: PaymentMethods, charges: Charges, confirmation: Confirmation) -> None:
        self._books = books
        self._methods = methods
        self._charges = charges
        self._confirmation = confirmation
        self._disputes = Disputes(books)

    def check_create(self, params: Json) -> None:
        """Refuse what Stripe refuses before a create begins.

        Raises:
            StripeError: naming the parameter.
        """
        params["currency"] = check_currency(params["currency"])
        check_amount(params["amount"], params["currency"])
        if not params.get("confirm"):
            for name in ("off_session", "error_on_requires_action", "return_url"):
                if params.get(name):
                    message = f"You cannot set {name} unless you also set confirm to true."
                    raise bad_parameter(message, name)

    def create(self, params: Json, args: Json, context: Context) -> Json:
        """POST /v1/payment_intents."""
        if params.get("customer"):
            self._books.need("customer", params["customer"], param="customer", status=400)
        method = self._given_method(params)
        intent = self._new(params)
        if params.get("confirm"):
            if method is None:
                raise _nothing_to_confirm_with(intent)
            require_return_url(intent, params)
            self._books.announce("payment_intent.created", intent, context)
            return self._confirmation.run(intent, method, params, context)
        if method is not None:
            intent["payment_method"] = method["id"]
            intent["status"] = "requires_confirmation"
        self._books.save(intent)
        self._books.announce("payment_intent.created", intent, context)
        return intent

    def update(self, params: Json, args: Json, context: Context) -> Json:
        """POST /v1/payment_intents/{id}."""
        intent = self._need(args)
        self._check_update(intent, params)
        if "currency" in params:
            intent["currency"] = check_currency(params["currency"])
        if "amount" in params:
            check_amount(params["amount"], intent["currency"])
            intent["amount"] = params["amount"]
        if params.get("customer"):
            intent["customer"] = self._books.need("customer", params["customer"], param="customer", status=400)["id"]
        method = self._given_method(params)
        if method is not None:
            intent["payment_method"] = method["id"]
            intent["status"] = "requires_confirmation"
            intent["next_action"] = None
        for name in (*_PLAIN_FIELDS, "shipping", "capture_method"):
            if name in params:
                intent[name] = params[name] or None
        intent["metadata"] = merged(intent["metadata"], params.get("metadata"))
        self._books.save(intent)
        return intent

    def confirm(self, params: Json, args: Json, context: Context) -> Json:
        """POST /v1/payment_intents/{id}/confirm."""
        intent = self._need(args)
        if intent["status"] not in _CONFIRMABLE:
            raise _wrong_state(intent, _confirm_refusal(intent["status"]))
        method = self._given_method(params)
        if method is None and intent["payment_method"] is not None:
            method = self._methods.resolve(intent["payment_method"], param="payment_method")
        if method is None:
            raise _nothing_to_confirm_with(intent)
        require_return_url(intent, params)
        for name in ("capture_method", "receipt_email", "setup_future_usage", "shipping"):
            if name in params:
                intent[name] = params[name] or None
        return self._confirmation.run(intent, method, params, context)

    def capture(self, params: Json, args: Json, context: Context) -> Json:
        """POST /v1/payment_intents/{id}/capture."""
        intent = self._need(args)
        if intent["status"] != "requires_capture":
            message = (
                f"This PaymentIntent could not be captured because it has a status of {intent['status']}. Only a "
                "PaymentIntent with one of the following statuses may be captured: requires_capture."
            )
            raise _wrong_state(intent, message)
        amount: int = params["amount_to_capture"] if "amount_to_capture" in params else intent["amount_capturable"]
        if amount < 1:
            message = "This value must be greater than or equal to 1."
            raise bad_parameter(message, "amount_to_capture", "parameter_invalid_integer")
        if amount > intent["amount_capturable"]:
            message = (
                "The requested capture amount is greater than the amount you can capture for this charge "
                f"({Sum(intent['amount_capturable'], intent['currency'])})."
            )
            raise StripeError(400, message, code="amount_too_large", param="amount_to_capture")
        charge = self._books.need("charge", intent["latest_charge"], param="id")
        self._charges.capture(charge, amount, context)
        intent["status"] = "succeeded"
        intent["amount_received"] = amount
        intent["amount_capturable"] = 0
        intent["metadata"] = merged(intent["metadata"], params.get("metadata"))
        self._books.save(intent)
        self._books.announce("payment_intent.succeeded", intent, context)
        self._disputes.complain(charge, context)
        return intent

    def cancel(self, params: Json, args: Json, context: Context) -> Json:
        """POST /v1/payment_intents/{id}/cancel."""
        intent = self._need(args)
        if intent["status"] not in _CANCELABLE:
            message = (
                f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a "
                f"PaymentIntent with one of the following statuses may be canceled: {', '.join(_CANCELABLE)}."
            )
            raise _wrong_state(intent, message)
        self._cancel(intent, params.get("cancellation_reason"), context)
        return intent

    def look(self, id_: str) -> Json:
        """Return an intent as it is.

        Raises:
            StripeError: there is none.
        """
        return self._need({"id": id_})

    def authenticate(self, id_: str, outcome: str, context: Context) -> Json:
        """Play the customer finishing 3-D Secure, and return the intent as it then is.

        Raises:
            StripeError: there is nothing to authenticate.
        """
        intent = self._need({"id": id_})
        if intent["status"] != "requires_action":
            message = f"There is nothing to authenticate: this PaymentIntent has a status of {intent['status']}."
            raise _wrong_state(intent, message)
        return self._confirmation.authenticate(intent, context, success=outcome == "succeed")

    def expire(self, intent: Json, context: Context) -> None:
        """Let go of an authorisation that nobody captured in time."""
        self._cancel(intent, "automatic", context)

    def lapse(self, id_: str, context: Context) -> Json:
        """Let an authorisation run out now, and return the intent as it then is.

        Raises:
            StripeError: nothing is held.
        """
        intent = self._need({"id": id_})
        if intent["status"] != "requires_capture":
            raise _wrong_state(intent, f"Nothing is held: this PaymentIntent has a status of {intent['status']}.")
        self.expire(intent, context)
        return intent

    def dispute(self, id_: str, params: Json, context: Context) -> Json:
        """Play the customer's bank asking the money back, or going on with that, and return the dispute.

        Raises:
            StripeError: no money was taken.
        """
        intent = self._need({"id": id_})
        if intent["status"] != "succeeded":
            raise _wrong_state(intent, f"Nothing was taken: this PaymentIntent has a status of {intent['status']}.")
        charge = self._books.need("charge", intent["latest_charge"], param="id")
        return self._disputes.play(charge, params, context)

    def _cancel(self, intent: Json, reason: str | None, context: Context) -> None:
        if intent["status"] == "requires_capture":
            charge = self._books.need("charge", intent["latest_charge"], param="id")
            self._charges.release(charge, context, lapsed=reason == "automatic")
        intent["status"] = "canceled"
        intent["amount_capturable"] = 0
        intent["canceled_at"] = self._books.now()
        intent["cancellation_reason"] = reason
        intent["next_action"] = None
        self._books.save(intent)
        self._books.announce("payment_intent.canceled", intent, context)

    def _need(self, args: Json) -> Json:
        return self._books.need("payment_intent", args["id"], param="intent")

    def _given_method(self, params: Json) -> Json | None:
        if params.get("payment_method"):
            return self._methods.resolve(params["payment_method"], param="payment_method")
        if params.get("payment_method_data"):
            method = self._methods.make(params["payment_method_data"], "payment_method_data")
            self._books.save(method)
            return method
        return None

    def _check_update(self, intent: Json, params: Json) -> None:
        if intent["status"] in _CONFIRMABLE:
            return
        for name in _PAYABLE_FIELDS:
            if name in params:
                message = (
                    f"This PaymentIntent's {name} could not be updated because it has a status of {intent['status']}. "
                    f"You may only update the {name} of a PaymentIntent with one of the following statuses: "
                    f"{', '.join(_CONFIRMABLE)}."
                )
                raise _wrong_state(intent, message)

    def _new(self, params: Json) -> Json:
        id_ = self._books.new_id("pi")
        redirects = (params.get("automatic_payment_methods") or {}).get("allow_redirects", "always")
        return {
            "id": id_,
            "object": "payment_intent",
            "amount": params["amount"],
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": {"allow_redirects": redirects, "enabled": True},
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": params.get("capture_method", "automatic_async"),
            "client_secret": f"{id_}_secret_{self._books.new_text(25)}",
            "confirmation_method": params.get("confirmation_method", "automatic"),
            "created": self._books.now(),
            "currency": params["currency"],
            "customer": params.get("customer"),
            "customer_account": None,
            "excluded_payment_method_types": None,
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "metadata": params.get("metadata") or {},
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": None,
            "payment_method_configuration_details": None,
            "payment_method_options": params.get("payment_method_options") or {},
            "payment_method_types": ["card"],
            "processing": None,
            "review": None,
            "shipping": params.get("shipping") or None,
            "source": None,
            "status": "requires_payment_method",
            "transfer_data": None,
            **{name: params.get(name) for name in _PLAIN_FIELDS},
        }


def merged(metadata: Json, changes: Json | str | None) -> Json:
    """Return metadata with the changes applied: an empty value removes its key, an empty string removes all."""
    if changes is None:
        return metadata
    if isinstance(changes, str):
        return {}
    return {key: value for key, value in {**metadata, **changes}.items() if value != ""}


def _wrong_state(intent: Json, message: str) -> StripeError:
    code = "payment_intent_unexpected_state"
    return StripeError(400, message, code=code, extra={"payment_intent": public(intent)})


def _nothing_to_confirm_with(intent: Json) -> StripeError:
    message = (
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
        "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment "
        "method or ConfirmationToken."
    )
    return _wrong_state(intent, message)


def _confirm_refusal(status: str) -> str:
    if status == "succeeded":
        return (
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed."
        )
    return (
        f"You cannot confirm this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one of "
        "the following statuses may be confirmed: requires_confirmation, requires_action."
    )
