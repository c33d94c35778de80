"""3-D Secure, played by hand: a page with two buttons, and the request behind them."""

import html

from sandbox.exchange import Answer, Operation, Request, json_answer, parse_json
from sandbox.stripe.books import BY_ITSELF, public
from sandbox.stripe.errors import StripeError, bad_parameter
from sandbox.stripe.intents import PaymentIntents

_PATH = "/_sandbox/payment_intents/{id}/authenticate"
OPERATIONS = (
    Operation("sandbox.authenticate", "POST", _PATH, lever=True),
    Operation("sandbox.authenticate_page", "GET", _PATH, lever=True),
)

_PAGE = """<!doctype html><meta charset=utf-8><title>3-D Secure (sandbox)</title>
<style>body{{font:18px/1.6 system-ui;max-width:30rem;margin:4rem auto}}button{{font:inherit;margin-right:1rem}}</style>
<h1>Is it you?</h1><p>Payment {id} waits for its customer.</p>
<button data-outcome=succeed>Yes, pay</button><button data-outcome=fail>No</button><p id=status></p>
<script>
for (const button of document.querySelectorAll("button")) button.onclick = async () => {{
  const body = JSON.stringify({{outcome: button.dataset.outcome}});
  const answer = await (await fetch(location.href, {{method: "POST", body}})).json();
  const back = answer._return_url;
  if (back) location.href = back;
  else document.getElementById("status").textContent = answer.status || answer.error.message;
}};
</script>"""


def authenticate(intents: PaymentIntents, request: Request) -> Answer:
    """Answer GET with the page, POST `{"outcome": "succeed" | "fail"}` with the intent as it then is."""
    id_ = request.args["id"]
    if request.method == "GET":
        page = _PAGE.format(id=html.escape(id_))
        return Answer(200, page.encode(), {"content-type": "text/html; charset=utf-8"})
    try:
        intent = intents.authenticate(id_, _outcome(request.body), BY_ITSELF)
    except StripeError as error:
        return json_answer(error.status, {"error": error.error})
    return json_answer(200, {**public(intent), "_return_url": intent.get("_return_url")})


def _outcome(body: bytes) -> str:
    try:
        document = parse_json(body)
    except ValueError:
        document = None
    outcome = document.get("outcome") if isinstance(document, dict) else None
    if outcome not in {"succeed", "fail"}:
        raise bad_parameter("Invalid outcome: must be one of succeed or fail", "outcome")
    return str(outcome)
