"""What a store promises to callers that share a transaction, on both databases."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import Connection

from chassis.storage.changes import Absent, Change, Conflict, Delete, Expect, Insert, StatementRefused, Update
from chassis.storage.store import Store, open_store
from tests.fakes.storage_tables import ACCOUNTS, METADATA, account, balances, entry, moved, opened

# Everything that is submitted in one turn of the loop to an idle store shares its next transaction.


@pytest.fixture
async def batches() -> list[int]:
    """Return the sizes of the transactions so far."""
    return []


@pytest.fixture
async def store(database_url: str, batches: list[int]) -> AsyncIterator[Store]:
    result = await open_store(database_url, metadata=METADATA, observer=lambda size, _: batches.append(size))
    await result.transact(METADATA.create_all)
    await result.commit(opened("a"))
    await asyncio.sleep(0)  # the observer is told in the loop's next turn
    batches.clear()
    yield result
    await result.close()


async def outcomes(store: Store, *changes: Change) -> list[type[BaseException] | None]:
    """Commit the changes together; returns what each raised."""
    results = await asyncio.gather(*(store.commit(change) for change in changes), return_exceptions=True)
    return [type(result) if isinstance(result, BaseException) else None for result in results]


async def test_changes_that_wait_together_share_a_transaction(store: Store, batches: list[int]) -> None:
    before = store.stats

    assert await outcomes(store, *(opened(str(number)) for number in range(50))) == [None] * 50

    await asyncio.sleep(0)
    assert batches == [50]
    assert store.stats.commits == before.commits + 1
    assert store.stats.changes == before.changes + 50
    assert store.stats.largest_batch == 50


async def test_a_transaction_does_not_grow_beyond_its_limit(store: Store, batches: list[int]) -> None:
    assert await outcomes(store, *(opened(str(number)) for number in range(600))) == [None] * 600

    await asyncio.sleep(0)
    assert batches == [256, 256, 88]


async def test_of_two_changes_to_one_version_in_a_batch_exactly_one_is_written(
    store: Store, batches: list[int]
) -> None:
    assert await outcomes(store, moved("a", 1, 5), moved("a", 1, 9)) == [None, Conflict]

    assert len(batches) == 1
    assert await balances(store) == {"a": 5}


async def test_of_two_changes_to_one_version_in_two_batches_exactly_one_is_written(
    store: Store, batches: list[int]
) -> None:
    first = asyncio.ensure_future(outcomes(store, moved("a", 1, 5)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the first is on its way: what comes now goes into the next batch
    second = await outcomes(store, moved("a", 1, 9), opened("b"))

    assert (await first, second) == ([None], [Conflict, None])
    await asyncio.sleep(0)
    assert batches == [1, 2]
    assert await balances(store) == {"a": 5, "b": 0}


async def test_a_batch_can_move_one_row_through_several_versions(store: Store, batches: list[int]) -> None:
    assert await outcomes(store, *(moved("a", version, version * 10) for version in range(1, 6))) == [None] * 5

    assert len(batches) == 1
    assert await balances(store) == {"a": 50}


async def test_of_two_uses_of_a_key_in_a_batch_exactly_one_is_written(store: Store) -> None:
    assert await outcomes(store, opened("b", balance=1), opened("b", balance=2)) == [None, Conflict]

    assert await balances(store) == {"a": 0, "b": 1}


async def test_an_update_can_take_a_key_that_a_later_change_of_the_batch_wants(store: Store) -> None:
    named = Change((), (Update(ACCOUNTS, {"id": "a"}, {"email": "e"}),))
    wants = Change((Absent(ACCOUNTS, {"email": "e"}),), (account("b", email="e"),))

    assert await outcomes(store, named, wants) == [None, Conflict]


async def test_a_row_that_the_batch_deletes_can_be_made_again_in_it(store: Store) -> None:
    deleted = Change((Expect(ACCOUNTS, "a", 1),), (Delete(ACCOUNTS, {"id": "a"}),))

    assert await outcomes(store, deleted, moved("a", 1, 5), opened("a", balance=8)) == [None, Conflict, None]
    assert await balances(store) == {"a": 8}


async def test_updates_of_one_row_by_several_changes_happen_in_the_order_they_came(store: Store) -> None:
    def to(**values: object) -> Change:
        return Change((), (Update(ACCOUNTS, {"id": "a"}, values),))

    assert await outcomes(store, to(balance=1, closed=True), to(balance=2), to(closed=False, balance=3)) == [None] * 3
    assert await balances(store) == {"a": 3}


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (Change((), (account("z"), account("a"))), Conflict),
        (Change((), (account("z"), entry("nobody", 1))), StatementRefused),
        (Change((), (account("z"), Update(ACCOUNTS, {"id": "a"}, {"balance": None}))), StatementRefused),
        (Change((), (account("z"), Update(ACCOUNTS, {"id": "a"}, {"missing": 1}))), Exception),
    ],
    ids=["used key", "no parent", "null", "no such column"],
)
async def test_a_bad_change_does_not_hurt_the_others_of_its_batch(
    store: Store, bad: Change, error: type[Exception]
) -> None:
    good = [opened(str(number)) for number in range(5)]

    results = await outcomes(store, *good[:3], bad, *good[3:])

    assert issubclass(results.pop(3) or object, error)
    assert results == [None] * 5
    assert await balances(store) == {"a": 0, "0": 0, "1": 0, "2": 0, "3": 0, "4": 0}


async def test_a_cancelled_caller_leaves_its_change_to_be_written_and_its_neighbours_alone(store: Store) -> None:
    async with asyncio.timeout(30):
        tasks = [asyncio.ensure_future(store.commit(opened(key))) for key in "bcd"]
        await asyncio.sleep(0)  # all are queued

        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    assert [task.cancelled() for task in tasks] == [False, True, False]
    assert await balances(store) == {"a": 0, "b": 0, "c": 0, "d": 0}


async def test_a_caller_cancelled_during_the_transaction_leaves_its_change_written(store: Store) -> None:
    task = asyncio.ensure_future(store.commit(opened("b")))
    for _ in range(3):  # turns of the loop: queued, taken, given to the database
        await asyncio.sleep(0)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    await store.commit(opened("c"))  # behind the other
    assert await balances(store) == {"a": 0, "b": 0, "c": 0}


async def test_a_body_runs_alone_and_in_its_turn(store: Store, batches: list[int]) -> None:
    def count(connection: Connection) -> int:
        return len(connection.execute(ACCOUNTS.select()).all())

    results = await asyncio.gather(
        store.commit(opened("b")),
        store.commit(opened("c")),
        store.transact(count),
        store.commit(opened("d")),
        store.transact(count),
    )

    assert list(results) == [None, None, 3, None, 4]
    await asyncio.sleep(0)
    assert batches == [2, 1, 1, 1]


async def test_an_observer_that_raises_does_not_make_a_commit_fail(database_url: str) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda *_: told.set())
    store = await open_store(database_url, metadata=METADATA, observer=lambda size, _: size // 0)
    await store.transact(METADATA.create_all)

    await store.commit(opened("a"))

    await asyncio.wait_for(told.wait(), 30)
    assert await balances(store) == {"a": 0}
    await store.close()


class Model:
    """What the store should do, one change after the other."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[object, object]] = {"a": (1, 0)}

    def commit(self, change: Change) -> type[BaseException] | None:
        for guard in change.guards:
            match guard:
                case Expect(_, key, version) if self.rows.get(key, (0, 0))[0] != version:
                    return Conflict
                case Absent(_, values) if values["id"] in self.rows:
                    return Conflict
        rows = dict(self.rows)
        for write in change.writes:
            key = str(write.row["id"] if isinstance(write, Insert) else write.key["id"])
            if isinstance(write, Delete):
                rows.pop(key, None)
            elif isinstance(write, Insert):
                if key in rows:
                    return Conflict
                rows[key] = (1, write.row["balance"])
            elif key in rows:
                rows[key] = (write.values.get("version", rows[key][0]), write.values["balance"])
        self.rows = rows
        return None


