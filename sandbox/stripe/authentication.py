"""3-D Secure, played by hand: the bank's page with two buttons, and the request behind them."""

import re
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from sandbox.exchange import Answer, Operation, Request, json_answer, parse_json
from sandbox.pages.rendering import at_stripe, headers, is_of_another_site, policy, render
from sandbox.stripe.books import BY_ITSELF, Json, public
from sandbox.stripe.errors import StripeError, bad_parameter
from sandbox.stripe.intents import PaymentIntents

_PATH = "/_sandbox/payment_intents/{id}/authenticate"
OPERATIONS = (
    Operation("sandbox.authenticate", "POST", _PATH, lever=True),
    Operation("sandbox.authenticate_page", "GET", _PATH, lever=True),
)
_FORM = "application/x-www-form-urlencoded"
# What goes into the page's policy must be an origin and nothing that ends it.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")


def authenticate(intents: PaymentIntents, request: Request) -> Answer:
    """Answer GET with the page, its form by sending the browser back to the shop, JSON with the intent as it then is.

    `{"outcome": "succeed" | "fail"}` is what a program sends. The shop is where the query's `return_url` says, else the
    one that the payment was confirmed with.
    """
    try:
        if request.method == "GET":
            return _page(intents.look(request.args["id"]), request)
        if request.headers.get("content-type", "").startswith(_FORM):
            return _answered_by_form(intents, request)
        intent = intents.authenticate(request.args["id"], _outcome(_json(request.body)), BY_ITSELF)
    except StripeError as error:
        return json_answer(error.status, {"error": error.error})
    return json_answer(200, {**public(intent), "_return_url": intent.get("_return_url")})


def _answered_by_form(intents: PaymentIntents, request: Request) -> Answer:
    asked = request.headers
    if is_of_another_site(asked.get("sec-fetch-site"), asked.get("origin"), asked.get("host")):
        return json_answer(HTTPStatus.FORBIDDEN, {"error": {"message": "This form was sent from another site."}})
    form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
    intent = intents.authenticate(request.args["id"], _outcome(form), BY_ITSELF)
    back = _back(intent, request)
    if back:
        return Answer(HTTPStatus.SEE_OTHER, b"", {"location": back})
    return _page(intent, request)


def _page(intent: Json, request: Request) -> Answer:
    waits = intent["status"] == "requires_action"
    back = _back(intent, request)
    shown = render(
        "bank.html",
        id=intent["id"],
        waits=waits,
        title="Is it you?" if waits else "There is nothing to ask",
        amount=at_stripe(intent["amount"], intent["currency"]),
        told=f"This payment is at: {intent['status'].replace('_', ' ')}.",
        back=back,
    )
    parts = urlsplit(back)
    return Answer(200, shown, headers(policy(leads_to=f"{parts.scheme}://{parts.netloc}" if back else "")))


def _back(intent: Json, request: Request) -> str:
    """Return where the shop wants its customer back; empty where it does not say, or no browser should go there."""
    wanted = parse_qs(request.query).get("return_url", [intent.get("_return_url") or ""])[0]
    parts = urlsplit(wanted)
    return wanted if _ORIGIN.fullmatch(f"{parts.scheme}://{parts.netloc}") else ""


def _json(body: bytes) -> object:
    try:
        return parse_json(body)
    except ValueError:
        return None


def _outcome(document: object) -> str:
    outcome = document.get("outcome") if isinstance(document, dict) else None
    if outcome not in {"succeed", "fail"}:
        raise bad_parameter("Invalid outcome: must be one of succeed or fail", "outcome")
    return str(outcome)
