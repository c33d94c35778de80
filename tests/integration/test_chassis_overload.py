"""A service that has too much to do says so at once, in every language that callers speak, and stays healthy."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_status import rpc_status

from chassis.admission import OUTER_SECONDS, Admission
from chassis.errors import refusal_of
from chassis.limits import Limits
from kernel.errors import Reason, Refusal
from tests.fakes.backend import running_backend
from tests.fakes.gateway import gateway_before
from tests.fakes.scripted_service import FOUND, GET, Found, chassis_channel, scripted, stub

MOST = 4


class Held:
    """A handler that holds every call until it is let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.full = asyncio.Event()
        self._held = 0

    async def get(self) -> Found:
        self._held += 1
        if self._held >= MOST:
            self.full.set()
        await self.let_go.wait()
        return FOUND


class Heard:
    """What a channel has told."""

    def __init__(self) -> None:
        self.answers: list[bool] = []
        self.refusals = 0

    def answered(self, *, busy: bool) -> None:
        self.answers.append(busy)

    def push_back(self) -> None:
        self.refusals += 1


def few() -> Admission:
    return Admission(Limits(in_flight=MOST))


async def test_what_is_too_much_is_refused_at_once_with_a_time_to_wait_and_the_rest_is_answered() -> None:
    held = Held()
    async with scripted(held.get, admission=few()) as service, service.channel() as channel:
        calls = [stub(channel).GetOrder(GET) for _ in range(MOST)]
        await held.full.wait()
        error = await refused(channel)  # while all the others are held
        held.let_go.set()
        answers = await asyncio.gather(*calls)
        again = await stub(channel).GetOrder(GET)

    refusal = refusal_of(error)
    assert refusal is not None
    assert (error.code(), refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.OVERLOADED)
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it reads code, details and trailers only
    retry = error_details_pb2.RetryInfo()
    assert status is not None
    assert any(detail.Unpack(retry) for detail in status.details)
    assert retry.retry_delay.ToMilliseconds() == 1_000
    assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
    assert [*answers, again] == [FOUND] * (MOST + 1)


async def test_what_is_refused_at_the_door_is_neither_read_nor_asked_who_it_is_and_counts_like_every_call() -> None:
    held = Held()
    async with scripted(held.get, admission=few()) as service, service.channel() as channel:
        calls = [stub(channel).GetOrder(GET) for _ in range(MOST)]
        await held.full.wait()
        unreadable: Callable[..., Awaitable[object]] = channel.unary_unary(
            "/ordermesh.order.v1.OrderService/GetOrder", None, None
        )
        codes = [await code_of(unreadable, b"\xff", (("ordermesh-caller", "nobody"),)) for _ in range(20)]
        held.let_go.set()
        await asyncio.gather(*calls)
        spans = [span for span in service.spans.spans if span.attributes["rpc.response.status_code"] != "OK"]

    assert codes == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 20
    assert len(spans) == 20
    assert service.servicer.calls == MOST


async def test_health_answers_while_everything_else_is_refused() -> None:
    held = Held()
    async with scripted(held.get, admission=few()) as service, service.channel() as channel:
        calls = [stub(channel).GetOrder(GET) for _ in range(MOST)]
        await held.full.wait()
        await refused(channel)
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        told = await check(health_pb2.HealthCheckRequest())
        held.let_go.set()
        await asyncio.gather(*calls)

    assert told.status == health_pb2.HealthCheckResponse.SERVING


async def test_who_calls_an_overloaded_service_hears_of_it_and_does_not_repeat_by_itself() -> None:
    async def refuse() -> Found:
        raise Refusal(Reason.OVERLOADED, "Too much.", retry_after=0.25)

    async with scripted(refuse) as service, chassis_channel(service.address) as (channel, _):
        await refused(channel)
        calls = service.servicer.calls

    assert calls == 1


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        pytest.param(Refusal(Reason.OVERLOADED, "Too much.", retry_after=1.0), 1, id="too much"),
        pytest.param(Refusal(Reason.OVERLOADED, "Yours.", metadata={"callsPerSecond": "1"}), 0, id="a rate"),
        pytest.param(Refusal(Reason.CUSTOMER_LIMIT_REACHED, "Later."), 0, id="a customer's limit"),
    ],
)
async def test_who_calls_hears_of_too_much_work_and_not_of_limits_that_somebody_has_reached(
    refusal: Refusal, told: int
) -> None:
    async def refuse() -> Found:
        raise refusal

    heard = Heard()
    async with scripted(refuse) as service, chassis_channel(service.address, pressure=heard) as (channel, _):
        await refused(channel)

    assert heard.refusals == told


