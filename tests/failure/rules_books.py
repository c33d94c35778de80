"""The books of one order agree: its own, Stripe's, AvaTax's, SendGrid's, and those of the shop's other system."""

from collections import Counter
from collections.abc import Iterable, Iterator

from tests.failure.history import Json
from tests.failure.seen import Seen
from tests.failure.told import Asked

Wrong = tuple[str, bool]
"""What is wrong, and whether no time will mend it."""

# A mail is sent at least once; each kill between sending and recording can add one.
_MOST_MAILS = 3

_TAKEN = frozenset({"PAID", "PROCESSING", "SHIPPED", "DELIVERED", "REFUNDED"})
_RESTING = _TAKEN | {"FAILED", "CANCELLED", "AUTHORIZED"}

# Mails that ask the customer to act wait for minutes, and are not sent when the customer has.
_PATIENT = ("send_action_required", "send_payment_failed")


def check_books(order_id: str, asked: Asked | None, seen: Seen) -> Iterator[Wrong]:
    """Yield what is wrong with an order, and whether no time will mend it."""
    order, story = seen.orders[order_id], seen.stories[order_id]
    state = order["state"]
    if state not in _RESTING:
        yield f"it is still {state}", False
    elif asked is not None and state not in asked.life.ends:
        yield f"its life should make it {' or '.join(sorted(asked.life.ends))}, and it is {state}", True
    if order.get("needs_review"):
        yield "a person would have to look at it", True
    yield from _check_story(order, story)
    yield from _check_money(order, seen.charges.get(order_id, []), seen.payments.get(order_id, []))
    yield from _check_refunds(order, asked, seen.refunds.get(order_id, []))
    yield from _check_documents(order, seen.documents.get(order_id, []))
    yield from _check_mails(order, asked, seen.mails.get(order_id, []), seen.notifications.get(order_id, []))
    yield from _check_messages(order, asked, seen.messages.get(order_id, []))


def _check_story(order: Json, story: Json) -> Iterator[Wrong]:
    """Nothing is left to be done, and nothing is left out of the journal."""
    for task in story.get("tasks", ()):
        waits = task["kind"].startswith(_PATIENT) and not task.get("attempts")
        if not task.get("done") and not waits:
            yield f"{task['kind']} is not done: {task.get('last_error', '')}", False
    if any("ship_time" not in each for each in order.get("shipments", ())):
        yield "a shipment waits for its money", False
    versions = sorted(each["version"] for each in story["events"] if each["cause"] != "outbox")
    if versions != list(range(1, story["order"]["version"] + 1)):
        yield f"at version {story['order']['version']} its journal has {versions}", True


def _check_money(order: Json, charges: list[Json], payments: list[Json]) -> Iterator[Wrong]:
    """Compare what the order says with Stripe and with payment_svc."""
    if len(charges) > 1:
        yield f"it was charged {len(charges)} times", True
    # Money may move before the order knows: only the settled order has to agree.
    if order["state"] not in _RESTING:
        return
    taken = [each for each in charges if each["status"] == "succeeded"]
    held = [each for each in charges if each["status"] != "succeeded"]
    captured, released = (_minor(order.get("payment", {}), name) for name in ("captured", "released"))
    due = _minor(order, "total") - released if order["state"] in _TAKEN else 0
    if captured != due:
        yield f"of {due} it has taken {captured}", False
    if released and not any("ship_time" in each for each in order.get("shipments", ())) and due:
        yield f"{released} was let go, and nothing was shipped", True
    if sum(each["amount"] for each in taken) != due:
        yield f"{due} is due, Stripe took {[each['amount'] for each in taken]}", False
    kept = sum(each["amount"] - each["amount_refunded"] for each in taken)
    ledger = sum(_minor(each, "captured") - _minor(each, "refunded") for each in payments)
    if not kept == ledger == due - _minor(order, "refunded"):
        yield f"{due - _minor(order, 'refunded')} is to be kept, Stripe has {kept}, payment_svc says {ledger}", False
    expected = [_minor(order, "total")] if order["state"] == "AUTHORIZED" or _waits_for_goods(order) else []
    if [each["amount"] for each in held] != expected:
        yield f"money is held: {[(each['status'], each['amount']) for each in held]}, and should be {expected}", False


def _waits_for_goods(order: Json) -> bool:
    return bool(order["state"] == "PROCESSING" and order["payment"]["state"] == "AUTHORIZED")


def _check_refunds(order: Json, asked: Asked | None, made: list[Json]) -> Iterator[Wrong]:
    """What went back is what was asked for, each once, and never more than was taken."""
    live = [each for each in made if each["status"] not in {"failed", "canceled"}]
    captured = _minor(order.get("payment", {}), "captured")
    if order["state"] in _RESTING and sum(each["amount"] for each in live) > captured:
        yield f"{[each['amount'] for each in live]} went back of {captured}", True
    ours = order.get("refunds", [])
    wanted = {given.key for given in asked.done("refund")} if asked else set()
    for each in ours:
        if asked and each.get("reason") not in wanted:
            yield f"the refund {each} was not asked for", True
        if each["state"] != "SUCCEEDED":
            yield f"the refund {each} is not settled", False
    theirs = sorted((each["refund"], each["amount"]) for each in live)
    if theirs != sorted((each.get("provider_refund_id", ""), _minor(each, "amount")) for each in ours):
        yield f"Stripe has given back {theirs}, the order has {ours}", False


