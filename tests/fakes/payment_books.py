"""The books of the payment provider in memory, read from the same ledger as its gateway."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.books import ListedPayment, ListedRefund, Page
from payment_svc.app.ports import Refused
from payment_svc.domain.intent import Intent, IntentStatus
from payment_svc.domain.payment import STATE_OF, PaymentState
from tests.fakes.payment_gateway import FakeGateway

T = TypeVar("T")

_FIRST = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class FakeBooks:
    """The port ProviderBooks.

    Args:
        gateway: Whose ledger it shows. What was made later is a second younger.
        first: When the first was made.
    """

    def __init__(self, gateway: FakeGateway, first: datetime = _FIRST) -> None:
        self._gateway = gateway
        self._first = first

    async def payments(self, cursor: str, size: int) -> Done[Page[ListedPayment]] | NotDone[Refused] | Unknown:
        def effect() -> Done[Page[ListedPayment]] | NotDone[Refused]:
            listed = [self._listed(number, each) for number, each in enumerate(self._gateway.intents.values())]
            return _page(listed, [each.intent_id for each in listed], cursor, size)

        return await self._gateway._call("list_payments", effect)

    async def refunds(self, cursor: str, size: int) -> Done[Page[ListedRefund]] | NotDone[Refused] | Unknown:
        def effect() -> Done[Page[ListedRefund]] | NotDone[Refused]:
            listed = [
                ListedRefund(
                    provider_refund_id=made.refund.provider_refund_id,
                    refund_id=made.refund.refund_id,
                    intent_id=made.intent_id,
                    state=made.refund.state,
                    amount=made.refund.amount,
                    created_at=self._first + timedelta(seconds=number),
                )
                for number, made in enumerate(self._gateway.refunds)
            ]
            return _page(listed, [each.provider_refund_id for each in listed], cursor, size)

        return await self._gateway._call("list_refunds", effect)

    async def payment(self, intent_id: str) -> Done[ListedPayment] | NotDone[Refused] | Unknown:
        def effect() -> Done[ListedPayment] | NotDone[Refused]:
            for number, intent in enumerate(self._gateway.intents.values()):
                if intent.intent_id == intent_id:
                    return Done(self._listed(number, intent))
            return NotDone(Refused("resource_missing"))

        return await self._gateway._call("read", effect)

    def _listed(self, number: int, intent: Intent) -> ListedPayment:
        if intent.status is IntentStatus.UNCONFIRMED:
            state = PaymentState.PENDING if intent.failure is None else PaymentState.DECLINED
        else:
            state = STATE_OF[intent.status]
        return ListedPayment(
            intent_id=intent.intent_id,
            payment_id=intent.payment_id,
            order_id=intent.order_id,
            state=state,
            amount=intent.amount,
            captured=intent.captured,
            refunded=Money(intent.amount.currency_code, self._gateway.refunded(intent.intent_id)),
            created_at=self._first + timedelta(seconds=number),
        )


def _page(listed: Sequence[T], ids: list[str], cursor: str, size: int) -> Done[Page[T]] | NotDone[Refused]:
    """Return the page that follows the cursor, newest first."""
    if cursor and cursor not in ids:
        return NotDone(Refused("resource_missing"))
    end = ids.index(cursor) if cursor else len(ids)
    begin = max(end - size, 0)
    return Done(Page(tuple(reversed(listed[begin:end])), ids[begin] if begin else ""))
