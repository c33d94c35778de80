"""The four orders of the demo, each with what it shows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cli.demo_mesh import DemoMesh, Json
from cli.failures import Failure

# The poller looks at a waiting payment after 1 s, then after 2 s more; webhooks are quicker.
_SETTLE_SECONDS = 15.0
_MAIL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one order.

    Attributes:
        title: What it shows.
        status: The HTTP status that it was answered with.
        first_state: Its state when it was answered.
        order: The order in the end.
        ledger: What the outside world has seen of it.
    """

    title: str
    status: int
    first_state: str
    order: Json
    ledger: Json


def paid(mesh: DemoMesh) -> Told:
    """Place an order that goes through."""
    return _told(mesh, "an order that goes through", *mesh.place(_order("pm_card_visa")))


def declined(mesh: DemoMesh) -> Told:
    """Place an order whose card is declined."""
    card = "pm_card_visa_chargeDeclinedInsufficientFunds"
    # A new customer each time: one whose cards are declined ten times an hour may not go on (ORDER_DECLINES_PER_HOUR).
    return _told(mesh, "a declined card", *mesh.place(_order(card, mesh.new_customer())))


def tax_outage(mesh: DemoMesh) -> Told:
    """Place an order while AvaTax cannot be reached."""
    with mesh.avatax_down():
        # Somebody else's order: the tax of the others is remembered for some minutes.
        status, order = mesh.place(_order("pm_card_visa", "demo-2"))
    return _told(mesh, "AvaTax cannot be reached", status, order)


def three_d_secure(mesh: DemoMesh) -> Told:
    """Place an order whose customer has to confirm the payment, and confirm it."""
    status, order = mesh.place(_order("pm_card_authenticationRequired"))
    if order.get("state") != "PAYMENT_ACTION_REQUIRED":
        raise Failure(f"The 3-D Secure order did not ask for its customer: {order}")
    mesh.authenticate(order["payment"]["provider_payment_id"])
    mesh.wait(lambda: mesh.order(order["order_id"]), _is_paid, _SETTLE_SECONDS)
    return _told(mesh, "3-D Secure, then confirmed", status, order)


# The outage comes last: for a second after it AvaTax is left alone.
SCENES: tuple[Callable[[DemoMesh], Told], ...] = (paid, declined, three_d_secure, tax_outage)


def _told(mesh: DemoMesh, title: str, status: int, answer: Json) -> Told:
    order_id = answer["order_id"]
    order = mesh.order(order_id)
    first_state = answer["state"] if "state" in answer else order["state"]
    mails = int(_is_paid(order))
    ledger = mesh.wait(lambda: mesh.ledger(order_id), lambda seen: len(seen["mails"]) >= mails, _MAIL_SECONDS)
    return Told(title, status, first_state, order, ledger)


def _is_paid(order: Json) -> bool:
    return bool(order["state"] == "PAID")


def _order(payment_method: str, customer_id: str = "demo") -> dict[str, Any]:
    return {
        "customer": {"customer_id": customer_id, "email": f"{customer_id}@example.com", "name": "Demo"},
        "items": [
            {
                "sku": "MUG-BLUE",
                "description": "Mug, blue",
                "quantity": 2,
                "unit_price": {"currency_code": "USD", "minor_units": 1250},
            }
        ],
        "ship_to": {
            "line1": "400 Broad St",
            "locality": "Seattle",
            "administrative_area": "WA",
            "postal_code": "98109",
            "region_code": "US",
        },
        "payment_method": payment_method,
        "reference": "demo",
    }
