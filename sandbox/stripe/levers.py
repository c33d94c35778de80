"""What a test or a person does to the sandbox's Stripe that no API of Stripe's does: holds that lapse, disputes."""

from sandbox.exchange import Answer, Operation, Request, json_answer, parse_json
from sandbox.stripe import authentication
from sandbox.stripe.books import BY_ITSELF, public
from sandbox.stripe.errors import StripeError, bad_parameter
from sandbox.stripe.intents import PaymentIntents

_LAPSE = "sandbox.lapse"
_DISPUTE = "sandbox.dispute"
_INTENT = "/_sandbox/payment_intents/{id}"

OPERATIONS = (
    *authentication.OPERATIONS,
    Operation(_LAPSE, "POST", f"{_INTENT}/lapse", lever=True),
    Operation(_DISPUTE, "POST", f"{_INTENT}/dispute", lever=True),
)


def pull(intents: PaymentIntents, operation: Operation, request: Request) -> Answer:
    """Answer a lever's request.

    `lapse` lets an authorisation run out, and answers with the intent. `dispute` has the customer's bank ask the money
    back, or go on with that: `{"status": "won"}`; it answers with the dispute.
    """
    if operation.name not in {_LAPSE, _DISPUTE}:
        return authentication.authenticate(intents, request)
    try:
        if operation.name == _LAPSE:
            return json_answer(200, public(intents.lapse(request.args["id"], BY_ITSELF)))
        return json_answer(200, public(intents.dispute(request.args["id"], _parameters(request.body), BY_ITSELF)))
    except StripeError as error:
        return json_answer(error.status, {"error": error.error})


def _parameters(body: bytes) -> dict[str, object]:
    try:
        document = parse_json(body) if body else {}
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise bad_parameter("Invalid body: must be a JSON object", "body")
    return document
