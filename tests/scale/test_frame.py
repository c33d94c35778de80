"""Tables that are filled in bulk have the keys and indexes of before in the end."""

import pytest

from tests.scale.frame import Frame
from tests.scale.shelf import execute

pytestmark = pytest.mark.postgres

_TABLES = ("parents", "children")


async def test_what_is_taken_down_is_built_again_word_for_word(postgres_url: str) -> None:
    await execute(
        postgres_url,
        "CREATE TABLE parents (id text PRIMARY KEY, name text NOT NULL UNIQUE)",
        'CREATE TABLE children (id text, "position" int, parent text REFERENCES parents, PRIMARY KEY (id, "position"))',
        "CREATE INDEX children_last ON children (parent, id) WHERE position > 1",
    )
    frame = await Frame.of(postgres_url, _TABLES)

    await execute(postgres_url, *frame.taken_down())
    bare = await Frame.of(postgres_url, _TABLES)
    await execute(postgres_url, *(statement for table in _TABLES for statement in frame.built(table)))
    untied = await Frame.of(postgres_url, _TABLES)
    await execute(postgres_url, *frame.tied())

    assert bare.indexes == ()
    assert {each.kind for each in bare.constraints} == {"n"}
    assert untied.indexes == frame.indexes
    assert untied != frame
    assert await Frame.of(postgres_url, _TABLES) == frame
