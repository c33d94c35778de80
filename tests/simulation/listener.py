"""The shop's other systems, which hear of its orders by outgoing webhooks, and keep what they were told.

There is one endpoint, in some worlds: to have none is the common case, and each message takes three more commits.
"""

from collections import Counter, defaultdict
from datetime import timedelta

from sqlalchemy import Insert, insert, select

from kernel.outcome import Done, NotDone, Unknown
from order_svc.adapters.tables import METADATA as ORDER_TABLES
from order_svc.adapters.webhook_rows import endpoint_row
from order_svc.adapters.webhook_tables import WEBHOOK_DELIVERIES, WEBHOOK_ENDPOINTS
from order_svc.app.webhook_ports import Parcel
from order_svc.domain.order import Order
from order_svc.domain.webhook import Message
from order_svc.domain.webhook_delivery import Answer
from order_svc.domain.webhook_endpoint import Endpoint, SigningSecret
from tests.fakes.virtual_time import BEGIN
from tests.simulation.moves import GIVEN_UP, SOLD
from tests.simulation.providers import Line
from tests.simulation.shelf import shelf
from tests.simulation.world import World

_ENDPOINT = Endpoint(
    endpoint_id="00000000-0000-7000-8000-000000000001",
    url="https://books.shop.test/hooks",
    event_types=(),
    description="the shop's books",
    secrets=(SigningSecret.of("1", bytes(32)),),
    disabled=False,
    created_at=BEGIN - timedelta(days=1),
)

# What an order must have been for a message of a type to be true.
_TRUE_IN = {
    "order.paid": frozenset({"PAID", "SHIPPED", "PROCESSING"}),
    "order.authorized": frozenset({"AUTHORIZED"}),
    "order.processing": frozenset({"PROCESSING"}),
    "order.shipped": frozenset({"PROCESSING", "SHIPPED"}),
    "order.delivered": frozenset({"DELIVERED"}),
    "order.cancelled": frozenset({"CANCELLED"}),
    "order.failed": frozenset({"FAILED"}),
}


class Listener:
    """The endpoint.

    Args:
        world: Where it is.
        been: The states that each order has been in.

    Attributes:
        heard: The ids of the messages it has taken, by order and type.
    """

    def __init__(self, world: World, been: dict[str, set[str]]) -> None:
        self.heard: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._world = world
        self._been = been

    def begin(self) -> None:
        """Have the endpoint made before any order is placed, where the world has one."""
        if self._world.listens:
            shelf(ORDER_TABLES).write(lambda connection: connection.execute(_made()))

    async def take(self, message: Message) -> Done[Answer]:
        """Take a message."""
        order_id, told = message.order_id, message.event_type
        self._world.note(f"others hear of {told} of {order_id}")
        if told in _TRUE_IN and not self._been[order_id] & _TRUE_IN[told]:
            self._world.violated(f"P-45: {told} is told of order {order_id}, which has been {self._been[order_id]}")
        self.heard[order_id, told].add(message.message_id)
        return Done(Answer(200))


class ListenerLine:
    """The port Poster of one process."""

    def __init__(self, line: Line, listener: Listener) -> None:
        self._line = line
        self._listener = listener

    async def post(self, parcel: Parcel) -> Done[Answer] | NotDone[str] | Unknown:
        answer = await self._line.call("post", lambda: self._listener.take(parcel.message))
        sent = not isinstance(answer, Unknown) or answer.cause != "not sent"
        return answer if sent else NotDone("not sent")


def check_told(world: World, orders: list[Order], been: dict[str, set[str]], listener: Listener) -> None:
    """P-45: everything is told, once for each time that it happened; what waits for its next try is not lost."""
    if not world.listens:
        return
    ids = {key: set(heard) for key, heard in listener.heard.items()}
    waits = select(WEBHOOK_DELIVERIES).where(WEBHOOK_DELIVERIES.c.due_at.is_not(None))
    for row in shelf(ORDER_TABLES).ask(waits):
        ids.setdefault((row.order_id, row.event_type), set()).add(row.message_id)
    for order in orders:
        told = Counter({kind: len(ids.get((order.order_id, kind), ())) for kind in ("order.placed", *_TRUE_IN)})
        wanted = _wanted(order, been[order.order_id])
        if any(told[kind] != count for kind, count in wanted.items()):
            world.violated(f"P-45: of order {order.order_id} is told {dict(+told)}, and it happened {dict(+wanted)}")


def _wanted(order: Order, been: set[str]) -> Counter[str]:
    return Counter(
        {
            "order.placed": 1,
            "order.paid": int(order.captured.minor_units > 0 and bool(been & SOLD) and not been & GIVEN_UP),
            "order.authorized": int("AUTHORIZED" in been),
            "order.shipped": sum(each.shipped_at is not None for each in order.shipments),
            "order.delivered": int("DELIVERED" in been),
            "order.cancelled": int("CANCELLED" in been),
            "order.failed": int("FAILED" in been),
        }
    )


def _made() -> Insert:
    return insert(WEBHOOK_ENDPOINTS).values(endpoint_row(_ENDPOINT))
