"""Known-bad variants of the product: a simulation that does not catch them proves nothing.

Each replaces one method or function of the product, for as long as its worlds run, by one with a mistake that real
systems have made.
"""
# ruff: noqa: ANN401, ARG001  (what replaces a method takes whatever that takes)

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from chassis.storage.view import View
from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from notify_svc.domain import sending
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.payment_grpc import GrpcPayments
from order_svc.app import driver
from order_svc.app.outbox import Outbox
from order_svc.app.ports import InDoubt
from order_svc.app.sweeper import Sweeper
from order_svc.domain import saga
from order_svc.domain.order import Payment, PaymentState, TaskKind
from payment_svc.adapters.payments_store import StoredPayments
from payment_svc.app.attempt import Attempts
from payment_svc.app.ports import Found
from tax_svc.app import CommitTax
from tests.simulation.run import Result, run

Method = Callable[..., Any]
Mutation = Callable[[Method], Method]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A variant.

    Attributes:
        name: What is wrong with it.
        owner: The class or module of what is replaced.
        attribute: Its name there.
        mutation: Returns the worse one for the good one.
    """

    name: str
    owner: Any
    attribute: str
    mutation: Mutation

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the product be worse."""
        good = getattr(self.owner, self.attribute)
        setattr(self.owner, self.attribute, self.mutation(good))
        try:
            yield
        finally:
            setattr(self.owner, self.attribute, good)


def caught(mutant: Mutant, seeds: range) -> Result | None:
    """Return the first world that breaks a promise with the variant; None when none of them does."""
    with mutant.in_place():
        return next((result for seed in seeds if (result := run(seed)).violations), None)


def _key_is_not_kept(create: Method) -> Method:
    async def worse(self: Any, order: Any, request: Any, *rest: Any) -> Any:
        return await create(self, order, replace(request, request_id=order.order_id), *rest)

    return worse


def _in_the_background(write: Method) -> Method:
    async def worse(self: Any, *arguments: Any) -> bool:
        async def later() -> None:
            await asyncio.sleep(0.2)
            await write(self, *arguments)

        asyncio.create_task(later())  # noqa: RUF006  (nobody waits for it: that is the mistake)
        return True

    return worse


def _doubt_is_success(write: Method) -> Method:
    async def worse(self: Any, *arguments: Any) -> Any:
        with suppress(InDoubt):
            return await write(self, *arguments)
        return True

    return worse


def _unknown_is_failure(call: Method) -> Method:
    async def worse(self: Any, *arguments: Any) -> Any:
        outcome = await call(self, *arguments)
        if isinstance(outcome, Unknown):
            return NotDone(Refusal(Reason.PROVIDER_REFUSED, "It took too long."))
        return outcome

    return worse


def _unknown_is_done(call: Method) -> Method:
    async def worse(self: Any, *arguments: Any) -> Any:
        outcome = await call(self, *arguments)
        return Done("") if isinstance(outcome, Unknown) else outcome

    return worse


def _never_asked(_: Method) -> Method:
    async def worse(self: Any, kind: Any, order: Any) -> Any:
        return Done(order.order_id)

    return worse


def _cancelled_unasked(_: Method) -> Method:
    async def worse(self: Any, payment_id: str, request_id: str) -> Any:
        nothing = Money.zero("EUR")
        return Done(Payment(payment_id, "pi", PaymentState.CANCELLED, nothing, nothing, nothing))

    return worse


def _no_tasks(after: Method) -> Method:
    def worse(*arguments: Any) -> Any:
        return replace(after(*arguments), tasks=())

    return worse


def _mail_too_early(after: Method) -> Method:
    def worse(*arguments: Any) -> Any:
        return replace(after(*arguments), tasks=(TaskKind.SEND_CONFIRMATION,))

    return worse


def _always(value: Any) -> Mutation:
    return lambda _: lambda *_, **__: value


def _soon(value: Any) -> Mutation:
    async def worse(*_: Any, **__: Any) -> Any:
        return value

    return lambda _: worse


def _told_before_written(written: Method) -> Method:
    async def worse(self: Any, transition: Any, cause: str) -> Any:
        self._tell(transition)
        return await written(self, transition, cause)

    return worse


def _no_journal(move: Method) -> Method:
    async def worse(self: Any, transition: Any, event: Any, lease: float) -> Any:
        return await move(self, transition, None if transition.kind == "tax.quoted" else event, lease)

    return worse


def _lost_is_sent(lost: Method) -> Method:
    def worse(notification: Any, why: str, now: Any) -> Any:
        return sending.sent(notification, f"message-{uuid.UUID(int=0)}", now)

    return worse


def _recorded_anyway(record: Method) -> Method:
    async def worse(self: Any, order_id: str, basis: Any) -> Any:
        try:
            return await record(self, order_id, basis)
        except Refusal:
            return basis.subtotal()

    return worse


MUTANTS = (
    Mutant("orders: an idempotency key is not kept", OrdersStore, "create", _key_is_not_kept),
    Mutant("orders: acknowledged before the commit", OrdersStore, "create", _in_the_background),
    Mutant("orders: a new order's commit in doubt counts as done", OrdersStore, "create", _doubt_is_success),
    Mutant("orders: a move's commit in doubt counts as done", OrdersStore, "move", _doubt_is_success),
    Mutant("orders: a move without its journal entry", OrdersStore, "move", _no_journal),
    Mutant("storage: no guard holds (no compare-and-set)", View, "failed_guard", _always(None)),
    Mutant("saga: an unknown charge counts as failed", GrpcPayments, "charge", _unknown_is_failure),
    Mutant("saga: a payment counts as given up unasked", GrpcPayments, "cancel", _cancelled_unasked),
    Mutant("saga: a late success is ignored", saga, "_money_taken", _always(value=False)),
    Mutant("saga: a paid order leaves no tasks", driver, "after_charge", _no_tasks),
    Mutant("saga: the mail is due before the charge", driver, "after_quote", _mail_too_early),
    Mutant("saga: told before it is written", driver.Driver, "_written", _told_before_written),
    Mutant("sweeper: does nothing", Sweeper, "sweep", _soon(value=False)),
    Mutant("outbox: an unknown outcome counts as done", Outbox, "_call", _unknown_is_done),
    Mutant("outbox: done without asking", Outbox, "_call", _never_asked),
    Mutant("payments: money moves before the intent's id is stored", StoredPayments, "add", _in_the_background),
    Mutant("payments: an earlier payment is not found", StoredPayments, "by_order", _soon(Found(None, None))),
    Mutant("payments: a lost answer is never looked for", Attempts, "_look", _soon(None)),
    Mutant("tax: an unknown record counts as done", CommitTax, "_record", _recorded_anyway),
    Mutant("mail: a lost answer counts as sent", sending, "lost", _lost_is_sent),
    Mutant("mail: attempts are not bounded", sending, "exhausted", _always(value=False)),
)
