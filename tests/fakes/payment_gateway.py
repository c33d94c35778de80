"""A payment provider in memory: its ledger, its idempotency keys, its bad days. It outlives the service's crashes."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import TypeVar, cast

from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.adapters.stripe_amounts import StripeAmounts
from payment_svc.app.ports import AmountRefused, CurrencyRefused, KeySpent, Refused, WrongState
from payment_svc.domain.dispute import Dispute, DisputeState
from payment_svc.domain.intent import (
    PLAIN,
    CaptureMode,
    Decline,
    DeclineKind,
    Intent,
    IntentStatus,
    Manner,
    NewIntent,
    ProviderRefund,
    RefundState,
)
from payment_svc.domain.refund import Refund

T = TypeVar("T")


class Fault(Enum):
    """What goes wrong with one call."""

    NOT_SENT = auto()
    LOST_ANSWER = auto()
    LATE = auto()
    """Done only when `catch_up` is called, long after the caller has given up."""
    ERROR = auto()
    """A 500, kept under the key; nothing was done."""
    ERROR_EXECUTED = auto()
    """A 500, kept under the key; it was done."""
    GATEWAY_ERROR = auto()
    """A 503 of the edge; nothing was done, nothing is kept."""
    BUSY = auto()
    """A 429 with a time to wait."""


VISA = "pm_card_visa"
DECLINED = "pm_card_visa_chargeDeclinedInsufficientFunds"
EXPIRED = "pm_card_chargeDeclinedExpiredCard"
THREE_D_SECURE = "pm_card_authenticationRequired"
MISSING = "pm_nobody_knows_it"
SLOW_BANK = "pm_slow_bank"
"""The attempt is processing until the bank has decided."""

HELD_UNTIL = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
"""Until when it holds money, whenever that was authorised; but see `hold_until`."""

_DECLINES = {DECLINED: ("card_declined", "insufficient_funds"), EXPIRED: ("expired_card", "expired_card")}
_MADE_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_OPEN = {IntentStatus.UNCONFIRMED, IntentStatus.ACTION_REQUIRED}
_CURRENCIES = {"EUR", "USD", "JPY", "ISK", "KWD"}


@dataclass(frozen=True, slots=True)
class Made:
    """A refund of the provider's, and what it belongs to."""

    intent_id: str
    refund: ProviderRefund


