"""The database's own clock: the one clock that all replicas share, for leases."""

from sqlalchemy import BigInteger, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class _Now(FunctionElement[int]):
    type = BigInteger()
    inherit_cache = True


def database_now() -> ColumnElement[int]:
    """Return an expression for the current time in milliseconds since 1970, taken once per statement."""
    return _Now()


@compiles(_Now, "sqlite")
def _sqlite(*_: object, **__: object) -> str:
    # 2440587.5 is 1970-01-01 as a Julian day; a double holds today's to 0.04 ms.
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"


@compiles(_Now, "postgresql")
def _postgresql(*_: object, **__: object) -> str:
    # statement_timestamp() and not clock_timestamp(): it is STABLE, so a comparison with it can use an index.
    return "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)"
