"""Rows of a study in SQLite: the only writer is the process that leads the sweep."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgesim.common.errors import EdgesimError, InputError
from edgesim.sweep.table import Column

FILE = "points.sqlite"
MOST_COLUMNS = 1_900
"""SQLite takes 2,000."""
Row = tuple[Any, ...]
"""A point's number, a cell for each column, and the error or None."""


class Spans:
    """A set of whole numbers as stretches ``[start, stop)``, ascending.

    A billion neighbours take a few bytes.
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def __len__(self) -> int:
        return sum(stop - start for start, stop in self.stretches())

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self._starts, number) - 1
        return index >= 0 and number < self._stops[index]

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Yield the stretches, ascending."""
        yield from zip(self._starts, self._stops, strict=True)

    def add(self, number: int) -> None:
        """Take in a number that is above all others.

        Raises:
            ValueError: it is not.
        """
        if self._stops and number < self._stops[-1]:
            raise ValueError(f"expected more than {self._stops[-1] - 1}, got {number}")
        if self._stops and number == self._stops[-1]:
            self._stops[-1] += 1
        else:
            self._starts.append(number)
            self._stops.append(number + 1)

    def missing(self, stop: int) -> Iterator[range]:
        """Yield the stretches of ``[0, stop)`` that are not in the set, ascending."""
        here = 0
        for start, end in self.stretches():
            if start > here:
                yield range(here, min(start, stop))
            here = max(here, end)
            if here >= stop:
                return
        if here < stop:
            yield range(here, stop)


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
        names = ", ".join(_quoted(one.name) for one in columns)
        self._insert = f"INSERT INTO points VALUES ({', '.join('?' * (len(columns) + 2))})"
        self._select = f"SELECT point, {names}, error FROM points ORDER BY point"
        with _sqlite_errors(self._path):
            # Another process that reads may hold the file for a moment.
            self._file = sqlite3.connect(self._path, timeout=30.0, isolation_level=None)
            # Where there is no shared memory, as on a network's disk, SQLite stays without it.
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute(
                f"CREATE TABLE IF NOT EXISTS points (point INTEGER PRIMARY KEY, {names}, error)"
            )

    def done(self) -> Spans:
        """Return the numbers of the points that have a row."""
        spans = Spans()
        with _sqlite_errors(self._path):
            for (point,) in self._file.execute("SELECT point FROM points ORDER BY point"):
                spans.add(point)
        return spans

    def failed(self) -> int:
        """Return the number of rows with an error."""
        with _sqlite_errors(self._path):
            found = self._file.execute("SELECT count(error) FROM points").fetchone()
        return int(found[0])

    def append(self, rows: Sequence[Row]) -> None:
        """Keep rows, all or none."""
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
                # Someone reads it just now; the rows are as safe beside it.
                pass
            finally:
                self._file.close()


def read(folder: Path, columns: Sequence[Column]) -> Iterator[Row]:
    """Yield the rows of a folder by number, also while a sweep writes them.

    Raises:
        InputError: there are none, or they are not of these columns.
    """
    path = folder / FILE
    if not path.is_file():
        return
    names = ", ".join(_quoted(one.name) for one in columns)
    with _sqlite_errors(path):
        file = sqlite3.connect(path, timeout=30.0)
        try:
            yield from file.execute(f"SELECT point, {names}, error FROM points ORDER BY point")
        finally:
            file.close()


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


class _sqlite_errors:  # noqa: N801
    """Turns SQLite's errors into ours."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.OperationalError):
            what = str(error)
            if "full" in what:
                what = "the disk is full"
            raise EdgesimError(f"cannot write {self._path}: {what}") from None
        if isinstance(error, sqlite3.DatabaseError):
            raise InputError(f"{self._path}: no rows of a sweep ({error})") from None
