"""The mesh as a list of parts: who belongs to it, how it starts and stops, what it says when it cannot."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from chassis.config import ConfigError
from chassis.storage.changes import StorageUnavailable
from chassis.telemetry.setup import Telemetry, start_telemetry
from cli import mesh
from cli.config import CliConfig
from cli.database import Database
from cli.part import Part
from cli.serving import serve
from tests.fakes.progress_heard import Heard

REAL_PROVIDERS = {
    "STRIPE_API_KEY": "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
    "STRIPE_API_BASE": "https://api.stripe.com",
    "STRIPE_WEBHOOK_SECRET": "whsec_of_a_test_account",
    "AVATAX_BASE_URL": "https://sandbox-rest.avatax.com",
    "AVATAX_ACCOUNT_ID": "2000000001",
    "AVATAX_LICENSE_KEY": "0123456789ABCDEF",
    "SENDGRID_BASE_URL": "https://api.sendgrid.com",
    "SENDGRID_API_KEY": "SG.0123456789012345678901.0123456789012345678901234567890123456789012",
    "MAIL_FROM": "shop@example.com",
}


async def until_told() -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


class Stage:
    """Parts that write down when they start and stop, and end the test's process's wait once all run."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def part(self, name: str, *, fails: Exception | None = None, address: str = "127.0.0.1:0") -> Part:
        @asynccontextmanager
        async def running(_: Telemetry) -> AsyncIterator[str]:
            if fails is not None:
                raise fails
            self.seen.append(f"{name} starts")
            try:
                yield f"{name}:1"
            finally:
                self.seen.append(f"{name} stops")

        def run(telemetry: Telemetry) -> AbstractAsyncContextManager[str]:
            return running(telemetry)

        return Part(name, address, f"{name.upper()}_ADDR", run, Database(f"sqlite:////data/{name}.db", "migrations"))

    def ready(self, bound: Mapping[str, str]) -> None:
        self.seen.append(f"ready: {dict(bound)}")
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
async def telemetry(tmp_path: Path) -> AsyncIterator[Telemetry]:
    started = start_telemetry("test", tmp_path, None)
    yield started
    await started.aclose()


@pytest.fixture(autouse=True)
def _restored_signals() -> Iterator[None]:
    """Put back what a mesh that was told to stop has set to end the process."""
    before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


def environment(tmp_path: Path, **values: str) -> dict[str, str]:
    return {"ORDERMESH_DATA_DIR": str(tmp_path), **values}


def test_the_whole_mesh_starts_what_is_called_before_what_calls(tmp_path: Path) -> None:
    parts = mesh.whole(environment(tmp_path))

    assert [part.name for part in parts] == ["sandbox", "tax", "payment", "notify", "order", "gateway"]
    assert [part.address for part in parts] == [
        "127.0.0.1:8090",
        "127.0.0.1:50052",
        "127.0.0.1:50053",
        "127.0.0.1:50054",
        "127.0.0.1:50051",
        "127.0.0.1:8080",
    ]


def test_the_sandbox_stays_away_when_every_provider_is_real(tmp_path: Path) -> None:
    names = [part.name for part in mesh.whole(environment(tmp_path, **REAL_PROVIDERS))]

    assert names == ["tax", "payment", "notify", "order", "gateway"]


def test_the_sandbox_is_there_for_a_single_provider(tmp_path: Path) -> None:
    values = {name: value for name, value in REAL_PROVIDERS.items() if not name.startswith("AVATAX")}

    assert mesh.whole(environment(tmp_path, **values))[0].name == "sandbox"


def test_the_gateway_shows_the_sandbox_that_plays_stripe_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    played = environment(tmp_path, SANDBOX_ADDR="127.0.0.1:9001")
    real = environment(tmp_path, **{name: value for name, value in REAL_PROVIDERS.items() if "STRIPE" in name})
    told = environment(tmp_path, GATEWAY_SANDBOX_URL="")

    shown = [mesh.with_sandbox(each, mesh.whole(each)).get("GATEWAY_SANDBOX_URL") for each in (played, real, told)]

    assert shown == ["http://127.0.0.1:9001", None, ""]


