"""ORDERMESH_API_KEY: the same commands through a gateway that lets in nobody without a key."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from google.protobuf.message import Message
from ordermesh.order.v1 import order_service_pb2

from chassis.access.rules import scopes_of
from cli.__main__ import cli
from gateway import contract
from gateway.access.api_keys import new_key
from gateway.access.key_table import KeyTable
from gateway.access.settings import AuthSettings
from kernel.clock import SystemClock
from kernel.errors import FieldViolation, Reason, Refusal
from tests.fakes.backend import ORDER_ID, Backend, an_order, running_backend
from tests.fakes.gateway import gateway_before

ORDER = an_order(version=3, etag="e3", update_time={"seconds": 1_800_000_000})
NOBODY = "http://127.0.0.1:1"


@dataclass(frozen=True)
class Mesh:
    """A gateway, and the backend behind it.

    Attributes:
        backend: What is called in the end.
        inside: The environment of a command beside the services.
        outside: That of one that has the gateway's address and a key alone.
        reader: Likewise, with a key to read orders alone.
    """

    backend: Backend
    inside: Mapping[str, str]
    outside: Mapping[str, str]
    reader: Mapping[str, str]


async def a_key(keys: KeyTable, *scopes: str) -> str:
    shown, key = new_key(f"k{secrets.token_hex(4)}", frozenset(scopes), SystemClock().now(), None, secrets.token_bytes)
    await keys.add(key)
    return shown


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    url = f"sqlite:///{folder / 'gateway.db'}"
    keys = KeyTable(url)
    await asyncio.to_thread(keys.prepare)
    auth = AuthSettings(required=True, database_url=url, caller_key=folder / "signing-key.pem")
    key, reading = await a_key(keys, *scopes_of(contract.load().services)), await a_key(keys, "orders.read")
    async with running_backend() as backend, gateway_before(backend.address, backend=backend, auth=auth) as world:
        await world.gateway.readiness.until(ready=True)
        inside = {f"{part}_ADDR": backend.address for part in ("ORDER", "TAX", "PAYMENT", "NOTIFY")}
        outside = {"ORDERMESH_API_KEY": key, "ORDERMESH_GATEWAY_URL": f"http://{world.host}:{world.port}"}
        yield Mesh(backend, inside, outside, {**outside, "ORDERMESH_API_KEY": reading})


@pytest.fixture
def mesh(shared: Mesh) -> Mesh:
    shared.backend.calls.clear()
    shared.backend.answers.clear()
    for method in order_service_pb2.DESCRIPTOR.services_by_name["OrderService"].methods:
        if "order" in method.output_type.fields_by_name:
            answer = getattr(order_service_pb2, method.output_type.name)
            shared.backend.answers[method.name] = answer(order=ORDER)
    return shared


async def told(values: Mapping[str, str], *words: str) -> Result:
    """Run a command beside the servers, on an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, cli, words, env=values)


async def asked(mesh: Mesh, values: Mapping[str, str], words: str) -> tuple[list[tuple[str, Message]], str]:
    """Run a command that goes well; return what the backend was asked, and what it printed."""
    mesh.backend.calls.clear()
    done = await told(values, *words.split())
    assert done.exit_code == 0, done.output
    # What is asked at once comes in any order.
    return sorted(((call.method, call.request) for call in mesh.backend.calls), key=lambda call: call[0]), done.stdout


@pytest.mark.parametrize(
    "words",
    [
        f"order get {ORDER_ID} -o json",
        "order list --state paid --customer c-1 --needs-review --from 2026-03-01 --limit 300 -o json",
        f"order explain {ORDER_ID} -o json",
        f"order cancel {ORDER_ID} --reason typo --if-version e3 --key k-1 -o json",
        f"order refund {ORDER_ID} --sku MUG --sku A=B=2 --key k-2 -o json",
        f"order refund {ORDER_ID} --amount 1.50 --key k-3 -o json",
        f"order ship {ORDER_ID} --item MUG=2 --carrier DHL --release-rest --key k-4 -o json",
        f"order annotate {ORDER_ID} gift --key k-5 -o json",
        "order place -f examples/order.json --key k-6 -o json",
        "order quote -f examples/order-eu.json -o json",
        "tax documents -o json",
        "mail preview order-confirmation --locale de",
        "webhook list",
        "webhook log",
        "webhook delete wh_1",
    ],
)
async def test_services_are_asked_the_same_as_from_inside(mesh: Mesh, words: str) -> None:
    from_inside = await asked(mesh, mesh.inside, words)
    from_outside = await asked(mesh, mesh.outside, words)

    assert from_inside[0] != []
    assert from_outside == from_inside


