"""AvaTax and SendGrid outside the crash domain: what they did stays done, and they watch what they are asked.

The fakes are those of the services' own tests, which pass the contract suites of the real adapters.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from chassis.breaker import Breaker
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from notify_svc.adapters.sendgrid import BREAKER_FAILURES, BREAKER_FIRST_SECONDS, BREAKER_LONGEST_SECONDS
from notify_svc.app.ports import Postponed, Refused
from notify_svc.domain.notification import Notification
from tests.fakes.tax_authority import FakeTaxAuthority
from tests.simulation.chaos import PROVIDER, QUOTE
from tests.simulation.process import Process
from tests.simulation.world import SimClock, World

T = TypeVar("T")

# How long our adapters wait for an answer.
_PATIENCE_SECONDS = 8.0

_MENU = tuple(kind for kind in PROVIDER if not kind.startswith("error"))


class Line:
    """The way from one process to one provider."""

    def __init__(self, world: World, process: Process, provider: str) -> None:
        self._world = world
        self._process = process
        self._provider = provider

    async def call(
        self,
        operation: str,
        act: Callable[[], Awaitable[T]],
        stored_error: Callable[[bool], None] | None = None,
    ) -> T | Unknown:
        """Have the provider act, as far as the next fault allows.

        Args:
            operation: Its name.
            act: What the provider does.
            stored_error: Makes the provider answer this call, and every repetition, with an error; True: after acting.
        """
        world, place = self._world, f"{self._provider}.{operation}"
        await world.point(self._process, f"{place}:before")
        away = world.chaos.away(self._provider, world.now())
        fault = "not_sent" if away else world.chaos.draw(_MENU if stored_error is None else PROVIDER, place)
        if fault and not away:
            world.note(f"{place}: {fault}")
        await asyncio.sleep(0.05)
        self._process.check()
        match fault:
            case "not_sent":
                return Unknown("not sent")
            case "lost_request":
                await asyncio.sleep(_PATIENCE_SECONDS)
                return Unknown("timeout")
            case "late":
                world.later(_PATIENCE_SECONDS + world.chaos.pick(0.1, 30.0, 600.0), _begin, act)
                await asyncio.sleep(_PATIENCE_SECONDS)
                return Unknown("timeout")
            case "busy":
                return Unknown("http 429", retry_after=world.chaos.pick(0.2, 2.0, 20.0))
            case "error_before" | "error_after" if stored_error is not None:
                stored_error(fault == "error_after")
        result = await act()
        await asyncio.sleep(0.05)
        await world.point(self._process, f"{place}:after")
        if fault == "lost_answer":
            await asyncio.sleep(_PATIENCE_SECONDS)
            return Unknown("timeout")
        return result


def _begin(act: Callable[[], Awaitable[object]]) -> None:
    asyncio.ensure_future(act())  # noqa: RUF006  (it ends within the same moment)


class AvaTaxLine:
    """The port TaxAuthority of one process."""

    def __init__(self, line: Line, authority: FakeTaxAuthority, world: World) -> None:
        self._line = line
        self._authority = authority
        self._world = world

    async def quote(self, basis: Any) -> Any:  # noqa: ANN401  (as the port says)
        answer = await self._line.call("quote", lambda: self._authority.quote(basis))
        if isinstance(answer, Done) and self._world.chaos.draw(QUOTE, "avatax.quote.answer"):
            lines = tuple(replace(line, tax=_in_other_currency(line.tax)) for line in answer.value.lines)
            return Done(replace(answer.value, lines=lines, total_tax=_in_other_currency(answer.value.total_tax)))
        return answer

    async def record(self, order_id: str, basis: Any) -> Any:  # noqa: ANN401  (as the port says)
        return await self._line.call("record", lambda: self._authority.record(order_id, basis))

    async def give_back(self, giveback: Any, sold_on: Any) -> Any:  # noqa: ANN401  (as the port says)
        return await self._line.call("give_back", lambda: self._authority.give_back(giveback, sold_on))

    async def void(self, order_id: str) -> Any:  # noqa: ANN401  (as the port says)
        return await self._line.call("void", lambda: self._authority.void(order_id))

    async def resolve(self, address: Any) -> Any:  # noqa: ANN401  (as the port says)
        return await self._line.call("resolve", lambda: self._authority.resolve(address))

    async def list_recorded(self, skip: int, limit: int) -> Any:  # noqa: ANN401  (as the port says)
        return await self._line.call("list_recorded", lambda: self._authority.list_recorded(skip, limit))


def _in_other_currency(money: Money) -> Money:
    return Money("JPY" if money.currency_code != "JPY" else "EUR", money.minor_units)


def avatax() -> FakeTaxAuthority:
    """Return an AvaTax whose rate is not the fallback's."""
    authority = FakeTaxAuthority()
    authority.rate = Decimal("0.08625")
    return authority


class SendGrid:
    """Counts mails.

    Attributes:
        copies: How many mails of any kind went out, by notification.
        tell: Is told of each, to send its events.
    """

    def __init__(self, world: World, may_mail: Callable[[Notification], str]) -> None:
        self.copies: Counter[str] = Counter()
        self.tell: Callable[[str, str], None] = lambda _, __: None
        self._world = world
        self._may_mail = may_mail

    async def send(self, notification: Notification) -> Done[str]:
        notification_id = notification.notification_id
        self._world.note(f"sendgrid mails {notification.request_id}")
        if wrong := self._may_mail(notification):
            self._world.violated(wrong)
        self.copies[notification_id] += 1
        message_id = f"message-{self.copies.total()}"
        self.tell(notification_id, message_id)
        return Done(message_id)


class SendGridLine:
    """The port Mailer of one process, with the product's breaker."""

    def __init__(self, line: Line, sendgrid: SendGrid, world: World, process: Process) -> None:
        self._line = line
        self._sendgrid = sendgrid
        self._breaker = Breaker(
            SimClock(world, process),
            failures=BREAKER_FAILURES,
            first_seconds=BREAKER_FIRST_SECONDS,
            longest_seconds=BREAKER_LONGEST_SECONDS,
        )

    @property
    def is_up(self) -> bool:
        return self._breaker.is_closed

    def pause_seconds(self) -> float:
        return self._breaker.wait_seconds()

    async def probe(self) -> None:
        if self._breaker.admit():
            answer = await self._line.call("probe", _nothing)
            if isinstance(answer, Unknown):
                self._breaker.failed()
            else:
                self._breaker.succeeded()

    async def send(self, notification: Notification) -> Done[str] | NotDone[Refused | Postponed] | Unknown:
        if not self._breaker.is_closed:
            return NotDone(Postponed("SendGrid was away a moment ago"))
        outcome = await self._line.call("send", lambda: self._sendgrid.send(notification))
        if not isinstance(outcome, Unknown):
            return outcome
        self._breaker.failed()
        certain = outcome.cause == "not sent" or outcome.retry_after is not None
        return NotDone(Postponed(outcome.cause, outcome.retry_after)) if certain else outcome


async def _nothing() -> None:
    """Send no mail."""