def test_the_complaints_of_all_parts_are_told_at_once_and_each_once(tmp_path: Path) -> None:
    values = environment(tmp_path, TAX_ADDR="nowhere", TAX_FALLBACK_RATE="8", SANDBOX_ADDR="x")

    with pytest.raises(ConfigError) as caught:
        mesh.whole(values)

    heading, *complaints = str(caught.value).splitlines()
    assert heading == "The environment is not usable:"
    assert sum("TAX_ADDR" in line for line in complaints) == 1
    assert any("TAX_FALLBACK_RATE" in line for line in complaints)
    assert any("SANDBOX_ADDR" in line for line in complaints)


def test_a_port_that_is_left_open_is_refused_where_others_must_know_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TAX_ADDR: the others must know the port"):
        mesh.whole(environment(tmp_path, TAX_ADDR="127.0.0.1:0"))


async def test_parts_stop_in_reverse_once_the_process_is_told_to(telemetry: Telemetry) -> None:
    stage = Stage()

    await mesh.run([stage.part("tax"), stage.part("order")], telemetry, stage.ready)

    assert stage.seen == [
        "tax starts",
        "order starts",
        "ready: {'tax': 'tax:1', 'order': 'order:1'}",
        "order stops",
        "tax stops",
    ]


async def test_it_says_which_part_starts_until_all_are_ready(telemetry: Telemetry) -> None:
    stage, heard = Stage(), Heard()

    with heard.progress() as shown:
        await mesh.run([stage.part("tax"), stage.part("order")], telemetry, stage.ready, shown=shown)

    assert heard.told == [("starting tax", 0, 2), ("starting order", 1, 2)]


def test_it_says_that_it_reads_the_code_of_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    monkeypatch.setattr("cli.mesh.progress", heard.progress)

    mesh.loaded(("tax", "payment"), environment(tmp_path))
    assert [(done, of) for _, done, of in heard.told] == [(0, 2), (1, 2)]

    mesh.whole(environment(tmp_path))
    assert [(done, of) for _, done, of in heard.told[2:]] == [(done, 6) for done in range(6)]


@pytest.mark.parametrize("told", [None, until_told])
def test_what_is_shown_is_gone_before_it_says_that_it_is_ready(
    told: mesh.Told | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that another one has started shows nothing at all."""
    stage, heard, seen = Stage(), Heard(), list[bool]()
    monkeypatch.setattr("cli.serving.progress", heard.progress)

    @asynccontextmanager
    async def running(_: Telemetry) -> AsyncIterator[str]:
        seen.append(heard.open)
        yield "tax:1"

    def ready(bound: Mapping[str, str]) -> None:
        seen.append(heard.open)
        stage.ready(bound)

    serve("tax", [replace(stage.part("tax"), run=running)], CliConfig.from_env(environment(tmp_path)), ready, told)

    assert seen == [told is None, False]


async def test_a_part_that_cannot_start_stops_those_before_it_and_is_named(telemetry: Telemetry) -> None:
    stage = Stage()
    away = StorageUnavailable("the database is away")

    with pytest.raises(mesh.CannotStart, match="order cannot start: the database is away") as caught:
        await mesh.run([stage.part("tax"), stage.part("order", fails=away)], telemetry, stage.ready)

    assert "sqlite:////data/order.db; ORDER_DATABASE_URL" in str(caught.value)
    assert stage.seen == ["tax starts", "tax stops"]


async def test_a_taken_port_is_named_with_the_variable_to_change(telemetry: Telemetry) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        part = Stage().part("tax", fails=OSError("taken"), address=address)

        with pytest.raises(mesh.CannotStart) as caught:
            await mesh.run([part], telemetry, Stage().ready)

    assert f"tax cannot listen on {address}: another process has the port" in str(caught.value)
    assert "Set TAX_ADDR to a free host:port" in str(caught.value)


async def test_a_defect_is_not_dressed_up_as_the_operators_mistake(telemetry: Telemetry) -> None:
    with pytest.raises(ZeroDivisionError):
        await mesh.run([Stage().part("tax", fails=ZeroDivisionError())], telemetry, Stage().ready)


def test_a_gateway_does_not_hold_its_keys_open_and_starts_without_them(tmp_path: Path) -> None:
    part = mesh.load("gateway", {"ORDERMESH_DATA_DIR": str(tmp_path)})

    assert part.database is not None
    assert part.database.migrate()
    assert not part.database.migrate()
    assert part.held is None
    assert part.mistakes == (OSError,)
