"""Charging an order: make an unconfirmed intent, keep its id, confirm it, keep the result."""

from dataclasses import dataclass
from datetime import datetime

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.ids import Ids
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.attempt import Attempts, check_time
from payment_svc.app.contradictions import telling_contradictions
from payment_svc.app.patience import PAUSES, Patience, Retries
from payment_svc.app.ports import (
    AmountRefused,
    AmountRules,
    CurrencyRefused,
    KeySpent,
    PaymentGateway,
    PaymentStore,
    Refused,
    Request,
)
from payment_svc.app.refusals import (
    amount_refused,
    check_attempt,
    check_use,
    currency_refused,
    provider_refused,
    unavailable,
)
from payment_svc.app.runs import Runs
from payment_svc.app.schedule import Schedule
from payment_svc.domain.intent import CaptureMode, Intent, Manner, NewIntent
from payment_svc.domain.keys import abandon_key, create_key
from payment_svc.domain.opening import opened
from payment_svc.domain.payment import Payment, PaymentState, illegal, payment_id_of

# How often to start over after another writer was first. He writes once or twice, so this is never used up.
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Charge:
    """The command.

    Attributes:
        order_id: The order to be paid.
        amount: What to take.
        payment_method: The provider's id of it.
        not_after: After this moment the charge must not be started; None means no limit.
        capture_mode: When the money is taken.
        customer_id: The provider's id of the saved customer; empty for guests.
        off_session: Whether the customer is not there to act.
        saves_method: Whether the payment method is kept with the customer.
    """

    order_id: str
    amount: Money
    payment_method: str
    not_after: datetime | None
    capture_mode: CaptureMode = CaptureMode.AT_PLACEMENT
    customer_id: str = ""
    off_session: bool = False
    saves_method: bool = False

    @property
    def manner(self) -> Manner:
        """How its payment method is used."""
        return Manner(self.capture_mode is CaptureMode.ON_SHIPMENT, self.off_session, self.saves_method)


@dataclass(frozen=True, slots=True)
class ChargePorts:
    """What charging needs."""

    gateway: PaymentGateway
    amounts: AmountRules
    store: PaymentStore
    attempts: Attempts
    retries: Retries
    schedule: Schedule
    clock: Clock
    ids: Ids


