"""How every command on an order goes: once per key, on the order as it stands, seen through while the caller waits."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.request import Request
from order_svc.app.attendance import Attendance
from order_svc.app.driver import Driver
from order_svc.app.place import same_order
from order_svc.app.ports import InDoubt, Moved, Orders, TooMany
from order_svc.app.read import order_not_found
from order_svc.app.telling import Telling
from order_svc.domain.commands import Command, check_version
from order_svc.domain.order import Event, Order, Stage
from order_svc.domain.saga import next_step
from order_svc.domain.transition import Transition
from order_svc.domain.velocity import Bound, refusal_of

# How often it is decided anew when somebody else moved the order in between.
_TRIES = 8

# The stages in which nothing goes on before somebody does something.
_RESTING = frozenset({Stage.SETTLED, Stage.AWAITING_CUSTOMER, Stage.HOLDING})

Decide = Callable[[Order, datetime], Transition | None]
Bounds = Callable[[Order], Sequence[Bound]]


def _unbounded(_: Order) -> Sequence[Bound]:
    return ()


class Commands:
    """What the use cases of commands share.

    Args:
        orders: Where orders are kept.
        driver: Tells of moves.
        attendance: Sees orders through.
        telling: Writes journal entries.
        clock: The time.
        wake: Has what was made due taken up.
        lease_seconds: How long the claim lasts that a command takes to an order which goes on.
    """

    def __init__(
        self,
        orders: Orders,
        driver: Driver,
        attendance: Attendance,
        telling: Telling,
        clock: Clock,
        wake: Callable[[], None],
        *,
        lease_seconds: float,
    ) -> None:
        self._orders = orders
        self._driver = driver
        self._attendance = attendance
        self._telling = telling
        self._clock = clock
        self._wake = wake
        self._lease_seconds = lease_seconds

    async def __call__(
        self,
        command: Command,
        order_id: str,
        etag: str,
        request: Request,
        decide: Decide,
        seconds: float = 0.0,
        bounds: Bounds = _unbounded,
    ) -> Order:
        """Return the order as it stands when nothing more goes on by itself, or when the time is up.

        Args:
            command: What is asked for.
            order_id: Of which order.
            etag: The version that the caller has decided on; empty for any.
            request: The idempotency key and the fingerprint of the request.
            decide: What the command makes of the order; None when there is nothing to do, and then the key is not kept.
            seconds: How long the caller waits; the order goes on beyond it.
            bounds: What has to be below its limit for the command to be taken.

        Raises:
            Refusal: There is no such order, it has changed since, the state does not allow the command, a limit is
                reached, or the key stood for another request; or it cannot be stored just now.
        """
        until = self._clock.monotonic() + seconds
        doubted: Transition | None = None
        for _ in range(_TRIES):
            found = await self._orders.find(request, command)
            if found is not None:
                ours = same_order(*found, request)
                return await self._attendance(ours, _leased_at(doubted, ours), _goes_on, until)
            order = await self._orders.get(order_id, request.customer_id)
            if order is None:
                raise order_not_found(order_id)
            try:
                check_version(order, etag)
                transition = decide(order, self._clock.now())
            except Refusal:
                # The order as it was read may be what an equal call, or our own commit in doubt, has just made of it.
                if await self._orders.find(request, command) is None:
                    raise
                continue
            if transition is None:
                return await self._attendance(order, None, _goes_on, until)
            try:
                if await self._stored(command, request, transition, bounds(order)):
                    return await self._attendance(
                        transition.order, _leased_at(transition, transition.order), _goes_on, until
                    )
            except InDoubt:
                doubted = transition  # Looking for the key tells.
        raise Refusal(
            Reason.UNAVAILABLE,
            "The order is being moved by others just now; repeat the request with the same key.",
            retry_after=1.0,
        )

    async def _stored(
        self, command: Command, request: Request, transition: Transition, bounds: Sequence[Bound]
    ) -> bool:
        """Commit what the command makes of the order; False when looking again has to tell.

        Raises:
            InDoubt: It may or may not have been written.
            Refusal: A limit is reached.
        """
        event = asked_by(self._telling.event(transition, "request"), request)
        try:
            if not await self._orders.obey(
                command, request, transition, event, bounds=bounds, lease_seconds=self._lease_seconds
            ):
                return False
        except Moved:
            return False
        except TooMany as reached:
            self._telling.limited(reached.bound)
            raise refusal_of(reached.bound, reached.oldest, self._clock.now()) from None
        self._driver.tell(transition)
        if transition.wake_at is not None:
            self._wake()
        return True


def asked_by(event: Event, request: Request) -> Event:
    """Return the journal entry of a command with who gave it."""
    return replace(event, facts={**event.facts, "by": request.caller})


def _leased_at(transition: Transition | None, order: Order) -> datetime | None:
    """Return when a command leased the order to us, to be driven on; None when there is nothing to drive, or others do.

    Args:
        transition: What the command made of the order, stored or in doubt; None when neither is ours.
        order: As it is stored.
    """
    if transition is None or transition.rests or order.fence != transition.order.fence:
        return None
    return None if next_step(order) is None else transition.order.updated_at


def _goes_on(order: Order) -> bool:
    """Say whether the order is about to change by itself."""
    return order.stage not in _RESTING and not order.needs_review