def any_change(chance: random.Random) -> Change:
    key, version, amount = chance.choice("abc"), chance.randint(1, 3), chance.randint(0, 99)
    kinds: list[Callable[[], Change]] = [
        lambda: moved(key, version, amount),
        lambda: opened(key, balance=amount),
        lambda: Change((), (account(key, balance=amount),)),
        lambda: Change((), (Update(ACCOUNTS, {"id": key}, {"balance": amount}),)),
        lambda: Change((Expect(ACCOUNTS, key, version),), (Delete(ACCOUNTS, {"id": key}),)),
        lambda: Change((Expect(ACCOUNTS, key, version),), (*opened(key + "'").writes, *moved(key, version, 1).writes)),
        lambda: Change((), (Delete(ACCOUNTS, {"id": key}), account(key, balance=amount))),
    ]
    return chance.choice(kinds)()


async def test_batches_end_as_if_their_changes_had_come_one_after_the_other(store: Store) -> None:
    chance, model = random.Random(20261123), Model()

    for _ in range(60):
        changes = [any_change(chance) for _ in range(chance.randint(1, 12))]
        expected = [model.commit(change) for change in changes]
        assert await outcomes(store, *changes) == expected
        assert await balances(store) == {key: balance for key, (_, balance) in model.rows.items()}