class ChargePayment:
    """Charges an order once, however often it is asked to.

    Args:
        ports: What it needs.
        runs: Lets equal calls share one run.
    """

    def __init__(self, ports: ChargePorts, runs: Runs[Payment]) -> None:
        self._ports = ports
        self._runs = runs

    async def __call__(self, charge: Charge, request: Request) -> Payment:
        """Return the payment after the attempt; a decline is an answer.

        Raises:
            Refusal: Nothing was charged. UNAVAILABLE and DEADLINE_EXCEEDED leave that open: repeat the request. So does
                PROVIDER_CONTRADICTS, for a person to look at.
        """
        return check_attempt(await self._runs.share(request, lambda: self._run(charge, request)))

    async def _run(self, charge: Charge, request: Request) -> Payment:
        with telling_contradictions(charge.order_id):
            return await self._charged(charge, request)

    async def _charged(self, charge: Charge, request: Request) -> Payment:
        for _ in range(_TRIES):
            found = await self._ports.store.by_order(charge.order_id, request)
            check_use(found, request)
            if found.payment is None:
                payment = await self._begin(charge, request)
            elif found.payment.intent_id and _fixed(found.payment) != _fixed(charge):
                raise _other(found.payment, charge)
            elif found.use is not None:
                payment = await self._repeat(found.payment, charge)
            else:
                payment = await self._again(found.payment, charge, request)
            if payment is not None:
                return payment
        raise unavailable("The payment is being changed by others; try again.")

    async def _begin(self, charge: Charge, request: Request) -> Payment | None:
        """Make the order's payment and drive its first attempt; None when another was first."""
        check_time(charge.not_after, self._ports.clock)
        refused = self._ports.amounts.to_charge(charge.amount)
        if refused is not None:
            raise amount_refused(charge.amount, refused)
        payment_id = payment_id_of(charge.order_id)
        new = NewIntent(payment_id, charge.order_id, charge.amount, charge.capture_mode, charge.customer_id)
        intent = await self._intent(new)
        now, method = self._ports.clock.now(), charge.payment_method
        payment = opened(new, intent, payment_method=method, now=now, trace=request.trace, manner=charge.manner)
        # Only once the id is kept may money move: whatever happens from here on is settled by reading this intent.
        if not await self._ports.store.add(payment, self._ports.schedule.after(now, now), request):
            await self._abandoned(intent, request)
            return None
        return await self._ports.attempts.drive(payment, charge.not_after, fresh=True)

    async def _abandoned(self, intent: Intent, request: Request) -> None:
        """Give the intent up that was just made, if the order's payment was given up meanwhile without one.

        Whatever comes of that: it is kept nowhere, so nobody ever confirms it, and no money can move on it.
        """
        found = await self._ports.store.by_order(intent.order_id, request)
        if found.payment is not None and not found.payment.intent_id:
            await self._ports.gateway.cancel_intent(intent.intent_id, abandon_key(intent.intent_id))

    async def _repeat(self, payment: Payment, charge: Charge) -> Payment:
        """Answer a request that was here before."""
        if payment.state is not PaymentState.PENDING:
            return payment
        return await self._ports.attempts.drive(payment, charge.not_after, fresh=False)

    async def _again(self, payment: Payment, charge: Charge, request: Request) -> Payment | None:
        """Answer a new request for an order that has a payment; None when another was first."""
        if payment.state is PaymentState.CANCELLED:
            raise illegal(payment, "a charge", PaymentState.DECLINED)
        if payment.state is not PaymentState.DECLINED:
            return payment if await self._ports.store.remember(request, payment.payment_id) else None
        check_time(charge.not_after, self._ports.clock)
        now = self._ports.clock.now()
        retried = payment.retried(charge.payment_method, charge.manner, now)
        if not await self._ports.store.save(retried, self._ports.schedule.after(now, now), request):
            return None
        return await self._ports.attempts.drive(retried, charge.not_after, fresh=True)

    async def _intent(self, new: NewIntent) -> Intent:
        """Make the intent. An answer that was lost is asked for again under the same key, which makes no second one."""
        patience = Patience(self._ports.clock, self._ports.retries)
        key, retry_after = create_key(new.order_id), 0.0
        for pause in PAUSES:
            if not await patience.wait(max(pause, retry_after)):
                break
            match await self._ports.gateway.create_intent(new, key):
                case Done(intent):
                    return intent
                case NotDone(refused):
                    raise _refused(refused, new)
                case KeySpent():
                    # At worst this leaves an unconfirmed intent behind, on which no money can move.
                    key = create_key(new.order_id, self._ports.ids.new())
                case Unknown() as unknown:
                    retry_after = unknown.retry_after or 0.0
        raise unavailable("Stripe cannot be reached now; nothing was charged. Repeat the request.", retry_after)


def _fixed(one: Payment | Charge) -> tuple[Money, CaptureMode, str]:
    """Return what never changes between attempts."""
    return one.amount, one.capture_mode, one.customer_id


def _other(payment: Payment, charge: Charge) -> Refusal:
    metadata = {"state": payment.state.value, "amountMinorUnits": str(payment.amount.minor_units)}
    if payment.amount != charge.amount:
        why = f"is about {payment.amount}, and {charge.amount} was asked for"
    elif payment.capture_mode is not charge.capture_mode:
        why = f"is captured {payment.capture_mode}, and {charge.capture_mode} was asked for"
    else:
        why = "is another customer's than was asked for"
    return Refusal(Reason.ILLEGAL_STATE, f"The payment of this order {why}; that never changes.", metadata=metadata)


def _refused(refused: AmountRefused | CurrencyRefused | Refused, new: NewIntent) -> Refusal:
    match refused:
        case AmountRefused():
            return amount_refused(new.amount, refused)
        case CurrencyRefused():
            return currency_refused(new.amount)
        case Refused(code):
            return provider_refused(new.order_id, code)
