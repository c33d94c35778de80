"""A whole mesh is given twenty secrets in every place that takes input, and hostile bytes: nothing comes out again.

What may hold them is left out by name: the tables of the services and of the sandbox, which stands for the providers,
and the answers to calls that were done, which go to whoever sent it all. Everything else is searched: standard output
and error, spans, metrics, what a collector gets, and every answer to a call that was not done.
"""

import asyncio
import itertools
import json
import random
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.api import annotations_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from chassis.redaction import is_suspicious
from tests.fakes import canaries
from tests.fakes.mesh_process import MeshProcess, environment
from tests.fakes.otlp_collector import OtlpCollector
from tests.fakes.whole_mesh import EXAMPLE
from tests.fuzz import raw
from tests.fuzz.messages import Likely

_AT_ONCE = 16
_FUZZ_CASES = 300
_HOSTED_BY = {"webhook": "order"}
_AREAS = ("order", "tax", "payment", "notify")

# A mesh starts, and some two thousand calls are made: five seconds on an idle machine.
pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


class Mesh:
    """The mesh in one process, and all that it has said.

    Attributes:
        values: Its environment.
        process: It.
        collector: Gets its spans and metrics.
        refusals: What callers were told of calls that were not done.
        calls: How many calls were made.
    """

    def __init__(self, values: dict[str, str], process: MeshProcess, collector: OtlpCollector) -> None:
        self.values = values
        self.process = process
        self.collector = collector
        self.refusals: list[bytes] = []
        self.calls = 0

    @property
    def addresses(self) -> dict[str, str]:
        return {area: self.values[f"{area.upper()}_ADDR"] for area in _AREAS}

    @property
    def gateway(self) -> str:
        return f"http://{self.values['ORDERMESH_GATEWAY_ADDR']}"


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp("hostile")
    with OtlpCollector() as collector:
        values = {
            **environment(folder / "data"),
            **canaries.ENVIRONMENT,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "ORDER_PATIENCE_SECONDS": "2",
        }
        # By another name: a key that was set goes with an address that was set.
        values["AVATAX_BASE_URL"] = f"http://localhost:{values['SANDBOX_ADDR'].rpartition(':')[2]}/avatax"
        process = MeshProcess(["up"], values, folder / "up.log")
        try:
            process.wait_until("Data lies in")
            yield Mesh(values, process, collector)
        finally:
            process.kill()


@pytest.fixture(scope="module")
async def channels(mesh: Mesh) -> AsyncIterator[dict[str, Any]]:
    opened = {area: grpc.aio.insecure_channel(address) for area, address in mesh.addresses.items()}
    yield opened
    for channel in opened.values():
        await channel.close()


def ways(descriptor: Descriptor) -> Iterator[tuple[FieldDescriptor, ...]]:
    """Yield the way to each text or bytes that a request may hold."""
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            yield (field,)
        elif field.message_type is not None:
            yield from ((field, *rest) for rest in ways(field.message_type))
        elif field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}:
            yield (field,)


def plant(message: Message, way: tuple[FieldDescriptor, ...], text: str) -> None:
    """Put the text at the end of the way."""
    field, *rest = way
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        getattr(message, field.name).update({"canary": text})
    elif field.message_type is not None:
        values = getattr(message, field.name)
        inner = (values[0] if len(values) else values.add()) if field.is_repeated else values
        plant(inner, tuple(rest), text)
    else:
        value = text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)


def planted() -> Iterator[tuple[MethodDescriptor, Message]]:
    """Yield every method's requests with a canary in each place that takes a text, one place at a time."""
    likely, number = Likely(random.Random(5)), itertools.count()
    texts = itertools.cycle(canaries.TEXTS)
    for method in raw.methods():
        for way in ways(method.input_type):
            for text in (next(texts),):
                message = likely.message(method.input_type)
                plant(message, way, text)
                if "request_id" in method.input_type.fields_by_name and way[0].name != "request_id":
                    message.request_id = f"canary-{next(number)}"  # type: ignore[attr-defined]  # it has one
                yield method, message


async def over_grpc(mesh: Mesh, channel: Any, method: MethodDescriptor, request: Message) -> None:  # noqa: ANN401  (bytes in, bytes out)
    path = f"/{method.containing_service.full_name}/{method.name}"
    metadata = tuple((name, value) for name, value in canaries.HEADERS.items() if name != "user-agent")
    mesh.calls += 1
    try:
        if method.server_streaming:
            await channel.unary_stream(path)(request.SerializeToString(), metadata=metadata, timeout=20).read()
        else:
            await channel.unary_unary(path)(request.SerializeToString(), metadata=metadata, timeout=20)
    except grpc.aio.AioRpcError as error:
        trailers = error.trailing_metadata() or ()
        said = [error.details() or "", *(f"{value!r}" for _, value in trailers)]
        mesh.refusals.append("\n".join(said).encode())


async def over_rest(mesh: Mesh, http: httpx.AsyncClient, method: MethodDescriptor, request: Message) -> None:
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    if verb is None or method.server_streaming:
        return
    body = json_format.MessageToDict(request, preserving_proto_field_name=True)
    path = getattr(rule, verb)
    for name in [each for each in body if f"{{{each}}}" in path]:
        path = path.replace(f"{{{name}}}", httpx.URL("/").copy_with(path=f"/{body.pop(name)}").raw_path.decode()[1:])
    headers = {**canaries.HARMLESS_HEADERS, "Idempotency-Key": str(body.pop("request_id", "canary"))}
    given = {"json": body} if rule.body else {"params": {name: str(value) for name, value in body.items()}}
    await ask(mesh, http, verb.upper(), path, headers=headers, **given)


