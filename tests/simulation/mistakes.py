"""Mistakes that real systems have made, each as a worse version of one method or function of the product."""
# ruff: noqa: ANN401, ARG001  (what replaces a method takes whatever that takes)

import asyncio
import itertools
import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from chassis.storage.changes import Change
from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from notify_svc.domain import sending
from notify_svc.domain.notification import State as MailState
from order_svc.app.ports import InDoubt
from order_svc.domain.payment import Payment, PaymentState, RefundState
from order_svc.domain.step import Refunded
from order_svc.domain.task import TaskKind
from payment_svc.app.ports import KeySpent
from payment_svc.domain import payment as paying
from payment_svc.domain.intent import Decline, DeclineKind
from payment_svc.domain.keys import confirm_key
from tax_svc.domain.document import Recorded
from tests.fakes.payment_gateway import VISA

Method = Callable[..., Any]
Mutation = Callable[[Method], Method]

_numbers = itertools.count()

_LATER_SECONDS = 0.2


def key_is_not_kept(create: Method) -> Method:
    async def worse(self: Any, order: Any, request: Any, *rest: Any) -> Any:
        return await create(self, order, replace(request, request_id=order.order_id), *rest)

    return worse


def in_the_background(write: Method) -> Method:
    async def worse(self: Any, *arguments: Any) -> bool:
        async def later() -> None:
            await asyncio.sleep(_LATER_SECONDS)
            await write(self, *arguments)

        asyncio.create_task(later())  # noqa: RUF006  (nobody waits for it: that is the mistake)
        return True

    return worse


def doubt_is_success(write: Method) -> Method:
    async def worse(self: Any, *arguments: Any) -> Any:
        with suppress(InDoubt):
            return await write(self, *arguments)
        return True

    return worse


def unknown_is_failure(call: Method) -> Method:
    async def worse(self: Any, *arguments: Any) -> Any:
        outcome = await call(self, *arguments)
        if isinstance(outcome, Unknown):
            return NotDone(Refusal(Reason.PROVIDER_REFUSED, "It took too long."))
        return outcome

    return worse


def unknown_is_done(call: Method) -> Method:
    async def worse(self: Any, *arguments: Any) -> Any:
        outcome = await call(self, *arguments)
        return Done("") if isinstance(outcome, Unknown) else outcome

    return worse


def never_asked(_: Method) -> Method:
    async def worse(self: Any, kind: Any, order: Any) -> Any:
        return Done(order.order_id)

    return worse


def cancelled_unasked(_: Method) -> Method:
    async def worse(self: Any, payment_id: str, request_id: str) -> Any:
        nothing = Money.zero("EUR")
        return Done(Payment(payment_id, "pi", PaymentState.CANCELLED, nothing, nothing, nothing))

    return worse


def no_tasks(after: Method) -> Method:
    def worse(*arguments: Any) -> Any:
        return replace(after(*arguments), tasks=())

    return worse


def mail_too_early(after: Method) -> Method:
    def worse(*arguments: Any) -> Any:
        return replace(after(*arguments), tasks=(TaskKind.SEND_CONFIRMATION,))

    return worse


def always(value: Any) -> Mutation:
    return lambda _: lambda *_, **__: value


def soon(value: Any) -> Mutation:
    async def worse(*_: Any, **__: Any) -> Any:
        return value

    return lambda _: worse


def told_before_written(written: Method) -> Method:
    async def worse(self: Any, transition: Any, cause: str) -> Any:
        self._tell(transition)
        return await written(self, transition, cause)

    return worse


def no_journal(move: Method) -> Method:
    async def worse(self: Any, transition: Any, event: Any, lease: float) -> Any:
        return await move(self, transition, None if transition.kind == "tax.quoted" else event, lease)

    return worse


def first_event_decides(observed: Method) -> Method:
    def worse(notification: Any, *arguments: Any) -> Any:
        return observed(notification, *arguments) if notification.state is MailState.ACCEPTED else notification

    return worse


def lost_is_sent(lost: Method) -> Method:
    def worse(notification: Any, why: str, now: Any) -> Any:
        return sending.sent(notification, f"message-{uuid.UUID(int=0)}", now)

    return worse


