"""Old and new code on the tables of the new: each migration only adds, and what the last release writes still works."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, Table, insert, select, update

from chassis.storage import migrations
from chassis.storage.store import open_store
from tests.fakes.released_schema import SCRIPTS, Schema, migrated, not_additive, released

_STEPS = [
    (service, script.name)
    for service, scripts in SCRIPTS.items()
    for script in sorted((Path(scripts) / "versions").glob("0*.py"))[1:]
]
# The database itself refuses to rewrite them.
_NEVER_UPDATED = {"order_events"}


@pytest.mark.parametrize(("service", "script"), _STEPS)
def test_a_migration_takes_nothing_away_from_the_code_before_it(service: str, script: str, tmp_path: Path) -> None:
    before = _up_to(service, tmp_path / "before", lambda name: name < script)
    after = _up_to(service, tmp_path / "after", lambda name: name <= script)

    assert not_additive(before, after) == []


def _up_to(service: str, folder: Path, wanted: Callable[[str], bool]) -> Schema:
    versions = folder / service / "migrations" / "versions"
    versions.mkdir(parents=True)
    for script in (Path(SCRIPTS[service]) / "versions").glob("0*.py"):
        if wanted(script.name):
            shutil.copy(script, versions)
    return migrated(str(versions.parent), folder)


@pytest.mark.parametrize("service", SCRIPTS)
def test_the_tables_still_have_all_that_the_last_release_knows_of(service: str, tmp_path: Path) -> None:
    assert not_additive(released(service), migrated(SCRIPTS[service], tmp_path)) == []


@pytest.mark.parametrize("service", SCRIPTS)
async def test_the_statements_of_the_last_release_work_on_the_tables_of_today(service: str, database_url: str) -> None:
    await asyncio.to_thread(migrations.run, database_url, SCRIPTS[service])
    store = await open_store(database_url, metadata=MetaData())
    known = released(service)

    assert await store.transact(lambda connection: _work_as_before(connection, known)) == len(known)

    await store.close()


def _work_as_before(connection: Connection, known: Schema) -> int:
    """Write a row of each table, change it and read it, naming no column that is not known."""
    there = MetaData()
    there.reflect(connection, only=list(known))
    done = 0
    for table in there.sorted_tables:
        columns = [column.name for column in table.columns if column.name in known[table.name]["columns"]]
        row = {name: _value(table, name) for name in columns}
        connection.execute(insert(table).values(row))
        if table.name not in _NEVER_UPDATED:
            connection.execute(
                update(table).values({name: row[name] for name in columns if not table.c[name].primary_key})
            )
        found = connection.execute(select(*(table.c[name] for name in columns))).one()
        assert dict(found._mapping) == row
        done += 1
    return done


def _value(table: Table, name: str) -> Any:  # noqa: ANN401  (of the column's type)
    """Return a value that fits the column: the same text everywhere, so that children have their parents."""
    kind = table.c[name].type.python_type
    return "x" if kind is str else kind(1)


def test_a_step_that_takes_something_away_is_found() -> None:
    column = {"type": "VARCHAR(10)", "nullable": True, "default": False}
    before = {"teas": {"columns": {"id": column, "name": column, "old": column}, "unique": [["id"]]}, "cups": {}}
    shorter, needed = {**column, "type": "VARCHAR(5)"}, {**column, "nullable": False}
    after = {"teas": {"columns": {"id": needed, "name": shorter, "new": needed}, "unique": [["id"], ["name"]]}}

    assert not_additive(before, after) == [
        "teas.id may not be empty any more",
        "teas.name was VARCHAR(10), is VARCHAR(5)",
        "teas.old is gone",
        "teas.new is new, and must be given",
        "teas must be unique over name",
        "cups is gone",
    ]
