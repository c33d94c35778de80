"""tax_svc and notify_svc as the order service meets them, in memory."""

import uuid

from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from order_svc.app.ports import MailNews, Page
from order_svc.domain.draft import Draft
from order_svc.domain.order import Order, State
from order_svc.domain.refund import Refund
from order_svc.domain.shares import total_tax
from order_svc.domain.task import Task, TaskKind
from order_svc.domain.tax import Recorded, Tax
from tests.fakes.order_faults import Faults
from tests.fakes.order_news import page_after
from tests.fakes.order_samples import a_tax

UNPAID = frozenset({State.PENDING, State.PAYMENT_ACTION_REQUIRED, State.FAILED, State.CANCELLED})

# AvaTax cannot place it, so neither can the fake.
NOWHERE = "00000"


class FakeTaxes:
    """tax_svc: a fifth of everything, except for one postal code that is nowhere.

    Attributes:
        quotes: How many quotes were asked for.
        commits: The request id of every commit that was carried out, repetitions included.
        documents: The tax of each committed document, by its code.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.quotes = 0
        self.commits: list[str] = []
        self.documents: dict[str, Money] = {}

    async def quote(self, draft: Draft) -> Done[Tax] | NotDone[Refusal] | Unknown:
        self.quotes += 1
        return await self.faults.around("quote", lambda: self._quote(draft))

    async def commit(self, order: Order) -> Done[Recorded] | NotDone[Refusal] | Unknown:
        return await self.faults.around("commit", lambda: self._commit(order))

    async def refund(self, order: Order, refund: Refund) -> Done[Recorded] | NotDone[Refusal] | Unknown:
        return await self.faults.around("refund_tax", lambda: self._refund(order, refund))

    def _quote(self, draft: Draft) -> Done[Tax] | NotDone[Refusal]:
        if draft.ship_to.postal_code == NOWHERE:
            return NotDone(Refusal.of_field("ship_to.postal_code", "is no such place", Reason.ADDRESS_INVALID))
        return Done(a_tax(draft))

    def _commit(self, order: Order) -> Done[Recorded]:
        assert order.tax is not None
        self.commits.append(f"{order.order_id}:commit")
        self.documents[order.order_id] = order.tax.amount
        return Done(Recorded(order.order_id, order.tax.amount - order.tax.amount))

    def _refund(self, order: Order, refund: Refund) -> Done[Recorded] | NotDone[Refusal]:
        nothing = Money.zero(order.draft.currency_code)
        if order.order_id not in self.documents:
            return NotDone(Refusal(Reason.UNAVAILABLE, "the sale is not recorded yet"))
        code = f"{order.order_id}-r{refund.number}"
        self.documents[code] = nothing - total_tax(refund.shares, nothing.currency_code)
        return Done(Recorded(code, nothing))


class FakeMails:
    """notify_svc: one notification per request id.

    Attributes:
        asked: The request id of every mail that was asked for, repetitions included.
        notifications: The id of each notification, by request id.
        unheard: Mails that did not reach their readers.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.asked: list[str] = []
        self.notifications: dict[str, str] = {}
        self.unheard: list[MailNews] = []

    async def send(self, order: Order, task: Task) -> Done[str] | NotDone[Refusal] | Unknown:
        return await self.faults.around("send", lambda: self._send(order, task))

    async def news(self, after: str = "") -> Done[Page[MailNews]] | NotDone[Refusal] | Unknown:
        return await self.faults.around("mail_news", lambda: self._news(after))

    async def acknowledge(self, news: MailNews) -> Done[None] | NotDone[Refusal] | Unknown:
        return await self.faults.around("acknowledge_mail", lambda: self._acknowledge(news))

    def _news(self, after: str) -> Done[Page[MailNews]]:
        return Done(page_after({each.notification_id: each for each in self.unheard}, after))

    def _acknowledge(self, news: MailNews) -> Done[None]:
        self.unheard = [each for each in self.unheard if each != news]
        return Done(None)

    def _send(self, order: Order, task: Task) -> Done[str] | NotDone[Refusal]:
        confirms = task.kind is TaskKind.SEND_CONFIRMATION
        assert not confirms or order.state not in UNPAID, "no confirmation for an order that is not paid"
        request_id = f"{order.order_id}:confirmation" if confirms else f"{order.order_id}:{task.name}"
        self.asked.append(request_id)
        self.notifications.setdefault(request_id, str(uuid.uuid5(uuid.NAMESPACE_OID, request_id)))
        return Done(self.notifications[request_id])
