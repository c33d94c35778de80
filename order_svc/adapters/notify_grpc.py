"""notify_svc through its stubs."""

from ordermesh.notify.v1 import notification_pb2, notify_service_pb2, notify_service_pb2_grpc

from chassis.wire import address_to_wire, money_to_wire
from kernel.errors import Refusal
from kernel.outcome import Done, NotDone, Unknown
from order_svc.adapters.calls import outcome
from order_svc.domain.order import Order

# notify_svc only stores the notification before it answers.
_CALL_SECONDS = 5.0


class GrpcMails:
    """The port `Mails`."""

    def __init__(self, stub: "notify_service_pb2_grpc.NotifyServiceAsyncStub") -> None:
        self._stub = stub

    async def confirm(self, order: Order) -> Done[str] | NotDone[Refusal] | Unknown:
        """Have the confirmation sent and return the notification's id."""
        request = notify_service_pb2.SendNotificationRequest(
            request_id=f"{order.order_id}:confirmation",
            kind=notification_pb2.NOTIFICATION_KIND_ORDER_CONFIRMATION,
            recipient_email=order.draft.customer.email,
            recipient_name=order.draft.customer.name,
            order=_summary(order),
        )
        call = self._stub.SendNotification(request, timeout=_CALL_SECONDS)
        return await outcome(call, lambda answer: answer.notification.notification_id)


def _summary(order: Order) -> notification_pb2.OrderSummary:
    assert order.tax is not None, "only paid orders are confirmed"
    assert order.total is not None, "a known tax makes the total known"
    return notification_pb2.OrderSummary(
        order_id=order.order_id,
        lines=[
            notification_pb2.OrderSummaryLine(
                description=item.description or item.sku, quantity=item.quantity, amount=money_to_wire(item.amount)
            )
            for item in order.draft.items
        ],
        subtotal=money_to_wire(order.draft.subtotal),
        tax=money_to_wire(order.tax.amount),
        total=money_to_wire(order.total),
        ship_to=address_to_wire(order.draft.ship_to),
    )
