"""How PostgreSQL would go about each statement that the product has asked of it, and what is wrong with that."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url

from tests.scale.copies import BIG

# What costs more reads more than some hundreds of rows here and there: PostgreSQL's unit is one page in order.
MOST_COST = 10_000.0

_LOGGED = re.compile(r"^[^\n]*? LOG:  (?:statement|execute [^:]*): (.*)", re.DOTALL)
_PARAMETERS = re.compile(r"^[^\n]*? DETAIL:  Parameters: (.*)", re.DOTALL)
_VALUE = re.compile(r"\$\d+ = ('(?:[^']|'')*'|NULL)")
_ABOUT_ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement that the product has sent.

    Attributes:
        sql: Its text.
        values: Of its parameters, as literals.
    """

    sql: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """A statement whose plan grows with the tables.

    Attributes:
        sql: Its text.
        what: What is wrong.
    """

    sql: str
    what: str


def asked(log: Path, since: int) -> list[Asked]:
    """Return the statements about big tables that a server's log tells of from some byte on, each once."""
    records = re.split(r"\n(?!\t)", log.read_bytes()[since:].decode())
    found: dict[str, Asked] = {}
    for record, after in zip(records, [*records[1:], ""], strict=True):
        logged, parameters = _LOGGED.match(record), _PARAMETERS.match(after)
        if logged and logged[1].lstrip().startswith(_ABOUT_ROWS) and any(name in logged[1] for name in BIG):
            sql = logged[1].replace("\n\t", "\n")
            found.setdefault(sql, Asked(sql, tuple(_VALUE.findall(parameters[1])) if parameters else ()))
    return list(found.values())


async def faults(url: str, seen: list[Asked]) -> list[Fault]:
    """Return what is wrong with the plans of the statements.

    PostgreSQL plans a prepared statement for its values, and after some times for any values, if that costs no more:
    both plans are looked at, as far as they would be used.
    """
    place = make_url(url)
    host = place.query.get("host", place.host)
    connection = await asyncpg.connect(host=host, user="postgres", database=place.database)
    try:
        found = []
        for number, each in enumerate(seen):
            await connection.execute(f"PREPARE s{number} AS {each.sql}")
            plans = []
            for mode in ("force_custom_plan", "force_generic_plan"):
                await connection.execute(f"SET plan_cache_mode = {mode}")
                values = f"({', '.join(each.values)})" if each.values else ""
                rows = await connection.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE s{number}{values}")
                plans.append(json.loads(rows[0][0])[0]["Plan"])
            of_values, of_any = plans
            used = plans if of_any["Total Cost"] <= of_values["Total Cost"] else [of_values]
            found += [Fault(each.sql, what) for what in sorted({what for plan in used for what in _wrong(plan)})]
        return found
    finally:
        await connection.close()


def _wrong(plan: dict[str, Any]) -> Iterator[str]:
    if plan["Total Cost"] > MOST_COST:
        yield f"costs {plan['Total Cost']:.0f}"
    for node in _nodes(plan):
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in BIG:
            yield f"reads all of {node['Relation Name']}"


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
