"""The use cases of the service, in one place for whoever calls them, and how they are put together."""

from collections.abc import Callable
from dataclasses import dataclass

from kernel.clock import Clock
from kernel.ids import Ids
from order_svc.app.annotate import AnnotateOrder
from order_svc.app.attendance import Attendance
from order_svc.app.cancel import CancelOrder
from order_svc.app.changes import Changes
from order_svc.app.command import Commands
from order_svc.app.confirm import ConfirmOrderPayment
from order_svc.app.driver import Driver
from order_svc.app.fulfil import FulfilOrder
from order_svc.app.overview import GetOverview, Measured
from order_svc.app.place import PlaceOrder
from order_svc.app.ports import Orders, Taxes
from order_svc.app.quote import QuoteOrder
from order_svc.app.read import ReadOrders
from order_svc.app.refund import RefundOrder
from order_svc.app.retry import RetryOrder
from order_svc.app.review import MarkReviewed
from order_svc.app.telling import Telling
from order_svc.app.work import Work
from order_svc.domain.velocity import UNLIMITED, Velocity


@dataclass(frozen=True, slots=True)
class Cases:
    """What can be asked of orders."""

    quote: QuoteOrder
    place: PlaceOrder
    read: ReadOrders
    confirm: ConfirmOrderPayment
    cancel: CancelOrder
    refund: RefundOrder
    fulfil: FulfilOrder
    retry: RetryOrder
    annotate: AnnotateOrder
    mark_reviewed: MarkReviewed
    overview: GetOverview


def cases(
    orders: Orders,
    taxes: Taxes,
    driver: Driver,
    work: Work,
    changes: Changes,
    telling: Telling,
    clock: Clock,
    ids: Ids,
    wake: Callable[[], None],
    measured: Measured,
    *,
    lease_seconds: float,
    velocity: Velocity = UNLIMITED,
) -> Cases:
    """Return the use cases.

    Args:
        orders: Where orders are kept.
        taxes: tax_svc.
        driver: Sees orders through.
        work: Runs what must go on when the caller is gone.
        changes: Tells waiters of moves.
        telling: Traces and measures.
        clock: The time.
        ids: Makes order ids.
        wake: Has what was made due taken up.
        measured: What this replica has measured of itself.
        lease_seconds: How long a claim to an order lasts.
        velocity: How often one customer may order, and have cards declined.
    """
    attendance = Attendance(orders, driver, work, changes, clock)
    commands = Commands(orders, driver, attendance, telling, clock, wake, lease_seconds=lease_seconds)
    return Cases(
        quote=QuoteOrder(taxes),
        place=PlaceOrder(orders, attendance, telling, clock, ids, velocity, lease_seconds=lease_seconds),
        read=ReadOrders(orders, changes),
        confirm=ConfirmOrderPayment(commands, velocity),
        cancel=CancelOrder(commands),
        refund=RefundOrder(commands),
        fulfil=FulfilOrder(commands),
        retry=RetryOrder(orders, changes, telling, clock, wake),
        annotate=AnnotateOrder(commands),
        mark_reviewed=MarkReviewed(commands),
        overview=GetOverview(orders, measured, clock),
    )
