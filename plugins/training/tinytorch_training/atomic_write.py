"""Replacing a file atomically, also with several writers, and if a writer is killed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import IO

_SUFFIX = ".tinytorch-tmp"
# Windows can neither rename an open file nor lock a whole one.
_LOCKS = os.name == "posix"
# How many seconds to wait there until no other program has the file open.
_PATIENCE = 10.0


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a temporary file that replaces `path` when the block ends without an error.

    At any moment, and after an interruption, `path` has the old or the new content. When the block
    has ended, the new content is on the disk, so that a power failure does not lose it. A symbolic
    link stays, and the file that it points to is replaced. An existing file keeps its permissions.

    Raises:
        OSError: the file cannot be written, or `path` is not a regular file. It is unchanged.
    """
    target = Path(os.path.realpath(path))
    mode = _permissions(target)
    _remove_abandoned(target)
    temporary, file = _create(target, mode)
    try:
        with file:
            yield file
            file.flush()
            # Without this, a power failure soon after the renaming could leave an empty file.
            os.fsync(file.fileno())
            if _LOCKS:  # replace it while it is locked, or another writer could remove it
                os.replace(temporary, target)
        if not _LOCKS:
            _replace_unopened(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _replace_unopened(temporary: Path, target: Path) -> None:
    """Rename a file, as soon as no other program has `target` open."""
    deadline = monotonic() + _PATIENCE
    while True:
        try:
            return os.replace(temporary, target)
        except PermissionError:
            if monotonic() > deadline:
                raise
            sleep(0.01)


def _permissions(target: Path) -> int | None:
    """Return the permissions of a file, or None if it does not exist."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise OSError(
            f"cannot write to {target}, which is not a regular file: writing replaces the file; "
            "choose a different path"
        )
    return stat.S_IMODE(mode)


def _create(target: Path, mode: int | None) -> tuple[Path, IO[bytes]]:
    """Create and lock a temporary file next to `target`, with the given permissions."""

    def opener(name: str, flags: int) -> int:
        # A file that others may not read must not be readable for a moment either.
        return os.open(name, flags, 0o666 if mode is None else mode)

    while True:
        temporary = target.with_name(f"{target.name}.{os.urandom(4).hex()}{_SUFFIX}")
        file = open(temporary, "xb", opener=opener)  # noqa: SIM115
        with suppress(OSError):  # some network file systems have no locks
            _lock(file)
        if os.fstat(file.fileno()).st_nlink:
            break
        file.close()  # another writer removed it before it was locked
    if mode is not None:
        os.chmod(temporary, mode)
    return temporary, file


def _remove_abandoned(target: Path) -> None:
    """Remove the temporary files of writers that were killed: those that nobody has locked."""
    for name in os.listdir(target.parent) if _LOCKS else ():
        if name.startswith(f"{target.name}.") and name.endswith(_SUFFIX):
            temporary = target.with_name(name)
            with suppress(OSError), temporary.open("rb+") as file:
                _lock(file, wait=False)
                temporary.unlink()


def _lock(file: IO[bytes], wait: bool = True) -> None:
    if _LOCKS:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def _sync_folder(folder: Path) -> None:
    """Flush the renaming to disk too. Windows cannot open folders, so do nothing there."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
