"""`ordermesh backup`: whole copies of what is written, callers before who is called, and nothing overwritten."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.__main__ import cli
from tests.fakes.progress_heard import Heard

SERVICES = ("order", "tax", "payment", "notify")


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder in which each service's file has a row that is committed, and is being written to."""
    folder = tmp_path / "data"
    folder.mkdir()
    writers = []
    for name in SERVICES:
        writer = sqlite3.connect(folder / f"{name}.db", isolation_level=None)
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE kept (value)")
        writer.execute("INSERT INTO kept VALUES ('committed')")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO kept VALUES ('under way')")
        writers.append(writer)
    yield folder
    for writer in writers:
        writer.close()


def backup(data: Path, copies: Path, **settings: str) -> Result:
    return CliRunner().invoke(cli, ["backup", str(copies)], env={"ORDERMESH_DATA_DIR": str(data), **settings})


def kept(copy: Path) -> list[str]:
    with closing(sqlite3.connect(copy)) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM kept")]


def test_each_file_is_copied_as_it_was_committed_and_who_calls_comes_first(data: Path, tmp_path: Path) -> None:
    done = backup(data, tmp_path / "copies")

    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in done.output.splitlines()] == [*SERVICES, "gateway"]
    assert [kept(tmp_path / "copies" / f"{name}.db") for name in SERVICES] == [["committed"]] * len(SERVICES)


def test_copies_are_for_their_owner_alone_and_need_no_other_file(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "copies")

    copies = sorted((tmp_path / "copies").iterdir())
    assert [copy.name for copy in copies] == sorted(f"{name}.db" for name in SERVICES)
    assert {copy.stat().st_mode & 0o777 for copy in copies} == {0o600}


def test_a_backup_is_never_written_over(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "copies")
    before = (tmp_path / "copies" / "order.db").read_bytes()

    again = backup(data, tmp_path / "copies")

    assert again.exit_code == 1
    assert "is there already" in again.output
    assert (tmp_path / "copies" / "order.db").read_bytes() == before


def test_what_is_damaged_is_told_and_has_no_copy(data: Path, tmp_path: Path) -> None:
    (data / "tax.db").write_bytes(b"not a database" * 400)
    for beside in data.glob("tax.db-*"):
        beside.unlink()

    done = backup(data, tmp_path / "copies")

    assert done.exit_code == 1
    assert "tax was not copied" in done.output
    assert not (tmp_path / "copies" / "tax.db").exists()


def test_postgresql_has_means_of_its_own(data: Path, tmp_path: Path) -> None:
    done = backup(data, tmp_path / "copies", ORDER_DATABASE_URL="postgresql://shop:secret@db/orders")

    assert done.exit_code == 1
    assert "pg_dump" in done.output
    assert "secret" not in done.output


def test_a_copy_is_of_one_moment_though_it_is_made_in_steps(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two steps somebody writes: SQLite would begin again then, or take in what is new."""
    monkeypatch.setattr("cli.backup._PAGES", 1)
    with closing(sqlite3.connect(data / "gateway.db", isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE kept (value)")
        writer.executemany("INSERT INTO kept VALUES (?)", [("before" * 500,) for _ in range(20)])

        def write_meanwhile(what: str) -> None:
            if what == "copying gateway" and len(heard.told) < 300:
                writer.execute("UPDATE kept SET value = 'after'")

        heard = Heard(write_meanwhile)
        monkeypatch.setattr("cli.backup.progress", heard.progress)
        done = backup(data, tmp_path / "copies")

    assert done.exit_code == 0, done.output
    assert set(kept(tmp_path / "copies" / "gateway.db")) == {"before" * 500}
    steps = [(done, of) for what, done, of in heard.told if what == "copying gateway"]
    assert len(steps) > 10
    assert steps == sorted(steps), "it never begins again"
    assert steps[-1][0] == steps[-1][1]
    assert heard.told[-1] == ("checking gateway", 0, None)


def test_whoever_gives_up_leaves_nothing_half_made(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(what: str) -> None:
        if what == "checking tax":
            raise KeyboardInterrupt

    monkeypatch.setattr("cli.backup.progress", Heard(give_up).progress)
    done = backup(data, tmp_path / "copies")

    assert done.exit_code == 1
    assert [copy.name for copy in (tmp_path / "copies").iterdir()] == ["order.db"]


def test_a_backup_of_nothing_is_none(tmp_path: Path) -> None:
    """As of a shell beside a mesh whose data lies elsewhere: a nightly job would take it for one."""
    done = backup(tmp_path / "empty", tmp_path / "copies")

    assert done.exit_code == 1
    assert "Nothing was copied" in done.output
    assert str(tmp_path / "empty" / "order.db") in done.output
    assert not (tmp_path / "copies").exists()