@pytest.mark.parametrize("busy", [True, False])
async def test_a_busy_service_says_so_beside_its_answers_and_the_channel_hears_it(busy: bool) -> None:  # noqa: FBT001  (pytest passes it by name)
    admission = Admission(Limits())
    heard = Heard()

    async def answer() -> Found:
        for moment in (1.0, 1.2):
            admission.observe(2 * OUTER_SECONDS if busy else 0.0, asyncio.get_running_loop().time() + moment)
        return FOUND

    async with (
        scripted(answer, admission=admission) as service,
        chassis_channel(service.address, pressure=heard) as (channel, _),
    ):
        answered = await stub(channel).GetOrder(GET)

    assert answered == FOUND
    assert heard.answers == [busy]


async def test_a_caller_who_has_gone_before_the_refusal_is_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    held = Held()
    async with scripted(held.get, admission=few()) as service, service.channel() as channel:
        calls = [stub(channel).GetOrder(GET) for _ in range(MOST)]
        await held.full.wait()
        late = [stub(channel).GetOrder(GET, timeout=0.02) for _ in range(100)]
        for _ in range(3):
            await asyncio.sleep(0)
            stand_still()  # What is met afterwards was too late before it was refused.
        await asyncio.gather(*late, return_exceptions=True)
        await refused(channel)
        held.let_go.set()
        await asyncio.gather(*calls)

    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_gateway_keeps_from_a_service_what_it_would_refuse() -> None:
    async with running_backend() as backend, gateway_before(backend.address, backend=backend) as world:
        await world.gateway.readiness.until(ready=True)
        backend.answers["GetOrder"] = Refusal(Reason.OVERLOADED, "Too much.", retry_after=1.0)
        answers = [await world.http.get("/api/v1/orders/x") for _ in range(40)]
        reached = sum(call.method == "GetOrder" for call in backend.calls)

    assert {answer.status_code for answer in answers} == {429}
    assert {answer.json()["reason"] for answer in answers} == {"OVERLOADED"}
    assert all("retry-after" in answer.headers for answer in answers)
    assert 0 < reached < 20


async def test_the_gateway_lets_in_less_when_a_service_refuses() -> None:
    async with running_backend() as backend, gateway_before(backend.address, backend=backend) as world:
        await world.gateway.readiness.until(ready=True)
        backend.answers["GetOrder"] = Refusal(Reason.OVERLOADED, "Too much.", retry_after=1.0)
        admission = world.gateway.admission
        before = admission.limit
        # Two rounds of a loop that has nothing to do, further apart than it thinks the limit over.
        soon = asyncio.get_running_loop().time() + 60
        admission.observe(0.0, soon)
        answer = await world.http.get("/api/v1/orders/x")
        admission.observe(0.0, soon + 0.15)

    assert answer.status_code == 429
    assert admission.limit < before


async def test_over_rest_it_is_429_with_retry_after_and_readiness_is_still_told() -> None:
    async with running_backend() as backend, gateway_before(backend.address, backend=backend) as world:
        await world.gateway.readiness.until(ready=True)
        admission = world.gateway.admission
        for _ in range(admission.limit):
            admission.enter()
        answer = await world.http.get("/api/v1/orders/x")
        ready = await world.http.get("/readyz")

    assert (answer.status_code, answer.json()["reason"]) == (429, "OVERLOADED")
    assert answer.headers["retry-after"] == "1"
    assert ready.status_code == 200


def stand_still() -> None:
    """Keep the loop from coming round for longer than a caller waits."""
    time.sleep(0.05)


async def refused(channel: object) -> grpc.aio.AioRpcError:
    """Make a call that has to be refused, and return how it was."""
    try:
        await stub(channel).GetOrder(GET)  # type: ignore[arg-type]  # either kind of channel
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("it was let in")


async def code_of(call: Callable[..., Awaitable[object]], request: bytes, metadata: object) -> grpc.StatusCode:
    """Make a call that has to fail, and return its code."""
    try:
        await call(request, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return error.code()
    raise AssertionError("it was let in")
