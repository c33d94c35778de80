"""How the audit reads a long list over gRPC: page by page, past hiccups, and past what moves meanwhile."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from ordermesh.notify.v1 import notification_pb2, notify_service_pb2, notify_service_pb2_grpc

from chassis.layers import Context
from chassis.server import Server
from chassis.standard import standard_chain
from chassis.telemetry.metrics import Metrics
from chassis.wire import time_to_wire
from cli.audit.mesh_grpc import AuditedMesh
from cli.audit.rows import MailRow
from cli.dial_grpc import dialled
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.ids import Uuid7Ids
from tests.fakes.telemetry_sink import recording_tracer

# Abstract in its stubs alone.
_Base: Any = notify_service_pb2_grpc.NotifyServiceServicer


class MailList(_Base):  # type: ignore[misc]  # see above
    """Lists mails, newest first, two a page.

    Attributes:
        mails: Id and second of each.
        troubles: What the next calls end in, in turn; None is an answer.
        before_page: Is called before each answer.
    """

    def __init__(self, mails: dict[str, int]) -> None:
        self.mails = mails
        self.troubles: list[Refusal | None] = []
        self.before_page: Callable[[], None] = lambda: None

    async def ListProviderMails(  # noqa: N802  (the contract's name)
        self, request: notify_service_pb2.ListProviderMailsRequest, context: Context
    ) -> notify_service_pb2.ListProviderMailsResponse:
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is not None:
            raise trouble
        self.before_page()
        below = int(request.page_token or "1000000")
        ordered = sorted(((second, id_) for id_, second in self.mails.items() if second < below), reverse=True)
        page = ordered[:2]
        return notify_service_pb2.ListProviderMailsResponse(
            mails=[
                notification_pb2.ProviderMail(
                    provider_message_id=id_, last_event_time=time_to_wire(datetime.fromtimestamp(second, UTC))
                )
                for second, id_ in page
            ],
            next_page_token=str(page[-1][0]) if len(ordered) > 2 else "",
        )


@asynccontextmanager
async def mesh(mails: MailList) -> AsyncIterator[AuditedMesh]:
    """Run the list as a service, and yield a mesh that has it in every place."""
    tracer, _ = recording_tracer("notify")
    chain = standard_chain(tracer, Metrics("notify"), Uuid7Ids(SystemClock()))
    register = notify_service_pb2_grpc.add_NotifyServiceServicer_to_server
    service = notify_service_pb2.DESCRIPTOR.services_by_name["NotifyService"]
    server = Server(chain)
    server.add(register, mails)
    address = await server.start("127.0.0.1:0")
    await server.serving(ready=True)
    try:
        async with dialled(address, "NOTIFY_ADDR", service) as line:
            yield AuditedMesh(line, line, line, line)
    finally:
        await server.stop()


async def read(mails: MailList) -> list[str]:
    found: list[str] = []
    async with mesh(mails) as audited:
        async for rows in audited.mails():
            found += ids(rows)
    return found


def ids(rows: Sequence[object]) -> list[str]:
    return [row.provider_message_id for row in rows if isinstance(row, MailRow)]


def five_mails() -> MailList:
    return MailList({"a": 50, "b": 40, "c": 30, "d": 20, "e": 10})


async def test_every_page_is_read_and_the_head_once_more() -> None:
    assert await read(five_mails()) == ["a", "b", "c", "d", "e", "a", "b"]


async def test_nothing_is_nothing() -> None:
    assert await read(MailList({})) == []


async def test_a_mail_that_moves_to_the_head_while_the_list_is_read_is_not_missed() -> None:
    mails = five_mails()
    pages = iter(range(9))

    def move() -> None:
        if next(pages) == 1:
            mails.mails["e"] = 60  # it was opened

    mails.before_page = move

    assert set(await read(mails)) == {"a", "b", "c", "d", "e"}


def away(retry_after: float | None = 0.01) -> Refusal:
    return Refusal(Reason.UNAVAILABLE, "SendGrid is away.", retry_after=retry_after)


async def test_a_page_that_cannot_be_had_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.audit.mesh_grpc._FIRST_WAIT_SECONDS", 0.01)
    mails = five_mails()
    # The channel itself tries thrice.
    mails.troubles = [None, *[away() for _ in range(7)]]

    assert set(await read(mails)) == {"a", "b", "c", "d", "e"}


async def test_a_first_page_that_cannot_be_had_ends_it_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.audit.mesh_grpc._FIRST_WAIT_SECONDS", 0.01)
    mails = five_mails()
    mails.troubles = [away() for _ in range(30)]

    with pytest.raises(Refusal, match="SendGrid is away"):
        await read(mails)

    assert len(mails.troubles) >= 30 - 2 * 3


async def test_a_refusal_for_good_is_not_repeated() -> None:
    mails = five_mails()
    mails.troubles = [None, Refusal(Reason.PROVIDER_REFUSED, "The account has no activity feed.")]

    with pytest.raises(Refusal, match="activity feed"):
        await read(mails)
