"""What a shop asks of its orders after they are placed, with keys that are repeated until they are answered.

Every command has a key of its own. What was answered is written down, and compared in the end with what became of the
order: tests/simulation/promises.py.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from ordermesh.order.v1 import order_pb2
from ordermesh.order.v1 import order_service_pb2 as pb
from ordermesh.type.v1 import money_pb2

from chassis.errors import refusal_of
from kernel.errors import Reason, Refusal
from order_svc.adapters.tables import METADATA as ORDER_TABLES
from tests.fakes.payment_gateway import DECLINED, THREE_D_SECURE, VISA
from tests.simulation.moves import GIVEN_UP
from tests.simulation.shelf import shelf
from tests.simulation.wire import Stub
from tests.simulation.world import World

# Answers that leave open what has happened, or that ask to be asked again.
OPEN = frozenset({Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED, Reason.INTERNAL, Reason.OVERLOADED})

# What a command may be refused with: the state, the version, what is left of the order; or the order has failed.
_REFUSED = frozenset(
    {
        Reason.ILLEGAL_STATE,
        Reason.VALIDATION_FAILED,
        Reason.VERSION_MISMATCH,
        Reason.REFUND_EXCEEDS_PAYMENT,
        Reason.PAYMENT_DECLINED,
        Reason.PAYMENT_METHOD_INVALID,
        Reason.PROVIDER_REFUSED,
        Reason.ADDRESS_INVALID,
        Reason.AMOUNT_OUT_OF_RANGE,
    }
)

ASKS_AGAIN_AFTER = (0.2, 1.0, 3.0, 10.0, 40.0)

# How long a shop looks for its order among the latest before it gives up, and how often.
_LOOK_SECONDS, _LOOKS = 0.1, 100

# An etag that names no version of any order.
_STALE = "0"


@dataclass
class Told:
    """What the clients of one order were told.

    Attributes:
        key: Its idempotency key.
        order_ids: The order's ids, in the order in which they were heard; one, if all is well.
        ends: Each state that was heard of it.
        asked: How many keys each command was asked with, by RPC.
        accepted: How many of them were answered with the order.
    """

    key: str
    order_ids: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Errand:
    """One command of the shop's.

    Attributes:
        request: What is asked for, without key, order and etag.
        after: How many seconds after the errand before it was settled; the first: after the order is there.
        callers: How many ask for it at once, all with the same key.
        etag: "right" for the order's latest version, "stale" for none of its versions; empty for none.
    """

    request: Any = field(hash=False)
    after: float = 0.0
    callers: int = 1
    etag: str = ""

    @property
    def rpc(self) -> str:
        """Return the name of the RPC that takes the request."""
        return type(self.request).__name__.removesuffix("Request")


@dataclass(frozen=True, slots=True)
class _Stand:
    order_id: str
    state: str
    revision: int
    currency: str


class Clerk:
    """Runs errands.

    Args:
        world: Where.
        orders: The order service.
        patience: Says how long to wait for the next answer, in seconds.
    """

    def __init__(self, world: World, orders: Stub, patience: Callable[[], float]) -> None:
        self._world = world
        self._orders = orders
        self._patience = patience

    async def found(self, told: Told) -> bool:
        """Wait until the order is in the shop's list; False when it does not come."""
        for _ in range(_LOOKS):
            if _stand(told) is not None:
                return True
            await asyncio.sleep(_LOOK_SECONDS)
        return False

    async def run(self, told: Told, errand: Errand) -> None:
        """Ask for a command until it is answered, or the shop has lost patience."""
        stand = _stand(told)
        if stand is None:
            return
        told.asked[errand.rpc] += 1
        request = type(errand.request)()
        request.CopyFrom(errand.request)
        request.order_id = stand.order_id
        request.request_id = f"{told.key}-{errand.rpc}-{told.asked[errand.rpc]}"
        if errand.etag:
            request.etag = str(stand.revision) if errand.etag == "right" else _STALE
        self._world.note(f"{request.request_id} {' '.join(str(errand.request).split())} {errand.etag}".rstrip())
        answered = await asyncio.gather(*(self._insist(told, errand, request) for _ in range(errand.callers)))
        told.accepted[errand.rpc] += any(answered)

    async def _insist(self, told: Told, errand: Errand, request: Any) -> bool:  # noqa: ANN401  (any message)
        """Say whether the command was accepted."""
        for wait in ASKS_AGAIN_AFTER:
            try:
                answer = await getattr(self._orders, errand.rpc)(request, timeout=self._patience())
            except grpc.aio.AioRpcError as error:
                refusal = refusal_of(error)
                if refusal is not None and refusal.reason not in OPEN:
                    self._refused(told, request.request_id, refusal)
                    return False
                await asyncio.sleep(wait)
            else:
                self._answered(told, errand, request.request_id, answer.order)
                return True
        return False

    def _answered(self, told: Told, errand: Errand, key: str, order: order_pb2.Order) -> None:
        state = state_of(order)
        self._world.note(f"{key}: {order.order_id} {state}")
        told.ends.append(state)
        if errand.etag == "stale":
            self._world.violated(f"P-9: {key} was decided on another version and accepted")
        if errand.rpc == "CancelOrder" and state in {"PAID", "SHIPPED", "DELIVERED", "REFUNDED"}:
            self._world.violated(f"P-19: {key} was answered with {state}")

    def _refused(self, told: Told, key: str, refusal: Refusal) -> None:
        self._world.note(f"{key}: {refusal.reason}")
        if refusal.reason not in _REFUSED:
            self._world.violated(f"P-3: {key} was refused: {refusal.reason} {refusal.message}")
        if refusal.reason not in {Reason.ILLEGAL_STATE, Reason.VERSION_MISMATCH} and "orderId" in refusal.metadata:
            told.ends.append("FAILED")