async def test_a_refusal_is_told_as_from_inside(mesh: Mesh) -> None:
    mesh.backend.answers["RefundOrder"] = Refusal(
        Reason.REFUND_EXCEEDS_PAYMENT,
        "amount: is more than is left",
        metadata={"refundableMinorUnits": "5"},
        fields=(FieldViolation("amount", "is more than is left"),),
        retry_after=2.0,
    )
    words = ("order", "refund", ORDER_ID, "--amount", "1.50", "--key", "k-1")
    inside, outside = [await told(values, *words) for values in (mesh.inside, mesh.outside)]

    assert (outside.exit_code, outside.output) == (inside.exit_code, inside.output)
    assert "refundableMinorUnits: 5" in outside.output


async def test_a_key_opens_what_its_scopes_say(mesh: Mesh) -> None:
    nobodys = {**mesh.outside, "ORDERMESH_API_KEY": "omk_abcdef_" + "A" * 43}
    read, cancelled, refused = (
        await told(mesh.reader, "order", "get", ORDER_ID, "-o", "json"),
        await told(mesh.reader, "order", "cancel", ORDER_ID),
        await told(nobodys, "order", "get", ORDER_ID),
    )

    assert read.exit_code == 0
    assert (cancelled.exit_code, cancelled.output.partition(":")[0]) == (1, "PERMISSION_DENIED")
    assert (refused.exit_code, refused.output.partition(":")[0]) == (1, "UNAUTHENTICATED")
    assert "omk_" not in read.output + cancelled.output + refused.output


async def test_where_no_gateway_answers_it_says_where_it_asked(mesh: Mesh) -> None:
    done = await told({**mesh.outside, "ORDERMESH_GATEWAY_URL": NOBODY}, "order", "get", ORDER_ID)

    assert done.exit_code == 3
    assert f"Nobody answers at {NOBODY} (ORDERMESH_GATEWAY_URL)" in done.output


async def test_what_has_no_route_needs_a_certificate(mesh: Mesh) -> None:
    done = await told(mesh.outside, "audit")

    assert done.exit_code != 0
    assert "takes a certificate, and no key" in done.output


async def test_an_order_is_followed_to_the_end_of_the_stream(mesh: Mesh) -> None:
    mesh.backend.stream = asyncio.Queue()
    moves = [an_order(version=version, update_time={"seconds": 1_800_000_000}) for version in (3, 4)]
    said = []
    for values in (mesh.inside, mesh.outside):
        for move in moves:
            mesh.backend.stream.put_nowait(order_service_pb2.WatchOrderResponse(order=move))
        mesh.backend.stream.put_nowait(None)
        said.append(await asked(mesh, values, f"order watch {ORDER_ID} -o json"))

    assert said[0] == said[1]
    assert [said[1][1].count(f'"version": {version}') for version in (3, 4)] == [1, 1]


async def test_a_stream_that_is_refused_later_is_told_so(mesh: Mesh) -> None:
    mesh.backend.stream = asyncio.Queue()
    mesh.backend.stream.put_nowait(order_service_pb2.WatchOrderResponse(order=ORDER))
    mesh.backend.stream.put_nowait(Refusal(Reason.PERMISSION_DENIED, "No more."))
    done = await told(mesh.outside, "order", "watch", ORDER_ID, "-o", "json")

    assert done.exit_code == 1
    assert "PERMISSION_DENIED: No more." in done.output


async def test_the_board_is_asked_for_by_the_same_calls(mesh: Mesh) -> None:
    # What it prints differs where an answer has nothing in it, as those of this backend have. All are asked at once.
    inside, outside = [
        sorted((await asked(mesh, values, "top --once -o json"))[0], key=str) for values in (mesh.inside, mesh.outside)
    ]

    assert outside == inside
    assert len(outside) == 4
