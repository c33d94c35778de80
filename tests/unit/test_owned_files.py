"""Certificates and keys are replaced whole, and root leaves them with whoever their folder belongs to."""

import os
from pathlib import Path

import pytest

from chassis import owned_files

# Nobody's, by Debian's numbers; any other than root's does.
_USER, _GROUP = 65534, 65533

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def owner(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid


@as_root
def test_what_root_writes_into_somebodys_folder_is_theirs(tmp_path: Path) -> None:
    os.chown(tmp_path, _USER, _GROUP)
    owned_files.make_folder(tmp_path / "order")
    owned_files.replace(tmp_path / "order" / "tls.key", b"new", 0o600)

    assert owner(tmp_path / "order") == owner(tmp_path / "order" / "tls.key") == (_USER, _GROUP)


@as_root
def test_a_folder_that_is_there_keeps_its_owner(tmp_path: Path) -> None:
    (tmp_path / "order").mkdir()
    os.chown(tmp_path, _USER, _GROUP)
    owned_files.make_folder(tmp_path / "order")

    assert owner(tmp_path / "order") == (0, 0)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_is_another_one_afterwards_with_its_mode_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "trusted-keys.pem"
    file.write_bytes(b"old")
    with file.open("rb") as reading:
        before = os.umask(0o077)
        owned_files.replace(file, b"new", mode)
        os.umask(before)
        assert reading.read() == b"old", "whoever reads has the old one, whole"

    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"new", mode)
    assert list(tmp_path.iterdir()) == [file]


def test_no_link_is_followed_that_somebody_has_put_there(tmp_path: Path) -> None:
    elsewhere = tmp_path / "shadow"
    elsewhere.write_bytes(b"untouched")
    (tmp_path / f".tls.key.{os.getpid()}").symlink_to(elsewhere)
    owned_files.replace(tmp_path / "tls.key", b"new", 0o600)

    assert elsewhere.read_bytes() == b"untouched"
    assert (tmp_path / "tls.key").read_bytes() == b"new"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Return somebody's folder, in which "order" is their link to a folder of root's."""
    (tmp_path / "roots").mkdir(mode=0o755)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "order").symlink_to(tmp_path / "roots")
    os.chown(tmp_path / "theirs", _USER, _GROUP)
    return tmp_path / "theirs"


@as_root
def test_root_follows_no_link_to_a_folder_where_somebody_else_may_write(theirs: Path) -> None:
    folder, elsewhere = theirs / "order", theirs.parent / "roots"
    elsewhere.chmod(0o755)
    (elsewhere / "kept").write_bytes(b"roots")
    for does in (
        lambda: owned_files.make_folder(folder),
        lambda: owned_files.make_folder(folder / "deeper" / "still"),
        lambda: owned_files.close_folder(folder),
        lambda: owned_files.replace(folder / "tls.key", b"new", 0o600),
        lambda: owned_files.read(folder / "kept"),
    ):
        with pytest.raises(OSError, match=r"root follows no link .*/theirs/order'"):
            does()

    assert [file.name for file in elsewhere.iterdir()] == ["kept"]
    assert (owner(elsewhere), elsewhere.stat().st_mode & 0o777) == ((0, 0), 0o755)


@as_root
def test_a_link_that_takes_the_place_of_a_new_folder_is_not_given_away(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, make = theirs.parent / "roots", os.mkdir

    def made_and_swapped(name: str | Path, mode: int, *, dir_fd: int | None = None) -> None:
        make(name, mode, dir_fd=dir_fd)
        (theirs / "tax").rmdir()
        (theirs / "tax").symlink_to(elsewhere)

    monkeypatch.setattr(os, "mkdir", made_and_swapped)
    with pytest.raises(OSError, match="root follows no link"):
        owned_files.make_folder(theirs / "tax")

    assert owner(elsewhere) == (0, 0)


@as_root
def test_root_follows_links_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    os.chown(tmp_path / "disk", _USER, _GROUP)
    (tmp_path / "tls").symlink_to(tmp_path / "disk")
    owned_files.make_folder(tmp_path / "tls" / "order" / "next")
    owned_files.replace(tmp_path / "tls" / "order" / "tls.key", b"new", 0o600)

    assert owned_files.read(tmp_path / "disk" / "order" / "tls.key") == b"new"
    assert owner(tmp_path / "disk" / "order" / "next") == owner(tmp_path / "disk" / "order") == (_USER, _GROUP)


def test_nothing_is_read_where_there_is_no_file_and_errors_name_the_whole_path(tmp_path: Path) -> None:
    assert owned_files.read(tmp_path / "trusted-keys.pem") == b""
    with pytest.raises(FileNotFoundError, match=str(tmp_path / "gone")):
        owned_files.replace(tmp_path / "gone" / "tls.key", b"new", 0o600)
    (tmp_path / "tls.key").mkdir()
    with pytest.raises(IsADirectoryError, match=f"{tmp_path}/tls.key"):
        owned_files.replace(tmp_path / "tls.key", b"new", 0o600)
