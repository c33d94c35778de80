"""What a lookup finds, on both databases, is what SQLAlchemy would find."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, bindparam, func, literal_column, select, table

from chassis.storage.changes import Change, StatementRefused
from chassis.storage.lookup import Lookup
from chassis.storage.store import Store, open_store
from tests.fakes.storage_tables import ACCOUNTS, ENTRIES, METADATA, account, entry

_ONE = select(literal_column("1").label("one")).subquery()
_BY_ID = select(ACCOUNTS, ENTRIES.c.amount.label("first")).select_from(
    _ONE.outerjoin(ACCOUNTS, ACCOUNTS.c.id == bindparam("wanted")).outerjoin(
        ENTRIES, (ENTRIES.c.account_id == ACCOUNTS.c.id) & (ENTRIES.c.line == bindparam("line"))
    )
)
LOOKUP = Lookup(_BY_ID)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    result = await open_store(database_url, metadata=METADATA)
    await result.transact(METADATA.create_all)
    await result.commit(Change((), (account("a", balance=7, email="a@shop.example"), entry("a", 1, 5))))
    yield result
    await result.close()


@pytest.mark.parametrize("wanted", ["a", "b"])
async def test_a_row_is_the_same_as_without_it(store: Store, wanted: str) -> None:
    parameters = {"wanted": wanted, "line": 1}

    found = await store.read(lambda connection: LOOKUP.one(connection, parameters))
    same = await store.read(lambda connection: connection.execute(_BY_ID, parameters).one())

    assert await store.find(LOOKUP, parameters) == found
    assert tuple(found) == tuple(same)
    assert found._fields == tuple(same._fields)
    assert type(found.closed) is type(same.closed)  # a boolean, although SQLite keeps numbers


async def test_none_and_several_rows_are_no_row(store: Store) -> None:
    every = Lookup(select(ACCOUNTS.c.id).where(ACCOUNTS.c.balance >= bindparam("least")))
    await store.commit(Change((), (account("b", balance=8),)))

    with pytest.raises(ValueError, match="too many"):
        await store.read(lambda connection: every.one(connection, {"least": 7}))
    with pytest.raises(ValueError, match="not enough"):
        await store.read(lambda connection: every.one(connection, {"least": 9}))
    with pytest.raises(ValueError, match="too many"):
        await store.find(every, {"least": 7})
    with pytest.raises(ValueError, match="not enough"):
        await store.find(every, {"least": 9})
    assert (await store.read(lambda connection: every.one(connection, {"least": 8}))).id == "b"


async def test_it_belongs_to_the_snapshot_of_what_is_read_after_it(store: Store) -> None:
    count = select(func.count()).select_from(ACCOUNTS)

    def body(connection: Connection) -> tuple[int, bool]:
        LOOKUP.one(connection, {"wanted": "a", "line": 1})
        return connection.execute(count).scalar_one(), connection.in_transaction()

    assert await store.read(body) == (1, True)


async def test_a_table_that_is_missing_is_a_defect_and_the_next_read_works(store: Store) -> None:
    missing = Lookup(select(literal_column("1").label("one")).select_from(table("nowhere")))

    with pytest.raises(StatementRefused):
        await store.read(lambda connection: missing.one(connection, {}))
    with pytest.raises(StatementRefused):
        await store.find(missing, {})

    assert (await store.read(lambda connection: LOOKUP.one(connection, {"wanted": "a", "line": 1}))).first == 5
    assert (await store.find(LOOKUP, {"wanted": "a", "line": 1})).first == 5


async def test_a_parameter_that_does_not_fit_its_column_is_a_defect(store: Store) -> None:
    with pytest.raises(StatementRefused):
        await store.find(LOOKUP, {"wanted": "a", "line": {}})

    assert (await store.find(LOOKUP, {"wanted": "a", "line": 1})).first == 5
