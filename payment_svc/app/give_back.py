"""Giving money back: the refund is journalled first, then carried out."""

from dataclasses import dataclass, replace

from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.ids import Ids
from kernel.money import Money
from payment_svc.app.contradictions import telling_contradictions
from payment_svc.app.ports import AmountRules, PaymentStore, Request
from payment_svc.app.refund import Refunded, Refunds
from payment_svc.app.refusals import amount_refused, check_use, payment_not_found, unavailable
from payment_svc.app.runs import Runs
from payment_svc.app.schedule import Schedule
from payment_svc.domain.intent import RefundState
from payment_svc.domain.payment import Payment
from payment_svc.domain.refund import Refund

# How often to start over after another writer was first.
_TRIES = 4


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """The command.

    Attributes:
        payment_id: The payment.
        amount: What to give back; None means all that is left.
    """

    payment_id: str
    amount: Money | None


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
                refund = payment.refund(found.use.subject_id)
                if refund.state is not RefundState.PENDING:
                    return Refunded(refund, payment)
                # Whoever asked first may still be at it, here or at another replica, with nobody left who hears his
                # answer. A version of its own has him find that he was overtaken: what he comes to is news then.
                told = replace(payment, version=payment.version + 1)
                if await self._store.save(told, None):
                    return Refunded(refund, told)
                continue
            refund = self._new(payment, order, request)
            after = payment.with_refund(refund, refund.created_at)
            look_at = self._schedule.after(refund.created_at, refund.created_at)
            if await self._store.add_refund(after, refund, look_at, request):
                with telling_contradictions(payment.order_id):
                    return await self._refunds.carry_out(after, refund, fresh=True)
        raise unavailable("The payment is being changed by others; try again.")

    def _new(self, payment: Payment, order: RefundOrder, request: Request) -> Refund:
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
            trace=request.trace,
            request_id=request.request_id,
        )
