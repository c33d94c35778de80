"""Keys and indexes of tables: taken down before the tables are filled, and built again as they were."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from tests.scale.shelf import execute

_CONSTRAINTS = """
SELECT conrelid::regclass::text, conname::text, contype::text, pg_get_constraintdef(oid), convalidated
FROM pg_constraint WHERE conrelid::regclass::text IN ({tables}) ORDER BY 1, 2
"""

_INDEXES = """
SELECT x.indrelid::regclass::text, i.relname::text, pg_get_indexdef(i.oid), x.indisvalid, c.oid IS NULL
FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid
LEFT JOIN pg_constraint AS c ON c.conindid = i.oid AND c.conrelid = x.indrelid
WHERE x.indrelid::regclass::text IN ({tables}) ORDER BY 1, 2
"""

_FOREIGN, _KEYS = "f", "pu"


@dataclass(frozen=True, slots=True)
class _Constraint:
    table: str
    name: str
    kind: str
    definition: str
    valid: bool


@dataclass(frozen=True, slots=True)
class _Index:
    table: str
    name: str
    definition: str
    valid: bool
    alone: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What PostgreSQL says of the keys and indexes of tables; two that are equal say the same in every word.

    Attributes:
        constraints: All of them, also those that stay: NOT NULL and CHECK.
        indexes: All of them, also those that constraints have made.
    """

    constraints: tuple[_Constraint, ...]
    indexes: tuple[_Index, ...]

    @classmethod
    async def of(cls, url: str, tables: Sequence[str]) -> Self:
        """Look at some tables of a database."""
        names = ", ".join(f"'{name}'" for name in tables)
        found = await execute(url, _CONSTRAINTS.format(tables=names), _INDEXES.format(tables=names))
        constraints = tuple(
            _Constraint(str(table), str(name), str(kind), str(definition), bool(valid))
            for table, name, kind, definition, valid in found[0]
        )
        indexes = tuple(
            _Index(str(table), str(name), str(definition), bool(valid), bool(alone))
            for table, name, definition, valid, alone in found[1]
        )
        return cls(constraints, indexes)

    def taken_down(self) -> Iterator[str]:
        """Return the statements that leave nothing but the tables."""
        for kinds in (_FOREIGN, _KEYS):
            for each in self._of(kinds):
                yield f"ALTER TABLE {each.table} DROP CONSTRAINT {each.name}"
        for index in self._alone():
            yield f"DROP INDEX {index.name}"

    def built(self, table: str) -> Iterator[str]:
        """Return the statements that build the keys and indexes of a table."""
        for each in self._of(_KEYS):
            if each.table == table:
                yield _added(each)
        for index in self._alone():
            if index.table == table:
                yield index.definition

    def tied(self) -> Iterator[str]:
        """Return the statements that tie the tables together, when each has its keys; each looks at every row."""
        return map(_added, self._of(_FOREIGN))

    def _of(self, kinds: str) -> Iterator[_Constraint]:
        return (each for each in self.constraints if each.kind in kinds)

    def _alone(self) -> Iterator[_Index]:
        return (each for each in self.indexes if each.alone)


def _added(constraint: _Constraint) -> str:
    return f"ALTER TABLE {constraint.table} ADD CONSTRAINT {constraint.name} {constraint.definition}"
