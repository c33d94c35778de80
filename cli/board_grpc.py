"""How the mesh is doing, as `ordermesh top` asks for it: each service by itself, so that one that is away is seen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from ordermesh.notify.v1 import notify_service_pb2, notify_service_pb2_grpc
from ordermesh.order.v1 import order_service_pb2, order_service_pb2_grpc
from ordermesh.payment.v1 import payment_service_pb2, payment_service_pb2_grpc
from ordermesh.tax.v1 import tax_service_pb2, tax_service_pb2_grpc

from cli.config import CliConfig
from cli.dial_grpc import Line, dialled
from gateway.write_json import MessageWriters
from kernel.errors import Refusal

Json = dict[str, Any]

# A board that is looked at every two seconds must not stand still for whoever does not answer.
_SECONDS = 1.5


class BoardCalls:
    """The calls, each over the channel to its service."""

    def __init__(self, calls: dict[str, tuple[Line, Callable[[], Awaitable[Any]]]]) -> None:
        self._calls = calls
        self._write = MessageWriters().write

    async def board(self) -> Json:
        """Return the answers by service: documents of the REST API, or {"untold": "why"}."""
        answers = await asyncio.gather(*(self._ask(line, call) for line, call in self._calls.values()))
        return dict(zip(self._calls, answers, strict=True))

    async def _ask(self, line: Line, call: Callable[[], Awaitable[Any]]) -> Json:
        try:
            with line.refusals():
                document: Json = self._write(await call())
        except Refusal as refusal:
            return {"untold": refusal.message}
        return document


@asynccontextmanager
async def board_calls(config: CliConfig) -> AsyncIterator[BoardCalls]:
    """Open a channel to each service and close them again."""
    async with AsyncExitStack() as lines:

        async def line(address: str, variable: str, module: Any, service: str) -> Line:  # noqa: ANN401  (a module)
            descriptor = module.DESCRIPTOR.services_by_name[service]
            return await lines.enter_async_context(dialled(address, variable, descriptor, config))

        order = await line(config.order_address, "ORDER_ADDR", order_service_pb2, "OrderService")
        payment = await line(config.payment_address, "PAYMENT_ADDR", payment_service_pb2, "PaymentService")
        tax = await line(config.tax_address, "TAX_ADDR", tax_service_pb2, "TaxService")
        notify = await line(config.notify_address, "NOTIFY_ADDR", notify_service_pb2, "NotifyService")
        orders = order_service_pb2_grpc.OrderServiceStub(order.channel.for_stub)
        payments = payment_service_pb2_grpc.PaymentServiceStub(payment.channel.for_stub)
        taxes = tax_service_pb2_grpc.TaxServiceStub(tax.channel.for_stub)
        mails = notify_service_pb2_grpc.NotifyServiceStub(notify.channel.for_stub)
        overview = order_service_pb2.GetOrdersOverviewRequest()
        payment_provider = payment_service_pb2.GetPaymentProviderRequest()
        tax_provider = tax_service_pb2.GetTaxProviderRequest()
        mail_provider = notify_service_pb2.GetMailProviderRequest()
        yield BoardCalls(
            {
                "order": (order, lambda: orders.GetOrdersOverview(overview, timeout=_SECONDS)),
                "payment": (payment, lambda: payments.GetPaymentProvider(payment_provider, timeout=_SECONDS)),
                "tax": (tax, lambda: taxes.GetTaxProvider(tax_provider, timeout=_SECONDS)),
                "notify": (notify, lambda: mails.GetMailProvider(mail_provider, timeout=_SECONDS)),
            }
        )
