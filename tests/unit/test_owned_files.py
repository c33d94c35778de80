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
