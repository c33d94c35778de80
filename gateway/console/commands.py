"""What a page lets a person do with an order: what is safe to do by a button, and undone by none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus

from gateway.console.inside import Json, Refused
from kernel.money import Money

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Command:
    """A button.

    Attributes:
        name: The command's own in the API: "refund".
        label: What the button says.
        explanation: What it does.
        fits: Says whether an order, as the API shows it, might take it; what it really may the API says.
        body: Makes the request of what was filled in.
        fields: What can be filled in: the names of inputs that the page has.
    """

    name: str
    label: str
    explanation: str
    fits: Callable[[Json], bool]
    body: Callable[[str, Form], Json]
    fields: tuple[str, ...] = ()


def _retry(order_id: str, _: Form) -> Json:
    return {"order_id": order_id}


def _cancel(order_id: str, form: Form) -> Json:
    return {"order_id": order_id, "reason": form.get("reason", "").strip()}


def _refund(order_id: str, form: Form) -> Json:
    body: Json = {"order_id": order_id, "reason": form.get("reason", "").strip()}
    amount, currency = form.get("amount", "").strip(), form.get("currency_code", "")
    if amount:
        try:
            money = Money.from_decimal(Decimal(amount), currency)
        except (ArithmeticError, ValueError) as error:
            problem = {"title": "That is no amount.", "detail": f"{amount!r} is no amount in {currency}: write 12.50."}
            raise Refused(HTTPStatus.BAD_REQUEST, problem) from error
        body["amount"] = {"currency_code": money.currency_code, "minor_units": money.minor_units}
    return body


def _mark_reviewed(order_id: str, form: Form) -> Json:
    return {"order_id": order_id, "finding": form.get("finding", "").strip()}


def _is_at_rest(order: Json) -> bool:
    return bool(order["needs_review"]) and order["state"] not in {"PENDING", "PAYMENT_ACTION_REQUIRED"}


def _can_be_cancelled(order: Json) -> bool:
    return order["state"] in {"PENDING", "PAYMENT_ACTION_REQUIRED", "AUTHORIZED"}


def _can_be_refunded(order: Json) -> bool:
    taken = order["payment"].get("captured") or {}
    return int(taken.get("minor_units", 0)) > int(order["refunded"]["minor_units"])


COMMANDS = {
    each.name: each
    for each in (
        Command(
            "retry",
            "Take up again",
            "The order goes on where it stopped. Whatever moves money has a key of its own: nothing happens twice.",
            lambda order: bool(order["needs_review"]),
            _retry,
        ),
        Command(
            "markReviewed",
            "Mark reviewed",
            "You have looked at it, and nothing is left to do. Your name and what you found go into its journal.",
            _is_at_rest,
            _mark_reviewed,
            ("finding",),
        ),
        Command(
            "cancel",
            "Cancel",
            "The payment is given up, and nothing stays charged.",
            _can_be_cancelled,
            _cancel,
            ("reason",),
        ),
        Command(
            "refund",
            "Refund",
            "Money goes back to the card. Leave the amount empty for all that is left.",
            _can_be_refunded,
            _refund,
            ("amount", "reason"),
        ),
    )
}
"""By name, in the order in which a page shows them."""