async def ask(mesh: Mesh, http: httpx.AsyncClient, verb: str, path: str, **given: Any) -> int:  # noqa: ANN401  (httpx's own)
    """Ask the gateway, and keep what it says unless it has done what was asked."""
    mesh.calls += 1
    try:
        answer = await http.request(verb, path, **given)
    except (httpx.InvalidURL, UnicodeEncodeError):
        return 0  # httpx does not send it
    heads = repr(answer.headers.raw).encode()
    mesh.refusals.append(heads + answer.content if answer.is_error else heads)
    return answer.status_code


async def in_parallel(jobs: Iterator[Any]) -> None:
    async def work() -> None:
        for job in jobs:
            await job

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


async def order_of_canaries(mesh: Mesh, http: httpx.AsyncClient, key: str, **changes: object) -> int:
    """Place an order whose every text is a canary, but for what decides how it goes."""
    order = {
        **EXAMPLE,
        "customer": {"customer_id": "c4n4ryCUSTOMER", "email": "c4n4ryMAILBOX@example.com", "name": "Ada c4n4ryNAME"},
        "ship_to": {**EXAMPLE["ship_to"], "line2": "c/o c4n4ryNAME"},
        "reference": "c4n4ryPLAIN",
        "note": "call c4n4ryNAME",
        "metadata": {"a": "c4n4ryPLAIN"},
        **changes,
    }
    return await ask(
        mesh, http, "POST", "/api/v1/orders", json=order, headers={**canaries.HARMLESS_HEADERS, "Idempotency-Key": key}
    )


async def everything_happens(mesh: Mesh, channels: dict[str, Any]) -> None:
    """Give every canary everywhere, while all is well and while the providers are away."""
    sandbox = f"http://{mesh.values['SANDBOX_ADDR']}"
    async with httpx.AsyncClient(base_url=mesh.gateway, timeout=20) as http:
        assert await order_of_canaries(mesh, http, "canary-well") == 201
        assert await order_of_canaries(mesh, http, "canary-declined", payment_method="pm_card_chargeDeclined") == 402
        await in_parallel(
            over_grpc(mesh, channels[_HOSTED_BY.get(area, area)], method, request)
            for method, request in planted()
            for area in [method.containing_service.full_name.split(".")[1]]
        )
        await in_parallel(over_rest(mesh, http, method, request) for method, request in planted())
        for text in (*canaries.STRAY, *canaries.TEXTS):
            # A name that means nothing is told back, for whoever has mistyped it, unless it has the shape of a secret.
            name = text if is_suspicious(text) else "stray"
            await ask(mesh, http, "GET", f"/api/v1/orders/{text}", headers=canaries.HEADERS)
            await ask(mesh, http, "GET", f"/nothing/{text}", params={name: text})
            await ask(mesh, http, "GET", "/api/v1/orders", params={name: text, "page_token": text, "state": text})
            await ask(mesh, http, "POST", "/api/v1/orders", json={name: text}, headers={"Idempotency-Key": text})
            await ask(mesh, http, "POST", "/api/v1/orders", content=text, headers={"content-type": "application/json"})
            await ask(mesh, http, "POST", "/webhooks/stripe", content=text, headers={"stripe-signature": text})
            await ask(mesh, http, "POST", "/webhooks/sendgrid", content=json.dumps([text]))
        async with httpx.AsyncClient(base_url=sandbox) as levers:
            for provider in ("avatax", "stripe", "sendgrid"):
                await levers.put(f"/faults/{provider}", json={"mode": "outage"})
            await order_of_canaries(mesh, http, "canary-away")
            await levers.delete("/faults")


def outputs(mesh: Mesh) -> dict[str, bytes]:
    """Return all that the mesh has let out, by where."""
    with closing(sqlite3.connect(Path(mesh.values["ORDERMESH_DATA_DIR"]) / "spans.db")) as spans:
        tables = [name for (name,) in spans.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [repr(row) for table in tables for row in spans.execute(f"SELECT * FROM {table}")]
    return {
        "standard output": mesh.process.said.encode(),
        "log": mesh.process.log().encode(),
        "spans": "\n".join(rows).encode(),
        "collector": repr((mesh.collector.spans, mesh.collector.metrics)).encode(),
        "refusals": b"\n".join(mesh.refusals),
    }


async def test_no_canary_comes_out_of_a_mesh(mesh: Mesh, channels: dict[str, Any]) -> None:
    assert len(canaries.ALL) == 20

    # First: once the providers were away, a call that needs one may be told so.
    fuzzed = await raw.fuzz(mesh.addresses, _FUZZ_CASES, seed=3)
    assert fuzzed.wrong == [], raw.report(fuzzed)
    await everything_happens(mesh, channels)
    mesh.process.signal(15)  # what waits to be exported is, at the end
    assert mesh.process.wait() == 0
    out = outputs(mesh)

    assert all(out.values()), [name for name, text in out.items() if not text]
    assert mesh.calls > 400
    for name, text in out.items():
        assert canaries.found_in(text) == [], name
    assert raw.defects(mesh.process.log()) == []


def test_a_canary_that_comes_out_is_found() -> None:
    for canary in (*canaries.ALL, "4000056655665556"):
        assert canaries.found_in(f"before {canary} after".encode()), canary
    assert canaries.found_in(b"nothing of the kind") == []
