"""What shops were told holds: each state, each refund, each shipment, each refusal."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from tests.failure.history import Json
from tests.failure.seen import Seen
from tests.failure.told import Asked, Given, refunds_of, shipments_of

Wrong = tuple[str, bool]
"""What is wrong, and whether no time will mend it."""

# How far an order has come. What was told of an order may only be followed by what stands further on.
_RANKS: Mapping[str, int] = MappingProxyType(
    {
        "PENDING": 0,
        "PAYMENT_ACTION_REQUIRED": 0,
        "AUTHORIZED": 1,
        "PAID": 2,
        "PROCESSING": 3,
        "SHIPPED": 4,
        "DELIVERED": 5,
        "REFUNDED": 6,
        "FAILED": 7,
        "CANCELLED": 7,
    }
)
_GIVEN_UP = frozenset({"FAILED", "CANCELLED"})
_OVER = _GIVEN_UP | {"REFUNDED"}

# What a rival may bring a command to: it came too late, too little is left, or nothing is.
_REFUSALS = frozenset({"ILLEGAL_STATE", "REFUND_EXCEEDS_PAYMENT", "VALIDATION_FAILED"})


def check_told(asked: Asked, seen: Seen) -> Iterator[Wrong]:
    """Compare what a shop was told of an order with what is there."""
    if len(asked.order_ids) > 1:
        yield f"one key made the orders {sorted(asked.order_ids)}", True
    for order_id in asked.order_ids - set(seen.orders):
        yield f"order {order_id} was told and is lost", True
    for order_id in asked.failed & set(seen.orders):
        if (state := seen.orders[order_id]["state"]) != "FAILED":
            yield f"order {order_id} was told FAILED and is {state}", True
    for told, at in asked.told:
        now = seen.orders.get(told["order_id"])
        for what in _contradictions(told, now) if now else ():
            yield f"order {told['order_id']} was told {what}, told at {at}", True
    for order_id in asked.order_ids & set(seen.orders):
        for given in asked.given:
            for what, final in _check_given(given, seen.orders[order_id]):
                yield f"order {order_id}: {given.key} {what}", final


def _contradictions(told: Json, now: Json) -> Iterator[str]:
    """Yield what an answer said that is not so any more."""
    was, state = told["state"], now["state"]
    came_back = _RANKS[state] < _RANKS[was]
    undone = state in _GIVEN_UP and (was in {"PAID", "SHIPPED", "DELIVERED"} or _captured(told))
    changed = was in _OVER and state != was
    if came_back or undone or changed or (told["version"] == now["version"] and was != state):
        yield f"{was} and is {state}"
    if now["version"] < told["version"]:
        yield f"at version {told['version']} and is at {now['version']}"
    if _captured(told) > _captured(now):
        yield f"to have {_captured(told)} and has {_captured(now)}"
    refunds = {each["refund_id"]: each for each in now.get("refunds", ())}
    for each in told.get("refunds", ()):
        kept = refunds.get(each["refund_id"], {})
        same = all(each.get(name) == kept.get(name) for name in ("amount", "reason", "create_time"))
        if not same or (each["state"] == "SUCCEEDED" and kept["state"] != "SUCCEEDED"):
            yield f"the refund {each}, and it is {kept}"
    shipments = {each["shipment_id"]: each for each in now.get("shipments", ())}
    for each in told.get("shipments", ()):
        if "ship_time" in each and not each.items() <= shipments.get(each["shipment_id"], {}).items():
            yield f"the shipment {each}, and it is {shipments.get(each['shipment_id'])}"


def _check_given(given: Given, order: Json) -> Iterator[Wrong]:
    """Compare what was told of a command with what it has made."""
    if len(set(given.ends)) > 1:
        yield f"was answered {sorted(set(given.ends))}", True
    refused = set(given.ends) - {"done", "overtaken"}
    if refused and (given.alone or not refused <= _REFUSALS):
        yield f"was refused with {sorted(refused)}", True
    made = _made(given, order)
    if made != (1 if given.done else 0) and given.ends:
        yield f"was answered {given.ends}, and what it makes is there {made} times", True
    amount = given.command.body.get("amount")
    for each in refunds_of(order, given.key):
        if amount and each["amount"] != amount:
            yield f"was to give back {amount}, and gave back {each['amount']}", True


def _made(given: Given, order: Json) -> int:
    """Return how often there is what a command makes, in the order as it is now."""
    match given.command.verb:
        case "refund":
            return len(refunds_of(order, given.key))
        case "ship":
            return len(shipments_of(order, given.key))
        case "cancel":
            return int(order["state"] == "CANCELLED")
        case "deliver":
            return int(all("deliver_time" in each for each in order["shipments"]))
        case "confirmPayment":
            return int(
                bool(_captured(order)) and order["payment"]["payment_method"] == given.command.body["payment_method"]
            )
        case _:
            return int(_RANKS[order["state"]] >= _RANKS["PROCESSING"])


def _captured(order: Json) -> int:
    return int(order.get("payment", {}).get("captured", {}).get("minor_units", 0))
