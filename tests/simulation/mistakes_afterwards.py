"""Mistakes of what a shop does with its orders afterwards, as `mistakes` has those of placing them."""
# ruff: noqa: ANN401, ARG001  (what replaces a method takes whatever that takes)

import itertools
from dataclasses import replace
from typing import Any

from kernel.money import Money
from kernel.outcome import Done, Unknown
from order_svc.domain import hold
from order_svc.domain.order import Stage, State
from order_svc.domain.payment import Payment, PaymentState
from order_svc.domain.refund import RefundKind
from order_svc.domain.task import NewTask, TaskKind
from order_svc.domain.webhook_delivery import Answer
from payment_svc.domain.opening import never_begun
from tests.simulation.mistakes import Method

_numbers = itertools.count()


def one_number(key: Method) -> Method:
    return lambda order: f"{order.order_id}:refund"


def all_of_it(amount: Method) -> Method:
    return lambda order: order.total


def forestalled_unasked(_: Method) -> Method:
    async def worse(self: Any, order_id: str, amount: Money, request_id: str) -> Any:
        nothing = Money.zero(amount.currency_code)
        return Done(Payment(order_id, "", PaymentState.CANCELLED, amount, nothing, nothing))

    return worse


def forestalled_under_the_key_of_giving_up(forestall: Method) -> Method:
    async def worse(self: Any, order_id: str, amount: Money, request_id: str) -> Any:
        return await forestall(self, order_id, amount, f"{order_id}:cancel")

    return worse


def nothing_is_kept(_: Method) -> Method:
    async def worse(self: Any, order_id: str, amount: Any, request: Any) -> Any:
        found = await self._store.by_order(order_id, request)
        if found.payment is None:
            return never_begun(order_id, amount, self._clock.now(), request.trace)
        return await self._given_up(found.payment)

    return worse


def by_hand_is_new_each_time(with_payment: Method) -> Method:
    def worse(order: Any, payment: Any, now: Any) -> Any:
        by_hand = RefundKind.BY_HAND
        refunds = tuple(replace(each, refund_id="") if each.kind is by_hand else each for each in order.refunds)
        return with_payment(replace(order, refunds=refunds), payment, now)

    return worse


def always_counts(_: Method) -> Any:
    return property(lambda _: True)


def lapsed_is_taken(_: Method) -> Method:
    def worse(order: Any, payment: Any, now: Any) -> Any:
        return hold.taken(order, replace(payment, captured=payment.amount), now)

    return worse


def shipped_first(ship: Method) -> Method:
    def worse(order: Any, handover: Any, now: Any) -> Any:
        transition = ship(order, handover, now)
        if order.stage is not Stage.HOLDING:
            return transition
        return replace(transition, order=replace(transition.order, state=State.SHIPPED))

    return worse


def own_code_each_try(giveback: Method) -> Method:
    def worse(*arguments: Any) -> Any:
        made = giveback(*arguments)
        return replace(made, code=f"{made.code}-{next(_numbers)}")

    return worse


def same_attempt(confirm: Method) -> Method:
    def worse(order: Any, payment_method: str, now: Any) -> Any:
        transition = confirm(order, payment_method, now)
        return transition and replace(transition, order=replace(transition.order, attempt=order.attempt))

    return worse


def command_key_is_not_kept(obey: Method) -> Method:
    async def worse(self: Any, command: Any, request: Any, *rest: Any, **named: Any) -> Any:
        return await obey(self, command, replace(request, request_id=f"{next(_numbers)}"), *rest, **named)

    return worse


def told_before_it_is_made(_: Method) -> Method:
    def worse(order: Any) -> Any:
        new = [each for each in order.refunds if each.counts and not each.booked and not each.unanswered]
        tasks = [NewTask(kind, each.number) for each in new for kind in (TaskKind.REFUND_TAX, TaskKind.SEND_REFUNDED)]
        booked = tuple(replace(each, booked=each.booked or each in new) for each in order.refunds)
        return replace(order, refunds=booked), tuple(tasks)

    return worse


def as_it_was(_: Method) -> Method:
    async def worse(self: Any, payment: Any, *_: Any) -> Any:
        return payment

    return worse


def hook_lost_is_taken(after: Method) -> Method:
    def worse(delivery: Any, outcome: Any, *rest: Any) -> Any:
        return after(delivery, Done(Answer(200)) if isinstance(outcome, Unknown) else outcome, *rest)

    return worse


def as_told(_: Method) -> Method:
    return lambda order, *_: order


def no_refund_tax(follow_ups: Method) -> Method:
    def worse(order: Any) -> Any:
        after, tasks = follow_ups(order)
        return after, tuple(each for each in tasks if each.kind is not TaskKind.REFUND_TAX)

    return worse


def nothing_comes_along(_: Method) -> Method:
    return lambda payment: (Stage.SETTLED, payment)