def _check_documents(order: Json, documents: list[Json]) -> Iterator[Wrong]:
    """One committed invoice for what was sold and one for each return, and none where nothing was."""
    sales = [each for each in documents if each["type"] == "SalesInvoice"]
    returns = [each for each in documents if each["type"] == "ReturnInvoice"]
    state, taken = order["state"], order["state"] in _TAKEN and not _waits_for_goods(order)
    if len(sales) > 1:
        yield f"it has {len(sales)} tax documents", True
    if state in _RESTING and not taken and any(each["status"] == "Committed" for each in documents):
        yield f"it is {state} and has tax documents", True
    if taken and [each["status"] for each in sales] != ["Committed"]:
        yield f"it is {state} and its tax documents are {[each['status'] for each in sales]}", False
    released = 1 if taken and _minor(order["payment"], "released") else 0
    if taken and len(returns) != len(order.get("refunds", ())) + released:
        yield f"it has {len(returns)} returns for {len(order.get('refunds', ()))} refunds", False


def _check_mails(order: Json, asked: Asked | None, mails: list[Json], notifications: list[Json]) -> Iterator[Wrong]:
    """One notification of everything that the customer should know of, sent once, or a few times at most."""
    least, most = _mails_due(order, asked)
    kinds = Counter(each["kind"] for each in notifications)
    if kinds - most and order["state"] in _RESTING:
        yield f"it is {order['state']}, and the customer is told of {dict(kinds - most)}", True
    if least - kinds:
        yield f"it is {order['state']}, and nobody has told the customer of {dict(least - kinds)}", False
    copies = Counter(each["custom_args"].get("notification_id", "") for each in mails)
    for each in notifications:
        sent = copies.pop(each["notification_id"], 0)
        if sent > _MOST_MAILS:
            yield f"{sent} mails were sent of its {each['kind']}", True
        if each["state"] != "DELIVERED" or not sent:
            yield f"its {each['kind']} is {each['state']}, and {sent} mails were sent of it", False
    if copies:
        yield f"mails were sent of {dict(copies)}, which is nothing of its", True


def _mails_due(order: Json, asked: Asked | None) -> tuple[Counter[str], Counter[str]]:
    """Return the mails that there have to be of each kind, and those that there may be."""
    state = order["state"]
    least = Counter(
        ORDER_CONFIRMATION=int(state in _TAKEN or state == "AUTHORIZED"),
        ORDER_SHIPPED=len(order.get("shipments", ())),
        ORDER_DELIVERED=int(_arrived(order)),
        ORDER_CANCELLED=int(state == "CANCELLED"),
        ORDER_REFUNDED=len(order.get("refunds", ())),
    )
    most = least.copy()
    if asked is None or asked.life.held:
        most["ORDER_CONFIRMATION"] = 1  # it was held, and cancelled afterwards
    if asked is None or asked.life.authenticates or "keep_after_decline" in asked.life.order:
        most.update(PAYMENT_ACTION_REQUIRED=1, PAYMENT_FAILED=1)
    return least, most


def _check_messages(order: Json, asked: Asked | None, messages: Iterable[Json]) -> Iterator[Wrong]:
    """Everything that happened to the order was told to the shop's other system, under one id each."""
    least, most = _messages_due(order, asked)
    told = Counter(each["type"] for each in messages)
    if told - most and order["state"] in _RESTING:
        yield f"it is {order['state']}, and webhooks tell of {dict(told - most)}", True
    if least - told:
        yield f"it is {order['state']}, and no webhook tells of {dict(least - told)}", False


def _messages_due(order: Json, asked: Asked | None) -> tuple[Counter[str], Counter[str]]:
    """Return the messages that there have to be of each type, and those that there may be."""
    state, taken = order["state"], order["state"] in _TAKEN and not _waits_for_goods(order)
    held = asked is not None and asked.life.held
    least = Counter(
        {
            "order.placed": 1,
            "order.authorized": int(held and (taken or state == "AUTHORIZED" or _waits_for_goods(order))),
            "order.paid": int(taken),
            "order.processing": len(list(asked.done("startProcessing"))) if asked else 0,
            "order.shipped": len(order.get("shipments", ())),
            "order.delivered": int(_arrived(order)),
            "order.refunded": len(order.get("refunds", ())),
            "order.failed": int(state == "FAILED"),
            "order.cancelled": int(state == "CANCELLED"),
        }
    )
    most = least.copy()
    most["order.authorized"] = max(most["order.authorized"], int(held))
    if asked is None or asked.life.authenticates or "keep_after_decline" in asked.life.order:
        most["order.payment_action_required"] = 1
    return least, most


def _arrived(order: Json) -> bool:
    """Say whether all of an order has arrived, also if it was given back afterwards."""
    shipments = order.get("shipments", ())
    return bool(shipments) and all("deliver_time" in each for each in shipments)


def _minor(body: Json, name: str) -> int:
    return int(body.get(name, {}).get("minor_units", 0))
