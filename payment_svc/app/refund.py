"""Giving money back: journalled first, asked for under the refund's own key, settled by looking for it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.ids import Ids
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.contradictions import telling_contradictions
from payment_svc.app.ports import AmountRules, KeySpent, PaymentGateway, PaymentStore, Request
from payment_svc.app.refusals import amount_refused, check_use, payment_not_found, unavailable
from payment_svc.app.runs import Runs
from payment_svc.app.schedule import Schedule
from payment_svc.domain.errors import Contradiction
from payment_svc.domain.intent import ProviderRefund, RefundState
from payment_svc.domain.keys import refund_key
from payment_svc.domain.payment import Payment
from payment_svc.domain.refund import Refund

# How often to start over after another writer was first.
_TRIES = 4

# How many keys one visit may use up before the refund is left for later.
_SENDS = 3


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """The command.

    Attributes:
        payment_id: The payment.
        amount: What to give back; None means all that is left.
    """

    payment_id: str
    amount: Money | None


@dataclass(frozen=True, slots=True)
class Refunded:
    """What became of a refund.

    Attributes:
        refund: The refund.
        payment: Its payment, with all its refunds.
    """

    refund: Refund
    payment: Payment


class Refunds:
    """Carries journalled refunds out, now or after a restart, and follows them until they are safe.

    Args:
        gateway: The provider.
        store: Where payments and refunds are kept.
        clock: The present.
        schedule: When the worker looks after a refund.
        unasked: Whether no order waits for the answer, so that what has changed is news.
    """

    def __init__(
        self,
        gateway: PaymentGateway,
        store: PaymentStore,
        clock: Clock,
        schedule: Schedule,
        *,
        unasked: bool = False,
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._clock = clock
        self._schedule = schedule
        self._unasked = unasked

    async def carry_out(self, payment: Payment, refund: Refund, *, fresh: bool) -> Refunded:
        """Bring a journalled refund as far as it goes now; one that succeeded is only looked at.

        Args:
            payment: The payment, as it is kept.
            refund: One of its refunds.
            fresh: Whether nobody can have sent it yet. Otherwise look for it before anything is sent: the provider may
                have forgotten the key, and would give the money back a second time.

        Returns:
            The refund as it is kept now; still PENDING when the provider could not be asked, or has not finished.

        Raises:
            Contradiction: The provider says what cannot be.
        """
        current = Refunded(refund, payment)
        if not fresh:
            settled = await self._settled(current)
            if settled is not None:
                return settled
            if refund.state is not RefundState.PENDING:
                raise Contradiction(f"refund {refund.refund_id} was {refund.state}, and the provider has none such")
        for _ in range(_SENDS):
            sent = await self._sent(current)
            if isinstance(sent, Refunded):
                return sent
            current = await self._rekeyed(current)
            if current.refund.state is not RefundState.PENDING:
                break
        return current

    async def refresh(self, payment: Payment) -> Payment:
        """Read all refunds of a payment that the provider has, and return the payment as it is kept then.

        Raises:
            Refusal: The provider cannot be asked now.
            Contradiction: The provider says what cannot be.
        """
        for refund in payment.refunds:
            current = Refunded(payment.refund(refund.refund_id), payment)
            looked = await self._look(current)
            if isinstance(looked, Unknown):
                raise unavailable(f"Stripe cannot be asked about the refunds now ({looked.cause}).", looked.retry_after)
            payment = (looked or current).payment
        return payment

    def next_look(self, refund: Refund, now: datetime) -> datetime | None:
        """Return when the worker sees to a refund again; None once nothing can change any more."""
        match refund.state:
            case RefundState.PENDING:
                return self._schedule.after(refund.created_at, now)
            case RefundState.SUCCEEDED:
                return self._schedule.watch(refund.created_at, now)
            case RefundState.FAILED:
                return None

    async def _sent(self, current: Refunded) -> Refunded | KeySpent:
        """Ask for the refund under its key, and return what became of it, or that this key is of no more use."""
        refund, intent_id = current.refund, current.payment.intent_id
        outcome = await self._gateway.create_refund(intent_id, refund, refund_key(refund.refund_id, refund.send))
        if isinstance(outcome, Done):
            return await self._saw(current, outcome.value)
        # Whatever the answer was: if the provider has the refund, it is made.
        settled = await self._settled(current)
        if settled is not None:
            return settled
        match outcome:
            case NotDone():
                return await self._change(current, lambda each: each.refused(self._clock.now()))
            case KeySpent():
                return outcome
            case Unknown():
                return current

    async def _settled(self, current: Refunded) -> Refunded | None:
        """Return the refund as the provider has it, or as it was while nobody can tell; None when it has none."""
        looked = await self._look(current)
        return current if isinstance(looked, Unknown) else looked

    async def _look(self, current: Refunded) -> Refunded | Unknown | None:
        """Return the refund as the provider has it; None when it has none."""
        match await self._gateway.find_refund(current.payment.intent_id, current.refund.refund_id):
            case Done(found):
                return None if found is None else await self._saw(current, found)
            case NotDone(refused):
                return Unknown(f"its refunds cannot be read: {refused.code}")
            case Unknown() as unknown:
                return unknown

    async def _saw(self, current: Refunded, found: ProviderRefund) -> Refunded:
        return await self._change(current, lambda each: each.seen(found, self._clock.now()))

    async def _rekeyed(self, current: Refunded) -> Refunded:
        spent = current.refund.send
        return await self._change(current, lambda each: each.rekeyed(spent, self._clock.now()))

    async def _change(self, current: Refunded, change: Callable[[Refund], Refund]) -> Refunded:
        """Keep a change of the refund, applied to it as it is then."""
        refund_id = current.refund.refund_id
        for _ in range(_TRIES):
            now = self._clock.now()
            refund = change(current.refund)
            if refund is current.refund:
                return current
            payment = current.payment.with_refund_changed(refund, now)
            # That one fails is news whoever asked: another call for it, or the one before an audit, may have told the
            # order already that its money is on its way.
            if self._unasked or refund.state is RefundState.FAILED:
                payment = payment.noticed(current.payment)
            if await self._store.save_refund(payment, refund, self.next_look(refund, now)):
                return Refunded(refund, payment)
            fresh = await self._store.get(payment.payment_id)
            if fresh is None:
                raise payment_not_found(payment.payment_id)
            current = Refunded(fresh.refund(refund_id), fresh)
        raise unavailable("The payment is being changed by others; try again.")


class RefundPayment:
    """Gives money back once per request.

    Args:
        store: Where payments are kept.
        refunds: Carries them out.
        amounts: What the provider takes.
        runs: Lets equal calls share one run.
        clock: The present.
        ids: Makes refund ids.
        schedule: When the worker looks after it.
    """

    def __init__(
        self,
        store: PaymentStore,
        refunds: Refunds,
        amounts: AmountRules,
        runs: Runs[Refunded],
        clock: Clock,
        ids: Ids,
        schedule: Schedule,
    ) -> None:
        self._store = store
        self._refunds = refunds
        self._amounts = amounts
        self._runs = runs
        self._clock = clock
        self._ids = ids
        self._schedule = schedule

    async def __call__(self, order: RefundOrder, request: Request) -> Refunded:
        """Return the refund, PENDING while it is not known to be made: it will be, whatever happens.

        Raises:
            Refusal: Nothing is given back. Or the provider says what cannot be, which leaves open whether it is.
        """
        return await self._runs.share(request, lambda: self._run(order, request))

    async def _run(self, order: RefundOrder, request: Request) -> Refunded:
        for _ in range(_TRIES):
            found = await self._store.by_id(order.payment_id, request)
            check_use(found, request)
            payment = found.payment
            if payment is None:
                raise payment_not_found(order.payment_id)
            if found.use is not None:
                return Refunded(payment.refund(found.use.subject_id), payment)
            refund = self._new(payment, order, request.trace)
            after = payment.with_refund(refund, refund.created_at)
            look_at = self._schedule.after(refund.created_at, refund.created_at)
            if await self._store.add_refund(after, refund, look_at, request):
                with telling_contradictions(payment.order_id):
                    return await self._refunds.carry_out(after, refund, fresh=True)
        raise unavailable("The payment is being changed by others; try again.")

    def _new(self, payment: Payment, order: RefundOrder, trace: str) -> Refund:
        amount = order.amount or payment.refundable
        if amount.currency_code != payment.amount.currency_code:
            raise Refusal.of_field("amount.currency_code", f"the payment was taken in {payment.amount.currency_code}")
        if order.amount is not None and amount.minor_units <= 0:
            raise Refusal.of_field("amount.minor_units", "must be more than 0; leave amount out to give back all")
        refused = self._amounts.to_refund(amount)
        if refused is not None:
            raise amount_refused(amount, refused)
        now = self._clock.now()
        return Refund(
            refund_id=self._ids.new(),
            payment_id=payment.payment_id,
            state=RefundState.PENDING,
            amount=amount,
            provider_refund_id="",
            send=1,
            created_at=now,
            updated_at=now,
            trace=trace,
        )