def state_of(order: order_pb2.Order) -> str:
    """Return the state of an order as it is called elsewhere."""
    return order_pb2.OrderState.Name(order.state).removeprefix("ORDER_STATE_")


def _stand(told: Told) -> _Stand | None:
    """Return the order of a key as the shop's list has it, which it finds by its own reference."""
    query = "SELECT order_id, state, revision, currency_code FROM orders WHERE reference = ?"
    found = shelf(ORDER_TABLES).row(query, told.key)
    return None if found is None else _Stand(*found)


# Commands as messages.

CANCEL = pb.CancelOrderRequest(reason="the customer called")
PROCESS = pb.StartProcessingRequest()
DELIVER = pb.DeliverOrderRequest()
CONFIRM = pb.ConfirmOrderPaymentRequest()
RETRY = pb.RetryOrderRequest()
NOTE = pb.AnnotateOrderRequest(note="call first")
SHIP = pb.ShipOrderRequest(carrier="DHL", tracking_number="1")
SHIP_A_MUG = pb.ShipOrderRequest(items=[order_pb2.OrderQuantity(sku="mug", quantity=1)])
SHIP_MUGS_ONLY = pb.ShipOrderRequest(items=[order_pb2.OrderQuantity(sku="mug", quantity=2)], release_rest=True)
REFUND = pb.RefundOrderRequest(reason="sent back")
REFUND_A_MUG = pb.RefundOrderRequest(items=[order_pb2.OrderQuantity(sku="mug", quantity=1)])
REFUND_THE_HAT = pb.RefundOrderRequest(skus=["hat"])


def refund_of(minor_units: int, currency: str = "EUR") -> pb.RefundOrderRequest:
    """Return a refund of an amount."""
    return pb.RefundOrderRequest(amount=money_pb2.Money(currency_code=currency, minor_units=minor_units))


def confirm_with(card: str) -> pb.ConfirmOrderPaymentRequest:
    """Return a confirmation with another payment method."""
    return pb.ConfirmOrderPaymentRequest(payment_method=card)


# What a shop does with an order in a state. Around the edge of what is allowed most goes wrong: some of it is not.
_REFUNDS = (REFUND, REFUND_A_MUG, REFUND_THE_HAT, refund_of(700), refund_of(700), refund_of(1_250))
_SHIPS = (SHIP, SHIP_A_MUG)
_CARDS = (confirm_with(VISA), confirm_with(VISA), confirm_with(DECLINED), confirm_with(THREE_D_SECURE))
_OFTEN: dict[str, Sequence[Any]] = {
    "PENDING": (CANCEL, CANCEL, NOTE),
    "PAYMENT_ACTION_REQUIRED": (*_CARDS, CONFIRM, CANCEL),
    "AUTHORIZED": (SHIP, SHIP, SHIP_A_MUG, SHIP_MUGS_ONLY, SHIP_MUGS_ONLY, PROCESS, CANCEL, CANCEL),
    "PAID": (*_SHIPS, *_REFUNDS, PROCESS),
    "PROCESSING": (*_SHIPS, SHIP_MUGS_ONLY, *_REFUNDS, DELIVER, CANCEL),
    "SHIPPED": (DELIVER, DELIVER, *_REFUNDS),
    "DELIVERED": _REFUNDS,
}
_ANY = (*_SHIPS, SHIP_MUGS_ONLY, *_REFUNDS, *_CARDS, CANCEL, PROCESS, DELIVER, CONFIRM, RETRY, NOTE)
_UNUSUAL = 0.12

_WAITS = (0.0, 0.05, 0.3, 2.0, 15.0)
_ETAGS = ("", "", "", "", "", "", "right", "stale")


def drawn(told: Told, luck: random.Random) -> Errand | None:
    """Return what the shop asks of its order next, as that stands; None for nothing any more."""
    stand = _stand(told)
    if stand is None or (stand.state in GIVEN_UP and luck.random() > _UNUSUAL):
        return None
    often = _OFTEN.get(stand.state, _ANY)
    request = luck.choice(_ANY if luck.random() < _UNUSUAL else often)
    if isinstance(request, pb.RefundOrderRequest) and request.HasField("amount"):
        scale = 10 if stand.currency == "KWD" else 1
        request = refund_of(request.amount.minor_units * scale, stand.currency)
    etag = luck.choice(_ETAGS) if "etag" in request.DESCRIPTOR.fields_by_name else ""
    return Errand(request, luck.choice(_WAITS), luck.choice((1, 1, 1, 2)), etag)
