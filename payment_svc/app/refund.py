"""Following refunds to their end: asked for under the refund's own key, settled by looking for it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kernel.clock import Clock
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.ports import KeySpent, PaymentGateway, PaymentStore
from payment_svc.app.refusals import payment_not_found, unavailable
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
class Refunded:
    """What became of a refund.

    Attributes:
        refund: The refund.
        payment: Its payment, with all its refunds.
        overtaken: Somebody else has changed the payment since this was begun, and may have told its order how it stood.
    """

    refund: Refund
    payment: Payment
    overtaken: bool = False


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

        Those that somebody made at the provider by hand are taken into our ledger. What has changed is news whoever
        asked: the order may have been told of an earlier state.

        Raises:
            Refusal: The provider cannot be asked now.
            Contradiction: The provider says what cannot be.
        """
        match await self._gateway.list_refunds(payment.intent_id):
            case Done(listed):
                for found in listed:
                    payment = await self._taken_in(payment, found)
                return payment
            case NotDone(refused):
                raise unavailable(f"Stripe cannot be asked about the refunds now ({refused.code}).")
            case Unknown(cause, retry_after):
                raise unavailable(f"Stripe cannot be asked about the refunds now ({cause}).", retry_after)

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
            case NotDone(refused):
                return await self._change(current, lambda each: each.refused(refused.code, self._clock.now()))
            case KeySpent():
                return outcome
            case Unknown():
                return current

    async def _settled(self, current: Refunded) -> Refunded | None:
        """Return the refund as the provider has it, or as it was while nobody can tell; None when it has none."""
        looked = await self._look(current)
        return current if isinstance(looked, Unknown) else looked

    async def _look(self, current: Refunded) -> Refunded | Unknown | None:
        """Return the refund as the provider has it; None when it has none.

        What somebody has given back there by hand is taken in: a refund that was refused because less is left than our
        ledger says would be refused again and again.
        """
        match await self._gateway.list_refunds(current.payment.intent_id):
            case Done(listed):
                payment = current.payment
                for each in listed:
                    if not any(known.is_made_as(each) for known in payment.refunds):
                        payment = await self._taken_in(payment, each)
                current = Refunded(
                    payment.refund(current.refund.refund_id),
                    payment,
                    current.overtaken or payment is not current.payment,
                )
                found = next((each for each in listed if current.refund.is_made_as(each)), None)
                return None if found is None else await self._saw(current, found)
            case NotDone(refused):
                return Unknown(f"its refunds cannot be read: {refused.code}")
            case Unknown() as unknown:
                return unknown

    async def _taken_in(self, payment: Payment, found: ProviderRefund) -> Payment:
        """Return the payment with a refund as the provider has it; one that our ledger has not is added to it."""
        for _ in range(_TRIES):
            known = next((each for each in payment.refunds if each.is_made_as(found)), None)
            if known is not None:
                return (await self._saw(Refunded(known, payment), found, news=True)).payment
            now = self._clock.now()
            after, refund = payment.with_found(found, now)
            after = after.noticed(payment)
            if await self._store.add_refund(after, refund, self.next_look(refund, now), None):
                return after
            payment = await self._current(payment.payment_id)
        raise unavailable("The payment is being changed by others; try again.")

    async def _saw(self, current: Refunded, found: ProviderRefund, *, news: bool = False) -> Refunded:
        return await self._change(current, lambda each: each.seen(found, self._clock.now()), news=news)

    async def _rekeyed(self, current: Refunded) -> Refunded:
        spent = current.refund.send
        return await self._change(current, lambda each: each.rekeyed(spent, self._clock.now()))

    async def _change(self, current: Refunded, change: Callable[[Refund], Refund], *, news: bool = False) -> Refunded:
        """Keep a change of the refund, applied to it as it is then; as news if it is that whoever asked."""
        refund_id = current.refund.refund_id
        for _ in range(_TRIES):
            now = self._clock.now()
            refund = change(current.refund)
            if refund is current.refund:
                return current
            payment = current.payment.with_refund_changed(refund, now)
            # That one fails is news whoever asked: another call for it, or the one before an audit, may have told the
            # order already that its money is on its way. So is all that somebody comes to who was overtaken.
            if news or self._unasked or current.overtaken or refund.state is RefundState.FAILED:
                payment = payment.noticed(current.payment)
            if await self._store.save_refund(payment, refund, self.next_look(refund, now)):
                return Refunded(refund, payment, current.overtaken)
            fresh = await self._current(payment.payment_id)
            current = Refunded(fresh.refund(refund_id), fresh, overtaken=True)
        raise unavailable("The payment is being changed by others; try again.")

    async def _current(self, payment_id: str) -> Payment:
        payment = await self._store.get(payment_id)
        if payment is None:
            raise payment_not_found(payment_id)
        return payment