def recorded_anyway(record: Method) -> Method:
    async def worse(self: Any, order_id: str, basis: Any) -> Any:
        try:
            return await record(self, order_id, basis)
        except Refusal:
            return Recorded(basis.subtotal(), date(2026, 1, 1))

    return worse


def created_and_confirmed(intent: Method) -> Method:
    async def worse(self: Any, new: Any) -> Any:
        made = await intent(self, new)
        await self._ports.gateway.confirm_intent(made.intent_id, VISA, confirm_key(new.order_id, 1))
        return made

    return worse


def new_each_time(key: Method) -> Method:
    return lambda *arguments: f"{key(*arguments)}:{next(_numbers)}"


def stored_error_is_decline(confirm: Method) -> Method:
    async def worse(self: Any, payment: Any) -> Any:
        outcome = await confirm(self, payment)
        if not isinstance(outcome, KeySpent):
            return outcome
        declined = Decline(DeclineKind.PROVIDER, "http_500", "", "It did not work.", "")
        return await self._settlement.record(payment.declined(declined, self._clock.now()))

    return worse


def acknowledged_first(taken_in: Method) -> Method:
    async def worse(self: Any, news: Any, standing: Any) -> Any:
        await self._payments.acknowledge(news.payment)
        return await taken_in(self, news, standing)

    return worse


def taken_from_the_payload(_: Method) -> Method:
    states = {
        "payment_intent.requires_action": paying.PaymentState.ACTION_REQUIRED,
        "payment_intent.processing": paying.PaymentState.PENDING,
        "payment_intent.payment_failed": paying.PaymentState.DECLINED,
        "payment_intent.canceled": paying.PaymentState.CANCELLED,
        "payment_intent.succeeded": paying.PaymentState.SUCCEEDED,
    }

    async def worse(self: Any, payment: Any, event: Any) -> Any:
        state = states.get(event.kind, payment.state)
        captured = payment.amount if state is paying.PaymentState.SUCCEEDED else payment.captured
        told = replace(payment, state=state, captured=captured, version=payment.version + 1)
        await self._payments.save(told.noticed(payment), None)

    return worse


def each_event_counts(read: Method) -> Method:
    async def worse(self: Any, payment: Any, event: Any) -> Any:
        if not event.kind.startswith(("refund", "charge")):
            return await read(self, payment, event)
        refunded = payment.refunded + payment.captured
        return await self._payments.save(replace(payment, refunded=refunded, version=payment.version + 1), None)

    return worse


def believed(_: Method) -> Method:
    return lambda self, payload, *_: self._event(json.loads(payload))


def at_any_time(_: Method) -> Any:
    return 10**9


def tasks_later(move: Method) -> Method:
    async def worse(self: Any, transition: Any, event: Any, lease: float) -> Any:
        await move(self, replace(transition, tasks=()), event, lease)

        async def later() -> None:
            await asyncio.sleep(_LATER_SECONDS)
            tasks = tuple(self._new_task(transition.order, kind, lease) for kind in transition.tasks)
            await self._commit(Change((), tasks))

        if transition.tasks:
            asyncio.create_task(later())  # noqa: RUF006  (nobody waits for it: that is the mistake)

    return worse


def sent_and_due_again(sent: Method) -> Method:
    def worse(notification: Any, message_id: str, now: Any) -> Any:
        return replace(sent(notification, message_id, now), due_at=now + timedelta(minutes=1))

    return worse


def taxed_too_early(after: Method) -> Method:
    def worse(*arguments: Any) -> Any:
        return replace(after(*arguments), tasks=(TaskKind.COMMIT_TAX,))

    return worse


def asked_is_refunded(refund: Method) -> Method:
    async def worse(self: Any, *arguments: Any) -> Any:
        outcome = await refund(self, *arguments)
        if not isinstance(outcome, Done):
            return outcome
        payment = outcome.value.payment
        made = replace(outcome.value.refund, state=RefundState.SUCCEEDED)
        return Done(Refunded(replace(payment, refunded=payment.captured), made))

    return worse


def without_end(waits: Any) -> Any:
    return waits * 100


def unread(_: Method) -> Method:
    async def worse(self: Any, payment: Any) -> Any:
        return payment

    return worse