class FakeGateway:
    """The port PaymentGateway, and a window on what the provider did.

    Attributes:
        intents: Every intent ever made.
        charges: The intents on which money was taken, once per time that it was.
        held: The intents whose money is only held when they are confirmed.
        hold_until: Until when money is held that is authorised now.
        customers: The saved customers of intents, by intent.
        saved: The payment methods that were kept, with their customers.
        disputes: What banks have asked back, by intent.
        refunds: Every refund ever made.
        attempts: How often a bank was asked, by intent.
        seen: Names of the calls that arrived, in order.
        reached: Set once any has.
        refund_state: Of new refunds.
        refuses_refunds: The code with which it refuses all refunds for good; empty while it does not.
        meanwhile: What others do while a call of an operation is under way, once, after its effect.
    """

    def __init__(self) -> None:
        self.intents: dict[str, Intent] = {}
        self.charges: list[str] = []
        self.held: set[str] = set()
        self.hold_until = HELD_UNTIL
        self.customers: dict[str, str] = {}
        self.saved: list[tuple[str, str]] = []
        self.disputes: defaultdict[str, dict[str, Dispute]] = defaultdict(dict)
        self.refunds: list[Made] = []
        self.attempts: defaultdict[str, int] = defaultdict(int)
        self.seen: list[str] = []
        self.reached = asyncio.Event()
        self.meanwhile: dict[str, Callable[[], Awaitable[object]]] = {}
        self.refund_state = RefundState.SUCCEEDED
        self.refuses_refunds = ""
        self.answer_intent: Callable[[Intent], Intent] = lambda intent: intent
        self._kept: dict[str, tuple[object, object]] = {}
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._late: list[Callable[[], object]] = []

    # What a test does to it.

    def fail(self, operation: str, *faults: Fault) -> None:
        """Let the next calls of an operation go wrong, each in its way."""
        self._faults[operation].extend(faults)

    def catch_up(self) -> None:
        """Do what is late."""
        late, self._late = self._late, []
        for effect in late:
            effect()

    def forget_keys(self) -> None:
        """Forget all idempotency keys, as the provider does after a day."""
        self._kept.clear()

    def authenticate(self, intent_id: str, *, success: bool) -> None:
        """Let the customer finish 3-D Secure."""
        if success:
            self._take(intent_id)
        else:
            code = "payment_intent_authentication_failure"
            failure = Decline(DeclineKind.ISSUER, code, "", "Authentication failed.", f":{code}")
            self._set(intent_id, status=IntentStatus.UNCONFIRMED, failure=failure)

    def decide(self, intent_id: str) -> None:
        """Let the slow bank pay."""
        self._take(intent_id)

    def return_refund(self, refund_id: str) -> None:
        """Let the bank send a refund back."""
        self.refunds = [
            replace(made, refund=replace(made.refund, state=RefundState.FAILED))
            if made.refund.refund_id == refund_id
            else made
            for made in self.refunds
        ]

    def lapse(self, intent_id: str) -> None:
        """Let a hold run out."""
        if self.intents[intent_id].status is IntentStatus.AUTHORIZED:
            self._set(intent_id, status=IntentStatus.CANCELLED, held_until=None)

    def refund_by_hand(self, intent_id: str, minor_units: int) -> str:
        """Give money back in the dashboard, and return the refund's id."""
        amount = Money(self.intents[intent_id].amount.currency_code, minor_units)
        made = ProviderRefund(self._next_refund_id(), "", RefundState.SUCCEEDED, amount, created_at=_MADE_AT)
        self.refunds.append(Made(intent_id, made))
        return made.provider_refund_id

    def dispute(self, intent_id: str, state: DisputeState = DisputeState.NEEDS_RESPONSE) -> Dispute:
        """Let the customer's bank ask all of the money back, or go on with what it has asked."""
        is_open = state in {DisputeState.INQUIRY, DisputeState.NEEDS_RESPONSE}
        due_at = _MADE_AT + timedelta(days=7) if is_open else None
        dispute = Dispute(f"dp_{intent_id}", state, self.intents[intent_id].captured, "fraudulent", due_at, _MADE_AT)
        self.disputes[intent_id][dispute.dispute_id] = dispute
        self.intents[intent_id] = replace(self.intents[intent_id], disputed=True)
        return dispute

    @property
    def only_intent(self) -> Intent:
        """The one intent there is."""
        (intent,) = self.intents.values()
        return intent

    def refunded(self, intent_id: str) -> int:
        """Return the minor units that were given back."""
        return sum(
            made.refund.amount.minor_units
            for made in self.refunds
            if made.intent_id == intent_id and made.refund.state is not RefundState.FAILED
        )

    # The port.

    async def create_intent(
        self, intent: NewIntent, key: str
    ) -> Done[Intent] | NotDone[AmountRefused | CurrencyRefused | Refused] | Unknown:
        def effect() -> Done[Intent] | NotDone[AmountRefused | CurrencyRefused | Refused]:
            if intent.amount.currency_code not in _CURRENCIES:
                return NotDone(CurrencyRefused())
            if StripeAmounts().to_charge(intent.amount) is not None:
                return NotDone(AmountRefused())
            intent_id = f"pi_{intent.payment_id[:8]}_{len(self.intents) + 1}"
            self.intents[intent_id] = Intent(
                intent_id=intent_id,
                payment_id=intent.payment_id,
                order_id=intent.order_id,
                status=IntentStatus.UNCONFIRMED,
                amount=intent.amount,
                captured=Money.zero(intent.amount.currency_code),
                failure=None,
                client_secret=f"{intent_id}_secret_1",
            )
            if intent.capture_mode is CaptureMode.ON_SHIPMENT:
                self.held.add(intent_id)
            self.customers[intent_id] = intent.customer_id
            return Done(self._shown(intent_id))

        return await self._call("create", effect, key, intent)

    async def confirm_intent(
        self, intent_id: str, payment_method: str, key: str, manner: Manner = PLAIN
    ) -> Done[Intent] | NotDone[Decline | WrongState] | Unknown:
        def effect() -> Done[Intent] | NotDone[Decline | WrongState]:
            if self.intents[intent_id].status not in _OPEN:
                return NotDone(WrongState())
            absent = self._absent(intent_id, payment_method) if manner.off_session else None
            answer = absent or self._confirm(intent_id, payment_method)
            if manner.saves and not manner.off_session and isinstance(answer, Done):
                self.saved.append((self.customers[intent_id], payment_method))
            return answer

        return await self._call("confirm", effect, key, (intent_id, payment_method, manner))

    async def read_intent(self, intent_id: str) -> Done[Intent] | NotDone[Refused] | Unknown:
        def effect() -> Done[Intent] | NotDone[Refused]:
            if intent_id not in self.intents:
                return NotDone(Refused("resource_missing"))
            return Done(self._shown(intent_id))

        return await self._call("read", effect)

    async def capture_intent(
        self, intent_id: str, amount: Money, key: str
    ) -> Done[Intent] | NotDone[WrongState | Refused] | Unknown:
        def effect() -> Done[Intent] | NotDone[WrongState | Refused]:
            intent = self.intents[intent_id]
            if intent.status is not IntentStatus.AUTHORIZED:
                return NotDone(WrongState())
            if amount.minor_units > intent.amount.minor_units:
                return NotDone(Refused("amount_too_large"))
            self._pay(intent_id, amount)
            return Done(self._shown(intent_id))

        return await self._call("capture", effect, key, (intent_id, amount))

    async def cancel_intent(self, intent_id: str, key: str) -> Done[Intent] | NotDone[WrongState | Refused] | Unknown:
        def effect() -> Done[Intent] | NotDone[WrongState | Refused]:
            if self.intents[intent_id].status in {IntentStatus.SUCCEEDED, IntentStatus.CANCELLED}:
                return NotDone(WrongState())
            self._set(intent_id, status=IntentStatus.CANCELLED, held_until=None)
            return Done(self._shown(intent_id))

        return await self._call("cancel", effect, key, intent_id)

    async def create_refund(
        self, intent_id: str, refund: Refund, key: str
    ) -> Done[ProviderRefund] | NotDone[Refused] | Unknown:
        def effect() -> Done[ProviderRefund] | NotDone[Refused]:
            left = self.intents[intent_id].captured.minor_units - self.refunded(intent_id)
            if self.refuses_refunds:
                return NotDone(Refused(self.refuses_refunds))
            if left == 0:
                return NotDone(Refused("charge_already_refunded"))
            if refund.amount.minor_units > left:
                return NotDone(Refused("http_400"))
            state, amount = self.refund_state, refund.amount
            made = ProviderRefund(self._next_refund_id(), refund.refund_id, state, amount, created_at=_MADE_AT)
            self.refunds.append(Made(intent_id, made))
            return Done(made)

        return await self._call("refund", effect, key, (intent_id, refund.refund_id, refund.amount))

    async def list_refunds(self, intent_id: str) -> Done[list[ProviderRefund]] | NotDone[Refused] | Unknown:
        def effect() -> Done[list[ProviderRefund]]:
            return Done([made.refund for made in self.refunds if made.intent_id == intent_id])

        return await self._call("find", effect)

    async def list_disputes(self, intent_id: str) -> Done[list[Dispute]] | NotDone[Refused] | Unknown:
        def effect() -> Done[list[Dispute]]:
            return Done(list(self.disputes[intent_id].values()))

        return await self._call("disputes", effect)

    # Inside.

    async def _call(self, operation: str, effect: Callable[[], T], key: str = "", said: object = None) -> T | Unknown:
        self.seen.append(operation)
        self.reached.set()
        await asyncio.sleep(0)
        request = (operation, said)

        def once() -> T | Unknown:
            """Do it, unless this key has done it: then the answer is the same again."""
            if key not in self._kept:
                answer = effect()
                if key:
                    self._kept[key] = (request, answer)
                return answer
            before, kept = self._kept[key]
            return cast("T", kept) if before == request else KeySpent("the key was used for another request")

        faults = self._faults[operation]
        answer = self._struck(faults.popleft(), once, key, request) if faults else once()
        if operation in self.meanwhile:
            await self.meanwhile.pop(operation)()
        return answer

    def _struck(self, fault: Fault, once: Callable[[], object], key: str, request: object) -> Unknown:
        if fault in {Fault.LOST_ANSWER, Fault.ERROR_EXECUTED}:
            once()
        if fault is Fault.LATE:
            self._late.append(once)
        if fault is Fault.ERROR and key in self._kept:
            return cast("Unknown", once())
        if fault in {Fault.ERROR, Fault.ERROR_EXECUTED}:
            if key:
                self._kept[key] = (request, KeySpent("http 500"))
            return KeySpent("http 500")
        return Unknown(f"{fault.name.lower()}", retry_after=0.2 if fault is Fault.BUSY else None)

    def _confirm(self, intent_id: str, payment_method: str) -> Done[Intent] | NotDone[Decline | WrongState]:
        if payment_method == MISSING:
            return NotDone(Decline(DeclineKind.METHOD, "resource_missing", "", "It cannot be used.", ""))
        self.attempts[intent_id] += 1
        if payment_method in _DECLINES:
            code, decline_code = _DECLINES[payment_method]
            charge = f"ch_{intent_id}_{self.attempts[intent_id]}"
            failure = Decline(DeclineKind.ISSUER, code, decline_code, "Your card was declined.", charge)
            self._set(intent_id, status=IntentStatus.UNCONFIRMED, failure=failure)
            return NotDone(failure)
        if payment_method == THREE_D_SECURE:
            self._set(intent_id, status=IntentStatus.ACTION_REQUIRED)
        elif payment_method == SLOW_BANK:
            self._set(intent_id, status=IntentStatus.PROCESSING)
        else:
            self._take(intent_id)
        return Done(self._shown(intent_id))

    def _absent(self, intent_id: str, payment_method: str) -> NotDone[Decline | WrongState] | None:
        """Return the decline of a card whose holder would have to act, and is not there."""
        if payment_method != THREE_D_SECURE:
            return None
        self.attempts[intent_id] += 1
        code, charge = "authentication_required", f"ch_{intent_id}_{self.attempts[intent_id]}"
        failure = Decline(DeclineKind.ISSUER, code, code, "This transaction requires authentication.", charge)
        self._set(intent_id, status=IntentStatus.UNCONFIRMED, failure=failure)
        return NotDone(failure)

    def _take(self, intent_id: str) -> None:
        if intent_id in self.held:
            self._set(intent_id, status=IntentStatus.AUTHORIZED, failure=None, held_until=self.hold_until)
        else:
            self._pay(intent_id, self.intents[intent_id].amount)

    def _pay(self, intent_id: str, amount: Money) -> None:
        self.charges.append(intent_id)
        self._set(intent_id, status=IntentStatus.SUCCEEDED, captured=amount, failure=None, held_until=None)

    def _next_refund_id(self) -> str:
        return f"re_{len(self.refunds) + 1}"

    def _shown(self, intent_id: str) -> Intent:
        return self.answer_intent(self.intents[intent_id])

    def _set(self, intent_id: str, **changes: object) -> None:
        self.intents[intent_id] = replace(self.intents[intent_id], **changes)  # type: ignore[arg-type]  # its own fields
