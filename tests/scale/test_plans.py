"""No statement of the product reads more because ten million orders are stored."""

from pathlib import Path

import pytest

from tests.fakes.postgres_server import PostgresServer
from tests.scale import fill, life, plans
from tests.scale.shelf import prepared, shelf

pytestmark = pytest.mark.postgres

_ROWS = 1_000
_ORDERS = 10_000_000

# What the sweeper would be without the index that it goes by; it has no such statement any more.
_MISTAKE = plans.Asked("SELECT order_id FROM orders WHERE lease_owner LIKE 'replica#%'", ())

# What the count of orders by state was, before it stopped at some.
_COUNT = plans.Asked("SELECT orders.state, count(*) FROM orders GROUP BY orders.state", ())


async def test_no_plan_grows_with_ten_million_orders(postgres_server: PostgresServer, postgres_url: str) -> None:
    await prepared(postgres_url)
    async with shelf(postgres_url) as opened:
        await life.pattern(opened)
    await fill.fill(postgres_url, _ROWS, _ORDERS)
    await fill.pretend(postgres_url, _ORDERS)
    postgres_server.log_statements(postgres_url)
    since = postgres_server.log.stat().st_size

    async with shelf(postgres_url) as opened:
        await life.look_around(opened, await life.live(opened))
    seen = plans.asked(postgres_server.log, since)

    assert len(seen) > 100
    assert await plans.faults(postgres_url, seen) == []
    for mistake in (_MISTAKE, _COUNT):
        assert {each.sql for each in await plans.faults(postgres_url, [mistake])} == {mistake.sql}


def test_the_log_of_the_server_says_what_was_asked_with_its_values(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "2026-01-01 12:00:00.000 UTC [7] LOG:  execute __asyncpg_stmt_1__: SELECT *\n"
        "\tFROM orders WHERE order_id = $1\n"
        "2026-01-01 12:00:00.000 UTC [7] DETAIL:  Parameters: $1 = 'it''s', $2 = NULL\n"
        "2026-01-01 12:00:00.000 UTC [7] LOG:  statement: COMMIT;\n"
    )

    assert plans.asked(log, 0) == [plans.Asked("SELECT *\nFROM orders WHERE order_id = $1", ("'it''s'", "NULL"))]
