"""The lives that orders have: how they are paid, what the shop asks for afterwards, and how they may end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tests.failure.history import Json

_NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Command:
    """What a shop asks of an order.

    Attributes:
        verb: As the route has it: "refund", "ship".
        body: What is sent with it.
    """

    verb: str
    body: Mapping[str, object] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Life:
    """One of them.

    Attributes:
        payment_method: How the customer pays.
        ends: The states that the order may end in.
        authenticates: What the customer makes of 3-D Secure, when asked: "succeed" or "fail".
        order: What is special about the order as it is placed.
        course: What follows, one after another; commands that stand together are given at once.
        cancels: Whether the shop cancels the order while it is being placed.
    """

    payment_method: str
    ends: frozenset[str]
    authenticates: str = ""
    order: Mapping[str, object] = field(default_factory=lambda: _NOTHING)
    course: tuple[tuple[Command, ...], ...] = ()
    cancels: bool = False

    @property
    def held(self) -> bool:
        """Say whether its money is only taken when goods are shipped."""
        return "capture_mode" in self.order


_VISA = "pm_card_visa"
_DECLINED = "pm_card_chargeDeclined"
_POOR = "pm_card_visa_chargeDeclinedInsufficientFunds"
_3D_SECURE = "pm_card_threeDSecure2Required"

_HELD: Mapping[str, object] = MappingProxyType({"capture_mode": "ON_SHIPMENT"})
_KEPT: Mapping[str, object] = MappingProxyType({"keep_after_decline": True})


def _quantities(**counts: int) -> Json:
    return {"items": [{"sku": sku.replace("_", "-"), "quantity": count} for sku, count in counts.items()]}


_PROCESS, _SHIP, _DELIVER = Command("startProcessing"), Command("ship"), Command("deliver")
_MUGS = _quantities(MUG_BLUE=2)
_SHIP_ONE, _SHIP_MUGS = Command("ship", _quantities(MUG_BLUE=1)), Command("ship", _MUGS)
_SHIP_MUGS_ALONE = Command("ship", {**_MUGS, "release_rest": True})
_REFUND, _REFUND_TEE = Command("refund"), Command("refund", {"skus": ["TEE-M"]})
_REFUND_MUG = Command("refund", _quantities(MUG_BLUE=1))
_REFUND_SOME = Command("refund", {"amount": {"currency_code": "USD", "minor_units": 150}})
CANCEL, _ANOTHER_CARD = Command("cancel"), Command("confirmPayment", {"payment_method": _VISA})


def _ends(*states: str) -> frozenset[str]:
    return frozenset(states)


LIVES: tuple[tuple[Life, int], ...] = (
    (Life(_VISA, _ends("PAID")), 4),
    (Life(_DECLINED, _ends("FAILED")), 1),
    (Life(_POOR, _ends("FAILED")), 1),
    (Life(_3D_SECURE, _ends("PAID"), "succeed"), 2),
    (Life(_3D_SECURE, _ends("FAILED"), "fail"), 1),
    # Another payment method after a decline.
    (Life(_DECLINED, _ends("PAID"), order=_KEPT, course=((_ANOTHER_CARD,),)), 2),
    (Life(_DECLINED, _ends("CANCELLED"), order=_KEPT, course=((CANCEL,),)), 1),
    (Life(_DECLINED, _ends("PAID", "CANCELLED"), order=_KEPT, course=((_ANOTHER_CARD, CANCEL),)), 2),
    # Money that goes back.
    (Life(_VISA, _ends("REFUNDED"), course=((_REFUND,),)), 2),
    (Life(_VISA, _ends("REFUNDED"), course=((_REFUND_TEE,), (_REFUND_SOME,), (_REFUND,))), 2),
    (Life(_VISA, _ends("PAID"), course=((_REFUND_SOME, _REFUND_SOME, _REFUND_MUG),)), 2),
    (Life(_VISA, _ends("REFUNDED"), course=((_REFUND, _REFUND_TEE, _REFUND_SOME),)), 2),
    # Goods that go out, in one shipment and in several.
    (Life(_VISA, _ends("DELIVERED"), course=((_PROCESS,), (_SHIP_ONE,), (_SHIP,), (_DELIVER,))), 2),
    (Life(_VISA, _ends("SHIPPED", "PROCESSING"), course=((_SHIP_MUGS,), (_REFUND_TEE, _SHIP))), 1),
    (Life(_VISA, _ends("DELIVERED"), course=((_SHIP,), (_DELIVER,), (_REFUND_SOME,))), 1),
    # Money that is held, taken with the goods.
    (Life(_VISA, _ends("AUTHORIZED"), order=_HELD), 1),
    (Life(_VISA, _ends("DELIVERED"), order=_HELD, course=((_SHIP,), (_DELIVER,))), 2),
    (Life(_VISA, _ends("REFUNDED"), order=_HELD, course=((_SHIP,), (_REFUND_TEE,), (_REFUND,))), 1),
    (Life(_VISA, _ends("SHIPPED"), order=_HELD, course=((_PROCESS,), (_SHIP_MUGS_ALONE,), (_REFUND_SOME,))), 2),
    (Life(_VISA, _ends("DELIVERED"), order=_HELD, course=((_SHIP_ONE,), (_SHIP,), (_DELIVER,))), 1),
    (Life(_3D_SECURE, _ends("SHIPPED"), "succeed", order=_HELD, course=((_SHIP_MUGS_ALONE,),)), 1),
    (Life(_VISA, _ends("CANCELLED"), order=_HELD, course=((CANCEL,),)), 2),
    (Life(_VISA, _ends("SHIPPED", "CANCELLED"), order=_HELD, course=((_SHIP, CANCEL),)), 2),
    # Cancelled while it is being charged.
    (Life(_VISA, _ends("PAID", "CANCELLED"), cancels=True), 3),
    (Life(_VISA, _ends("CANCELLED"), order=_HELD, cancels=True), 1),
    (Life(_3D_SECURE, _ends("PAID", "CANCELLED"), "succeed", cancels=True), 1),
)
"""The lives that there are, and how often each is lived."""


def rivals(step: tuple[Command, ...]) -> bool:
    """Say whether one of these commands may be refused for the sake of another, as refunds of a part may not."""
    return len(step) > 1 and (_REFUND in step or any(command.verb != "refund" for command in step))
