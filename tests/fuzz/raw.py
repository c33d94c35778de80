"""Raw bytes to every method of every service of a real mesh: statuses counted, logs read."""

import asyncio
import importlib
import pkgutil
import re
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
import ordermesh
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from tests.fuzz.cases import Case, Cases
from tests.fuzz.frames import hostile_connections

_Code = grpc.StatusCode

# Bytes in, bytes out: grpc's types want messages on both ends.
Bytes = Any

# What a caller may be told. UNKNOWN, INTERNAL, CANCELLED, DATA_LOSS and UNAVAILABLE are none of it.
ALLOWED = frozenset(
    {
        _Code.OK,
        _Code.INVALID_ARGUMENT,
        _Code.UNAUTHENTICATED,
        _Code.PERMISSION_DENIED,
        _Code.RESOURCE_EXHAUSTED,
        _Code.FAILED_PRECONDITION,
        _Code.NOT_FOUND,
        _Code.ALREADY_EXISTS,
        _Code.ABORTED,
        _Code.UNIMPLEMENTED,
    }
)
# Only where the case itself leaves no time: by its deadline, or by a `not_after` that has passed.
_LATE = ALLOWED | {_Code.DEADLINE_EXCEEDED}
_TOO_LATE = "not_after has passed"
_AT_ONCE = 24
# The service of another area serves it as well.
_HOSTED_BY = {"webhook": "order"}
_DEFECT = re.compile(r'"event": "[a-z.]*defect"|Traceback|Segmentation')
# What grpc itself writes when a caller hangs up while its request is being read; the cases with no time left do.
_HUNG_UP = "ExecuteBatchError raised in core"


@dataclass
class Found:
    """What came of it.

    Attributes:
        cases: How many calls were made.
        statuses: How often each status came, by kind.
        methods: How often each method was called.
        wrong: Cases that were answered with what nobody may be answered, as a person reads them.
        seconds: How long it took.
    """

    cases: int = 0
    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    methods: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


def methods() -> list[MethodDescriptor]:
    """Return every method of every service of the contract."""
    found: list[MethodDescriptor] = []
    for module in pkgutil.walk_packages(ordermesh.__path__, "ordermesh."):
        if module.name.endswith("_service_pb2"):
            services = importlib.import_module(module.name).DESCRIPTOR.services_by_name.values()
            found += [method for service in services for method in service.methods]
    return found


async def fuzz(addresses: Mapping[str, str], count: int, seed: int) -> Found:
    """Make that many calls, every method in turn, and connections that speak no gRPC.

    Args:
        addresses: Where the service of each area listens.
        count: How many calls.
        seed: What all draws come from.
    """
    found, cases, every = Found(), Cases(seed), methods()
    channels = {area: _channel(address) for area, address in addresses.items()}
    begun = time.monotonic()

    async def work() -> None:
        while found.cases < count:
            method = every[found.cases % len(every)]
            found.cases += 1
            case = cases.case(method)
            area = method.containing_service.full_name.split(".")[1]
            code, answer, words = await _call(channels[_HOSTED_BY.get(area, area)], method, case)
            _note(found, method, case, code, words)
            if answer and method.name in {"PlaceOrder", "ChargePayment", "SendNotification", "CreateWebhookEndpoint"}:
                _learn(cases, method, answer)

    try:
        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
        for area, address in addresses.items():
            await hostile_connections(address, seed)
            if (code := await _alive(channels[area])) is not _Code.OK:
                found.wrong.append(f"{area}: after connections that spoke no gRPC its health answers {code.name}")
    finally:
        for channel in channels.values():
            await channel.close()
    found.seconds = time.monotonic() - begun
    return found


def defects(log: str) -> list[str]:
    """Return the lines of a log that tell of defects."""
    return [line[:600] for line in log.splitlines() if _DEFECT.search(line) and _HUNG_UP not in line]


def report(found: Found) -> str:
    """Return the figures as a person reads them."""
    codes = sorted({code for _, code in found.statuses})
    kinds = sorted({kind for kind, _ in found.statuses})
    width = max(map(len, codes), default=0) + 2
    lines = [f"{'':12}" + "".join(f"{code:>{width}}" for code in codes)]
    lines += [f"{kind:12}" + "".join(f"{found.statuses[kind, code]:>{width},}" for code in codes) for kind in kinds]
    totals = Counter[str]()
    for (_, code), times in found.statuses.items():
        totals[code] += times
    lines.append(f"{'all':12}" + "".join(f"{totals[code]:>{width},}" for code in codes))
    rate = found.cases / max(found.seconds, 0.001)
    lines.append(f"{found.cases:,} calls of {len(found.methods)} methods in {found.seconds:.0f} s, {rate:.0f}/s")
    lines += [f"WRONG {each}" for each in found.wrong[:20]]
    lines.append(f"{len(found.wrong)} wrong")
    return "\n".join(lines)


def _channel(address: str) -> Bytes:
    # A client that promises nothing: no retries, answers of any size.
    return grpc.aio.insecure_channel(
        address, options=[("grpc.enable_retries", 0), ("grpc.max_receive_message_length", -1)]
    )


async def _call(channel: Bytes, method: MethodDescriptor, case: Case) -> tuple[_Code, bytes, str]:
    """Return the status, the answer of a call that was done, and the words of one that was not."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        if method.server_streaming:
            stream = channel.unary_stream(path)(case.payload, timeout=case.seconds, metadata=case.metadata)
            answer = await stream.read()
            stream.cancel()
            if answer is grpc.aio.EOF:
                return await stream.code(), b"", ""
            return _Code.OK, b"", ""
        answer = await channel.unary_unary(path)(case.payload, timeout=case.seconds, metadata=case.metadata)
    except grpc.aio.AioRpcError as error:
        return error.code(), b"", error.details() or ""
    return _Code.OK, answer, ""


def _note(found: Found, method: MethodDescriptor, case: Case, code: _Code, words: str) -> None:
    found.statuses[case.kind, code.name] += 1
    found.methods[method.full_name] += 1
    # An order's watcher may wait for a version that never comes.
    waits = method.name == "WatchOrder" and case.kind == "extreme"
    late = case.kind == "deadlines" or words.startswith(_TOO_LATE) or waits
    if code not in (_LATE if late else ALLOWED):
        shown = f"{case.payload[:200].hex()} {str(case.metadata)[:100]}"
        found.wrong.append(f"{method.name} {case.kind} {code.name}: {words[:200]}: {shown}")


def _learn(cases: Cases, method: MethodDescriptor, answer: bytes) -> None:
    """Remember ids that exist now: a call about them goes further than one about nothing."""
    message = message_factory.GetMessageClass(method.output_type)()
    message.ParseFromString(answer)
    for name in ("order", "payment", "notification", "endpoint"):
        with suppress(AttributeError):
            cases.likely.known.append(getattr(getattr(message, name), f"{name}_id"))
    del cases.likely.known[:-50]


async def _alive(channel: Bytes) -> _Code:
    try:
        await channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=10, wait_for_ready=True)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return _Code.OK
