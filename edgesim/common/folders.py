"""Folders written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from edgesim.common.lock import try_lock

_YOUNG_S = 60.0
"""A folder that nobody has locked yet may be in use while it is no older."""


@contextlib.contextmanager
def whole_folder(
    directory: Path,
    *,
    mode: int = 0o755,
    check: Callable[[Path], None] = lambda directory: None,
) -> Iterator[Path]:
    """Make a folder beside ``directory`` that takes its place at the end of the block.

    What stood there goes only then; after an exception it stays, and the new folder is gone. What
    killed processes left beside ``directory`` is removed.

    Args:
        directory: path of the folder; missing folders above it are made.
        mode: permissions of the folder.
        check: raises where what stands there must not be replaced.

    Raises:
        OSError: it cannot be written.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    _clear(directory)
    temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    held = _hold(temporary)
    try:
        yield temporary
        temporary.chmod(mode)
        _replace(temporary, directory, check)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if held is not None:
            os.close(held)


def try_beside(path: Path) -> None:
    """Check that a file or folder can be made at ``path``, before an hour of work; leave nothing.

    Raises:
        OSError: what stands above it is no folder, or cannot be written to.
    """
    parent = path.parent
    while not os.path.lexists(parent) and parent != parent.parent:
        parent = parent.parent
    if not parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{parent} is no folder")
    # A trial: some file systems refuse what permissions allow.
    tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=parent).cleanup()


def _hold(folder: Path) -> int | None:
    """Lock a folder for as long as this process has it; return what holds it, None for nothing."""
    handle = os.open(folder, os.O_RDONLY)
    with contextlib.suppress(OSError):  # the file system knows no locks
        if try_lock(handle):
            return handle
    os.close(handle)
    return None


def _clear(directory: Path) -> None:
    """Remove what runs that were killed left beside ``directory`` under a temporary name.

    That of a run which still writes is locked; one that is just being made is young.
    """
    for left in directory.parent.glob(f".{glob.escape(directory.name)}.*"):
        with contextlib.suppress(OSError):
            young = time.time() - left.stat().st_mtime < _YOUNG_S
            if left.is_symlink() or not left.is_dir() or young:
                continue
            held = _hold(left)
            if held is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(held)


def _replace(temporary: Path, directory: Path, check: Callable[[Path], None]) -> None:
    """Put ``temporary`` in the place of ``directory``; what stood there goes only then.

    Where other runs do the same at the same time, the last one stays.
    """
    while not _moved(temporary, directory):
        check(directory)
        aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
        try:
            with contextlib.suppress(FileNotFoundError):  # another run has just moved it away
                directory.rename(aside / "old")
            if _moved(temporary, directory):
                return
        finally:
            if (aside / "old").exists() and not directory.exists():
                (aside / "old").rename(directory)
            shutil.rmtree(aside, ignore_errors=True)


def _moved(temporary: Path, directory: Path) -> bool:
    """Rename a folder to where nothing is, or only an empty folder; return whether that was so."""
    try:
        temporary.rename(directory)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True
