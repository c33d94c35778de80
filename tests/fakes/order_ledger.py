"""A paid order and payment_svc's account of it, for whatever is given back, in whatever way, in whatever order."""

from dataclasses import replace

from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone
from order_svc.domain.draft import Draft
from order_svc.domain.giving_back import Wanted, refund
from order_svc.domain.news import after_news
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.payment import Payment, PaymentRefund, RefundState
from order_svc.domain.refund import counted_shares
from order_svc.domain.refunding import after_give_back, next_refund
from order_svc.domain.shares import Share
from order_svc.domain.step import Refunded
from order_svc.domain.tax import Tax
from tests.fakes.order_samples import NOW, a_payment, an_order

# How an order may refuse a refund.
_EXPECTED = {Reason.VALIDATION_FAILED, Reason.REFUND_EXCEEDS_PAYMENT, Reason.ILLEGAL_STATE}


class Ledger:
    """What payment_svc has, and what the order makes of it.

    Attributes:
        order: As it stands.
    """

    def __init__(self, draft: Draft, tax: Tax) -> None:
        total = draft.total(tax.amount)
        self._payment = a_payment(total, version=1)
        self._refunds: list[PaymentRefund] = []
        self.order: Order = an_order(Stage.SETTLED, draft=draft, tax=tax, payment=self._payment, state=State.PAID)

    @property
    def payment(self) -> Payment:
        """Return the payment with its refunds, as payment_svc tells it."""
        gone = [each.amount for each in self._refunds if each.state is not RefundState.FAILED]
        refunded = Money.total(gone, self._payment.amount.currency_code)
        assert refunded.minor_units <= self._payment.captured.minor_units, "more went back than was taken"
        return replace(self._payment, refunded=refunded, refunds=tuple(self._refunds))

    def ask(self, wanted: Wanted, outcome: RefundState | None) -> bool:
        """Ask for a refund and have it end so, None for a refusal; False when the order does not take it."""
        try:
            self.order = refund(self.order, wanted, NOW).order
        except Refusal as refused:
            if refused.reason not in _EXPECTED:
                raise
            return False
        asked = next_refund(self.order)
        answer: Done[Refunded] | NotDone[Refusal]
        if outcome is None:
            answer = NotDone(Refusal(Reason.PROVIDER_REFUSED, "no"))
        else:
            name = f"r-{asked.number}"
            told = PaymentRefund(name, f"re_{name}", outcome, asked.amount)
            self._changed([*self._refunds, told])
            answer = Done(Refunded(self.payment, told))
        self.order = after_give_back(self.order, answer, NOW, 1.0).order
        return True

    def by_hand(self, units: int) -> None:
        """Have somebody give back so much at the provider, as far as that much is left there."""
        kept = self.payment.kept
        amount = Money(kept.currency_code, min(units, kept.minor_units))
        if amount.minor_units:
            name = f"h-{len(self._refunds)}"
            told = PaymentRefund(name, f"re_{name}", RefundState.SUCCEEDED, amount, by_hand=True)
            self._changed([*self._refunds, told])
            self._tell()

    def bank_returns(self, position: int) -> None:
        """Have the bank send one of the refunds back, as long as the order is not over."""
        if self._refunds and self.order.state is not State.REFUNDED:
            position %= len(self._refunds)
            failed = replace(self._refunds[position], state=RefundState.FAILED)
            self._changed([*self._refunds[:position], failed, *self._refunds[position + 1 :]])
            self._tell()

    def given_back(self) -> dict[str, tuple[int, int]]:
        """Return what of each line is gone: price and tax, in minor units."""
        gone: dict[str, tuple[int, int]] = {}
        for share in counted_shares(self.order.refunds):
            gone[share.line_id] = _plus(gone.get(share.line_id, (0, 0)), share)
        return gone

    def _changed(self, refunds: list[PaymentRefund]) -> None:
        self._refunds = refunds
        self._payment = replace(self._payment, version=self._payment.version + 1)

    def _tell(self) -> None:
        news = after_news(self.order, self.payment, NOW)
        self.order = self.order if news is None else news.order


def _plus(sums: tuple[int, int], share: Share) -> tuple[int, int]:
    return sums[0] + share.net.minor_units, sums[1] + share.tax.minor_units
