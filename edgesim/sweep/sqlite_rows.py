"""Rows of a study in SQLite: the only writer is the process that leads the sweep."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.files import open_inside
from edgesim.sweep.table import Column

FILE = "points.sqlite"
_LARGEST_BYTES = 4_000_000_000
_LARGEST_ROW_BYTES = 16_000_000
_MOST_CELLS = 200_000_000
"""Cells of a table that is read, which is in memory: some 20 bytes each."""
_IN_CSV = "; table.csv has them too, once the study has ended"
Row = tuple[Any, ...]
"""A point's number, a cell for each column, and the error or None."""


class SqliteRows:
    """Rows in ``points.sqlite``; those of an `append` are there whole or not at all, also after a
    kill.

    Args:
        folder: of the file, which is made if it is missing.
        columns: between ``point`` and ``error``.

    Raises:
        InputError: the file is none of ours.
        EdgesimError: it cannot be read or written; the message says why.
    """

    def __init__(self, folder: Path, columns: Sequence[Column]) -> None:
        self._path = folder / FILE
        self._insert = f"INSERT INTO points VALUES ({', '.join('?' * (len(columns) + 2))})"
        self._select = _select(columns)
        names = ", ".join(_quoted(one.name) for one in columns)
        if os.path.lexists(self._path):
            _check_file(self._path, sys.maxsize)
        with _sqlite_errors(self._path):
            # Another process that reads may hold the file for a moment.
            self._file = sqlite3.connect(self._path, timeout=30.0, isolation_level=None)
            # Where there is no shared memory, as on a network's disk, SQLite stays without it.
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute(
                f"CREATE TABLE IF NOT EXISTS points (point INTEGER PRIMARY KEY, {names}, error)"
            )

    def missing(self, size: int) -> list[range]:
        """Return the numbers below ``size`` of the points without a row, in ascending ranges."""
        found: list[range] = []
        start = 0
        with _sqlite_errors(self._path):
            for (point,) in self._file.execute("SELECT point FROM points ORDER BY point"):
                if point > start:
                    found.append(range(start, point))
                start = point + 1
        if start < size:
            found.append(range(start, size))
        return found

    def failed(self) -> int:
        """Return the number of rows with an error."""
        with _sqlite_errors(self._path):
            found = self._file.execute("SELECT count(error) FROM points").fetchone()
        return int(found[0])

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows, all or none."""
        with _sqlite_errors(self._path):
            self._file.execute("BEGIN IMMEDIATE")
            try:
                self._file.executemany(self._insert, rows)
                self._file.execute("COMMIT")
            except BaseException:
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")
                raise

    def ordered(self) -> Iterator[Row]:
        """Yield the rows by number."""
        with _sqlite_errors(self._path):
            yield from self._file.execute(self._select)

    def close(self) -> None:
        """Close the file, and leave it the only one."""
        with _sqlite_errors(self._path):
            try:
                self._file.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.OperationalError:
                # Another process is reading it; the rows are as safe beside it.
                pass
            finally:
                self._file.close()


def read(folder: Path, columns: Sequence[Column]) -> Iterator[Row]:
    """Yield the rows of a folder by number, also while a sweep writes them.

    Raises:
        InputError: there are none, or they are not of these columns.
    """
    path = folder / FILE
    if not os.path.lexists(path):
        return
    _check_file(path)
    with (
        _sqlite_errors(path, reads=True),
        contextlib.closing(sqlite3.connect(path, timeout=30.0)) as file,
    ):
        # A view could have rows without end, and a value of many bytes take a few in the file.
        file.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_ROW_BYTES)
        kind = file.execute("SELECT type FROM sqlite_master WHERE name = 'points'").fetchone()
        if kind not in (None, ("table",)):
            raise InputError(f"{path}: no rows of a sweep ('points' is a {kind[0]})")
        rows = file.execute(_select(columns))
        most = _MOST_CELLS // (len(columns) + 2)
        yield from islice(rows, most)
        if rows.fetchone() is not None:
            raise InputError(
                f"{path}: expected at most {most:,} rows of {len(columns)} columns{_IN_CSV}"
            )


def _select(columns: Sequence[Column]) -> str:
    names = ", ".join(_quoted(one.name) for one in columns)
    return f"SELECT point, {names}, error FROM points ORDER BY point"


def _check_file(path: Path, largest_bytes: int = _LARGEST_BYTES) -> None:
    """Check what SQLite would open: a file of this folder, as `open_inside` does."""
    try:
        open_inside(path, largest_bytes=largest_bytes, hint=_IN_CSV).close()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


@contextlib.contextmanager
def _sqlite_errors(path: Path, *, reads: bool = False) -> Iterator[None]:
    """Turn SQLite's errors into ours; whoever only ``reads`` may have been given any file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        # The low byte is the kind of the error; what Python finds wrong has none.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if reads and code not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR):
            raise InputError(f"{path}: no rows of a sweep ({error})") from None
        what = "the disk is full" if "full" in str(error) else str(error)
        verb = "read" if reads else "write"
        raise EdgesimError(f"cannot {verb} {path}: {what}") from None
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path}: no rows of a sweep ({error})") from None
