"""`python -m tests.fakes.released_schema`: writes down the tables as they are, when a release is made.

`tests/contract/schemas/<service>.json` is what the code of the last release knows of its tables: its statements name
these columns and no others. While a new release is rolled out, old replicas go on sending them.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, inspect, make_url

import notify_svc.__main__ as notify
import order_svc.__main__ as order
import payment_svc.__main__ as payment
import tax_svc.__main__ as tax
from chassis.storage import migrations

SCRIPTS = {Path(each.MIGRATIONS).parent.name: each.MIGRATIONS for each in (order, payment, tax, notify)}
FOLDER = Path(__file__).parents[1] / "contract" / "schemas"

Schema = dict[str, Any]
"""Table → {"columns": {name: {"type", "nullable", "default"}}, "unique": [[column, …], …]}."""


def schema_of(connection: Connection) -> Schema:
    """Return the tables of a database, but for alembic's own."""
    found = inspect(connection)
    return {name: _table(found, name) for name in sorted(found.get_table_names()) if not name.endswith("_version")}


def _table(found: Any, name: str) -> Schema:  # noqa: ANN401  (SQLAlchemy's inspector has no type of one shape)
    columns = {
        each["name"]: {"type": str(each["type"]), "nullable": each["nullable"], "default": each["default"] is not None}
        for each in found.get_columns(name)
    }
    unique = [found.get_pk_constraint(name)["constrained_columns"]]
    unique += [each["column_names"] for each in found.get_unique_constraints(name)]
    unique += [each["column_names"] for each in found.get_indexes(name) if each["unique"]]
    return {"columns": columns, "unique": sorted({tuple(each) for each in unique})}


def migrated(scripts: str, folder: Path) -> Schema:
    """Return the tables that migrations make, in a SQLite file in the folder."""
    url = f"sqlite:///{folder / 'schema.db'}"
    migrations.run(url, scripts)
    engine = create_engine(make_url(url))
    with engine.connect() as connection:
        schema = schema_of(connection)
    engine.dispose()
    # As it comes out of a file, so that it compares.
    return dict(json.loads(json.dumps(schema)))


def released(service: str) -> Schema:
    """Return the tables as the last release knows them."""
    return dict(json.loads((FOLDER / f"{service}.json").read_text()))


def not_additive(before: Schema, after: Schema) -> list[str]:
    """Return what code that knows the tables as they were before could not do with those that came after."""
    wrong = []
    for name, table in before.items():
        now = after.get(name)
        if now is None:
            wrong.append(f"{name} is gone")
            continue
        known = table["columns"]
        for column, was in known.items():
            wrong += [f"{name}.{column} {what}" for what in _changed(was, now["columns"].get(column))]
        wrong += [
            f"{name}.{column} is new, and must be given"
            for column, each in now["columns"].items()
            if column not in known and not each["nullable"] and not each["default"]
        ]
        wrong += [
            f"{name} must be unique over {', '.join(columns)}"
            for columns in now["unique"]
            if columns not in table["unique"]
        ]
        # Guards rely on these.
        wrong += [
            f"{name} need not be unique over {', '.join(columns)} any more"
            for columns in table["unique"]
            if columns not in now["unique"]
        ]
    return wrong


def _changed(was: Schema, now: Schema | None) -> list[str]:
    if now is None:
        return ["is gone"]
    wrong = []
    if was["nullable"] and not now["nullable"]:
        wrong.append("may not be empty any more")
    if was["default"] and not now["default"]:
        wrong.append("must be given now")
    if _room(now["type"]) < _room(was["type"]):
        wrong.append(f"was {was['type']}, is {now['type']}")
    return wrong


def _room(kind: str) -> tuple[str, int]:
    """Return a type's name and length, so that a longer one of the name is more."""
    name, _, length = kind.partition("(")
    return name, int(length.rstrip(")") or 0) if length else 0


def main() -> None:
    """Write down all of them."""
    for service, scripts in SCRIPTS.items():
        with tempfile.TemporaryDirectory() as folder:
            schema = migrated(scripts, Path(folder))
        (FOLDER / f"{service}.json").write_text(json.dumps(schema, indent=1) + "\n")
        sys.stdout.write(f"{service}: {len(schema)} tables\n")


if __name__ == "__main__":
    main()
