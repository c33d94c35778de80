"""Files that hold certificates and keys: replaced whole, and for whoever their folder belongs to.

Root renews them on a machine whose services run as somebody else. What it writes would be root's, for nobody else to
read, and a service that cannot read the new file goes on with the old one until that is void. Whoever a folder belongs
to may put links there, also at any moment in between: root goes to a folder step by step, follows no link where
anybody else may write, and does the rest by the descriptor of the folder that it has come to.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PRIVATE, _ORDINARY = 0o700, 0o777


def make_folder(folder: Path) -> None:
    """Make a folder that nobody but its owner looks into; root makes it for whoever the one around it belongs to.

    Raises:
        OSError: It cannot be made, or root would follow somebody's link to it.
    """
    if os.geteuid() == 0:
        os.close(_walk(folder, make=True))
    else:
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)


def close_folder(folder: Path) -> None:
    """Have nobody but its owner look into a folder that is there.

    Raises:
        OSError: As for `make_folder`.
    """
    with _opened(folder) as descriptor:
        os.fchmod(descriptor, _PRIVATE)


def read(file: Path) -> bytes:
    """Return what a file holds that is to be written anew, nothing where there is none.

    Raises:
        OSError: It cannot be read, or root would follow somebody's link to what only root may read.
    """
    with _opened(file.parent) as folder, _naming(file, folder):
        try:
            descriptor = os.open(file.name, os.O_RDONLY | os.O_CLOEXEC | _links(folder), dir_fd=folder)
        except FileNotFoundError:
            return b""
        with os.fdopen(descriptor, "rb") as reading:
            return reading.read()


def replace(file: Path, content: bytes, mode: int) -> None:
    """Write a file so that a reader sees the old one or the new one, whole; root writes it for its folder's owner.

    Raises:
        OSError: It is as it was.
    """
    fresh = f".{file.name}.{os.getpid()}"
    with _opened(file.parent) as folder, _naming(file, folder):
        with suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=folder)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder)
        with os.fdopen(descriptor, "wb") as writing:
            os.fchmod(descriptor, mode)
            _give(descriptor, folder)
            writing.write(content)
        os.replace(fresh, file.name, src_dir_fd=folder, dst_dir_fd=folder)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = _walk(folder, make=False) if os.geteuid() == 0 else os.open(folder, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _walk(folder: Path, *, make: bool) -> int:
    """Return a descriptor of the folder, to which root has come step by step; make what there is not yet."""
    here = os.open(folder.anchor or os.curdir, _FOLDER)
    for path in (*reversed(folder.parents), folder)[1:]:
        mode = _PRIVATE if path == folder else _ORDINARY
        try:
            with _naming(path, here):
                within = _step(path.name, here, mode if make else None)
        finally:
            os.close(here)
        here = within
    return here


def _step(name: str, here: int, mode: int | None) -> int:
    try:
        return os.open(name, _FOLDER | _links(here), dir_fd=here)
    except FileNotFoundError:
        if mode is None:
            raise
    with suppress(FileExistsError):  # Another process has made it meanwhile.
        os.mkdir(name, mode, dir_fd=here)
    made = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
    _give(made, here)
    return made


def _links(folder: int) -> int:
    """Return what to open with in a folder: root follows links only where nobody else may have put them."""
    found = os.fstat(folder)
    trusted = found.st_uid == 0 and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return 0 if os.geteuid() != 0 or trusted else os.O_NOFOLLOW


@contextmanager
def _naming(path: Path, folder: int) -> Iterator[None]:
    """Have errors name the whole path, and say so where it is a link that was not followed."""
    try:
        yield
    except OSError as error:
        # A link that is not followed is ENOTDIR where a folder was asked for, else ELOOP.
        if error.errno in {errno.ELOOP, errno.ENOTDIR} and _is_link(path.name, folder):
            words = "root follows no link in a folder where others may write; put what it leads to in its place"
            raise OSError(errno.ELOOP, words, str(path)) from None
        raise OSError(error.errno, error.strerror, str(path)) from None


def _is_link(name: str, folder: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def _give(made: int, around: int) -> None:
    """Give what was just made to the owner of the folder around it; only root can, and nobody else has to."""
    if os.geteuid() == 0:
        owner = os.fstat(around)
        os.fchown(made, owner.st_uid, owner.st_gid)
