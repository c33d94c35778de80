"""Stripe outside the crash domain: what it did stays done. It watches what it is asked, and tells what happens.

The fake is that of the payment service's own tests, which passes the contract suite of the real adapter. Here it has
customers and banks that act by themselves, some of them late, and somebody at the shop with access to the dashboard.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.adapters.stripe_amounts import multiple_of
from payment_svc.app.ports import Refused
from payment_svc.domain.dispute import Dispute, DisputeState
from payment_svc.domain.intent import Intent, IntentStatus, ProviderRefund, RefundState
from tests.fakes.payment_gateway import SLOW_BANK, THREE_D_SECURE, FakeGateway, Fault, Made
from tests.fakes.virtual_time import BEGIN
from tests.simulation.chaos import BANK, CAPTURES, CUSTOMER, REFUND, SHOP
from tests.simulation.providers import Line
from tests.simulation.world import World

T = TypeVar("T")

# Stripe may forget an idempotency key from this age on.
_KEYS_SECONDS = 86_400.0

# When customers finish 3-D Secure, as a share of the time that they have: most around its end, where it matters.
_ACTS = (0.1, 0.9, 0.99, 1.0, 1.005, 1.01, 1.3)

# Some act just when an order gives up waiting for them: before or while its payment is being cancelled.
_IN_THE_LAST_MOMENT = 0.5
_SUCCEEDS = True
_MOMENTS = (0.0, 0.02, 0.06, 0.1)

# How long banks and people take.
_BANK_SECONDS = (2.0, 60.0, 900.0)
_REFUND_SECONDS = (3.0, 40.0, 5_400.0)
_SHOP_SECONDS = (1.0, 50.0, 7_200.0)

# When the bank asks for money, and how much later it decides.
_DISPUTE_SECONDS = (1.0, 50.0, 7_200.0)
_DECIDED_SECONDS = 60.0

# How long money is held: too short for an unhurried shop, or long enough. Stripe's week is only longer.
_HOLD_SECONDS = (40.0, 900.0, 7_200.0)

_TOLD = {
    IntentStatus.AUTHORIZED: "payment_intent.amount_capturable_updated",
    IntentStatus.ACTION_REQUIRED: "payment_intent.requires_action",
    IntentStatus.PROCESSING: "payment_intent.processing",
    IntentStatus.SUCCEEDED: "payment_intent.succeeded",
    IntentStatus.CANCELLED: "payment_intent.canceled",
}


class Rules(Protocol):
    """What must hold whenever money moves; each says what is wrong, empty for nothing."""

    def may_charge(self, order_id: str, intent_id: str) -> str:
        """Say whether money may be taken or held on an intent now."""
        ...

    def may_capture(self, order_id: str, amount: Money) -> str:
        """Say whether so much of held money may be taken now."""
        ...


class Stripe(FakeGateway):
    """The fake, in a world of its own.

    Args:
        world: Where it is.
        rules: What must hold whenever money moves.

    Attributes:
        captured: Minor units taken, by order.
        by_hand: Minor units that somebody gave back in the dashboard, by order.
        untold: How much of that no event will ever tell of, because it was lost.
        disputed: Where the dispute of an order stands that an event told of and that nothing has overtaken.
        failed_refunds: How many refunds failed for good, by order.
        tell: Sends an event of a type about an object, and says whether it will arrive: Webhooks.tell.
    """

    def __init__(self, world: World, rules: Rules) -> None:
        super().__init__()
        self.captured: Counter[str] = Counter()
        self.by_hand: Counter[str] = Counter()
        self.untold: Counter[str] = Counter()
        self.disputed: dict[str, Dispute] = {}
        self.failed_refunds: Counter[str] = Counter()
        self.tell: Callable[..., bool] = lambda *_, **__: True
        self._world = world
        self._rules = rules
        self._paid_anyway: set[str] = set()
        self._captured_by_hand: set[str] = set()
        self._key_ages: dict[str, float] = {}

    def given_back(self, order_id: str) -> int:
        """Return the minor units of an order that were refunded."""
        return sum(self.refunded(each.intent_id) for each in self.intents.values() if each.order_id == order_id)

    async def _call(self, operation: str, effect: Callable[[], T], key: str = "", said: object = None) -> T | Unknown:
        if key:
            for old in [old for old, at in self._key_ages.items() if self._world.now() - at >= _KEYS_SECONDS]:
                del self._key_ages[old]
                self._kept.pop(old, None)
            self._key_ages.setdefault(key, self._world.now())
        told: dict[str, Callable[[], Any]] = {
            "create": lambda: self._creating(effect),
            "refund": lambda: self._refunding(effect, said),
        }
        return await super()._call(operation, told.get(operation, effect), key, said)

    def _creating(self, effect: Callable[[], T]) -> T:
        """Make an intent, of which Stripe tells before we can have stored it."""
        made = effect()
        if isinstance(made, Done):
            self._told("payment_intent.created", made.value)
        return made

    # Charges.

    def _take(self, intent_id: str) -> None:
        intent = self.intents[intent_id]
        held = intent_id in self.held
        self._world.note(f"stripe {'holds' if held else 'takes'} {intent.amount} for {intent.order_id} on {intent_id}")
        if intent_id not in self._paid_anyway and (wrong := self._rules.may_charge(intent.order_id, intent_id)):
            self._world.violated(wrong)
        if held:
            seconds = self._hold_seconds()
            self.hold_until = BEGIN + timedelta(seconds=self._world.now() + seconds)
            self._world.later(seconds, self.lapse, intent_id)
        super()._take(intent_id)
        if held and self._world.chaos.draw(CAPTURES, "stripe.hold"):
            self._world.later(self._world.chaos.pick(*_SHOP_SECONDS), self._capture_by_hand, intent_id)

    def _pay(self, intent_id: str, amount: Money) -> None:
        intent = self.intents[intent_id]
        order_id, by_hand = intent.order_id, intent_id in self._captured_by_hand
        if intent.status is IntentStatus.AUTHORIZED:
            self._world.note(f"stripe captures {amount} of {intent.amount} for {order_id}")
            if not by_hand and (wrong := self._rules.may_capture(order_id, amount)):
                self._world.violated(wrong)
        self.captured[order_id] += amount.minor_units
        if self.captured[order_id] > intent.amount.minor_units:
            self._world.violated(f"P-10: order {order_id} is charged twice")
        super()._pay(intent_id, amount)
        if self._world.chaos.draw(SHOP, "stripe.dashboard"):
            self._world.later(self._world.chaos.pick(*_SHOP_SECONDS), self._refund_by_hand, intent_id)

        if self._world.chaos.draw(BANK, "stripe.bank"):
            opens = self._world.chaos.pick(*_DISPUTE_SECONDS)
            ends = DisputeState.LOST if self._world.chaos.pick(0.0, 1.0) else DisputeState.WON
            self._world.later(opens, self._disputes, intent_id, DisputeState.NEEDS_RESPONSE, "created")
            self._world.later(opens + _DECIDED_SECONDS, self._disputes, intent_id, ends, "closed")

    def _disputes(self, intent_id: str, state: DisputeState, step: str) -> None:
        """Have the customer's bank ask for the money, or decide on what it has asked for."""
        dispute, order_id = self.dispute(intent_id, state), self.intents[intent_id].order_id
        self._world.note(f"the bank's dispute of {order_id} is {state}")
        about = {"object": "dispute", "id": dispute.dispute_id, "payment_intent": intent_id, "status": state.value}
        if self.tell(f"charge.dispute.{step}", about):
            self.disputed[order_id] = dispute

    def _hold_seconds(self) -> float:
        return self._world.luck.choice(_HOLD_SECONDS)

    def _capture_by_hand(self, intent_id: str) -> None:
        """Have somebody take the money in the dashboard, if it is still held."""
        intent = self.intents[intent_id]
        if intent.status is IntentStatus.AUTHORIZED:
            self._captured_by_hand.add(intent_id)
            self._pay(intent_id, intent.amount)

    def _set(self, intent_id: str, **changes: object) -> None:
        super()._set(intent_id, **changes)
        intent = self.intents[intent_id]
        self._told(_TOLD.get(intent.status, "payment_intent.payment_failed"), intent)
        # Only after a decline: of an intent whose payment method cannot be used nobody is given the client secret.
        if intent.status is IntentStatus.UNCONFIRMED and self._world.chaos.draw(CUSTOMER, "stripe.customer"):
            self._world.later(self._world.chaos.pick(0.3, 5.0, 40.0), self._pays_anyway, intent_id)

    def _confirm(self, intent_id: str, payment_method: str) -> Any:  # noqa: ANN401  (as the fake says)
        world, luck = self._world, self._world.luck
        if payment_method == THREE_D_SECURE and not world.customers_are_late and luck.random() < 0.8:
            seconds, success = world.action_seconds * luck.choice(_ACTS), luck.random() < 0.7
            world.later(seconds, self._acts, intent_id, success)
        if payment_method == SLOW_BANK:
            world.later(luck.choice(_BANK_SECONDS), self._decides, intent_id)
        return super()._confirm(intent_id, payment_method)

    def last_moment(self, order_id: str) -> None:
        """Have a customer act in the very moment in which the order gives the payment up."""
        world = self._world
        for intent in self.intents.values():
            if intent.order_id == order_id and (world.customers_are_late or world.luck.random() < _IN_THE_LAST_MOMENT):
                world.later(world.luck.choice(_MOMENTS), self._acts, intent.intent_id, _SUCCEEDS)

    def _acts(self, intent_id: str, success: bool) -> None:  # noqa: FBT001  (a callback)
        if self.intents[intent_id].status is not IntentStatus.ACTION_REQUIRED:
            return
        if success and self._world.luck.random() < 0.2:
            self._set(intent_id, status=IntentStatus.PROCESSING)
            self._world.later(self._world.luck.choice(_BANK_SECONDS), self._decides, intent_id)
        else:
            self.authenticate(intent_id, success=success)

    def _decides(self, intent_id: str) -> None:
        if self.intents[intent_id].status is IntentStatus.PROCESSING:
            self.decide(intent_id)

    def _pays_anyway(self, intent_id: str) -> None:
        """Have the customer pay with another card, on the page that the first one was declined on."""
        if self.intents[intent_id].status is IntentStatus.UNCONFIRMED:
            self._paid_anyway.add(intent_id)
            self._take(intent_id)

    # Refunds.

    def _refunding(self, effect: Callable[[], Any], said: Any) -> Any:  # noqa: ANN401  (as the fake says)
        """Make a refund, and decide what becomes of it in the end."""
        fate, count = self._world.chaos.draw(REFUND, "stripe.refund.fate"), len(self.refunds)
        if fate == "refund_refused":
            self.failed_refunds[self.intents[said[0]].order_id] += 1
            return NotDone(Refused("insufficient_funds"))
        self.refund_state = RefundState.PENDING if fate in {"refund_pends", "refund_fails"} else RefundState.SUCCEEDED
        answer = effect()
        if len(self.refunds) > count:
            made = self.refunds[-1]
            self._world.note(f"stripe refunds {made.refund.amount} of {made.intent_id} {fate}")
            self._told_of_refund("refund.created", made)
            if fate:
                end = RefundState.SUCCEEDED if fate == "refund_pends" else RefundState.FAILED
                seconds = self._world.chaos.pick(*_REFUND_SECONDS)
                self._world.later(seconds, self._refund_ends, made.refund.provider_refund_id, end)
        return answer

    def _refund_ends(self, provider_refund_id: str, state: RefundState) -> None:
        number = next(n for n, made in enumerate(self.refunds) if made.refund.provider_refund_id == provider_refund_id)
        made = self.refunds[number]
        made = self.refunds[number] = replace(made, refund=replace(made.refund, state=state))
        self._world.note(f"stripe's refund {provider_refund_id} of {made.intent_id} {state}")
        if state is RefundState.FAILED:
            self.failed_refunds[self.intents[made.intent_id].order_id] += 1
        self._told_of_refund("refund.failed" if state is RefundState.FAILED else "refund.updated", made)

    def _refund_by_hand(self, intent_id: str) -> None:
        """Have somebody give the money back in the dashboard, if it is still there."""
        intent = self.intents[intent_id]
        left = intent.captured.minor_units - self.refunded(intent_id)
        if not left:
            return
        if self._world.chaos.pick(0.0, 1.0):
            unit = multiple_of(intent.amount.currency_code)
            left = max(unit, left // 3 // unit * unit)
        self._world.note(f"somebody refunds {left} of {intent_id} by hand")
        self.by_hand[intent.order_id] += left
        state, amount = RefundState.SUCCEEDED, Money(intent.amount.currency_code, left)
        self.refunds.append(Made(intent_id, ProviderRefund(f"re_{len(self.refunds) + 1}", "", state, amount)))
        if not self._told_of_refund("charge.refunded", self.refunds[-1]):
            self.untold[intent.order_id] += left

    # Events.

    def _told(self, kind: str, intent: Intent) -> None:
        metadata = {"payment_id": intent.payment_id, "order_id": intent.order_id}
        about: dict[str, object] = {"object": "payment_intent", "id": intent.intent_id, "metadata": metadata}
        about |= {"status": intent.status.value, "amount_received": intent.captured.minor_units}
        self.tell(kind, about)

    def _told_of_refund(self, kind: str, made: Made) -> bool:
        refund = made.refund
        about = {"object": "refund", "id": refund.provider_refund_id, "payment_intent": made.intent_id}
        return self.tell(kind, {**about, "status": refund.state.value, "amount": refund.amount.minor_units})


class StripeLine:
    """The port PaymentGateway of one process."""

    _SHORT = {  # noqa: RUF012  (never changed)
        "create_intent": "create",
        "confirm_intent": "confirm",
        "read_intent": "read",
        "capture_intent": "capture",
        "cancel_intent": "cancel",
        "create_refund": "refund",
        "list_refunds": "find",
        "list_disputes": "disputes",
    }

    def __init__(self, line: Line, stripe: Stripe) -> None:
        self._line = line
        self._stripe = stripe

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        short = self._SHORT[operation]

        def stored_error(executed: bool) -> None:  # noqa: FBT001  (one of two)
            self._stripe.fail(short, Fault.ERROR_EXECUTED if executed else Fault.ERROR)

        async def call(*arguments: object) -> Any:  # noqa: ANN401  (as the port says)
            keeps = stored_error if short in {"create", "confirm", "capture", "cancel", "refund"} else None
            return await self._line.call(short, lambda: getattr(self._stripe, operation)(*arguments), keeps)

        return call
