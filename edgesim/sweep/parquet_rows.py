"""Rows of a study as Parquet: one part after the other in ``points/``.

A part is written whole under a temporary name and then renamed, so what a killed sweep leaves can
be read; the rows that were on their way to the next part are played again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.extras import load
from edgesim.sweep.spans import Spans
from edgesim.sweep.sqlite_rows import Row
from edgesim.sweep.table import Column

FOLDER = "points"
PART_ROWS = 20_000
PART_S = 30.0
"""A part is written after so many rows, or so long: what a kill can cost."""


class ParquetRows:
    """Rows in ``points/part-000000.parquet`` and on.

    Args:
        folder: of the study; ``points`` is made in it.
        columns: between ``point`` and ``error``.

    Raises:
        InputError: pyarrow is not installed.
        EdgesimError: the folder cannot be read or written; the message says why.
    """

    def __init__(self, folder: Path, columns: Sequence[Column]) -> None:
        self._pa, self._parquet = _pyarrow(), import_module("pyarrow.parquet")
        self._folder = folder / FOLDER
        self._columns = tuple(columns)
        self._schema = _schema(self._pa, columns)
        self._waiting: list[Row] = []
        self._since_s = time.monotonic()
        try:
            self._folder.mkdir(exist_ok=True)
            for left in self._folder.glob(".part-*"):
                left.unlink()
            self._next = 1 + max((_number(path) for path in _parts(self._folder)), default=-1)
        except OSError as error:
            raise EdgesimError(f"cannot write {self._folder}: {error.strerror}") from None

    def done(self) -> Spans:
        """Return the numbers of the points that have a row."""
        spans = Spans()
        for part in sorted(self._points()):
            spans.add(part)
        return spans

    def _points(self) -> Iterator[int]:
        for path in _parts(self._folder):
            yield from self._parquet.read_table(path, columns=["point"])["point"].to_pylist()

    def append(self, rows: Sequence[Row]) -> None:
        """Take rows; they are kept once their part is written."""
        self._waiting += rows
        if len(self._waiting) >= PART_ROWS or time.monotonic() - self._since_s > PART_S:
            self._write()

    def _write(self) -> None:
        self._since_s = time.monotonic()
        if not self._waiting:
            return
        turned = list(zip(*sorted(self._waiting, key=lambda row: row[0]), strict=True))
        arrays = [
            self._pa.array(_cells(cells, field.type, self._pa), field.type)
            for cells, field in zip(turned, self._schema, strict=True)
        ]
        name = f"part-{self._next:06d}.parquet"
        temporary = self._folder / f".{name}"
        try:
            table = self._pa.Table.from_arrays(arrays, schema=self._schema)
            self._parquet.write_table(table, temporary)
            temporary.replace(self._folder / name)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise EdgesimError(
                f"cannot write {self._folder / name}: {error.strerror or error}"
            ) from None
        self._next += 1
        self._waiting = []

    def ordered(self) -> Iterator[Row]:
        """Yield the rows by number."""
        self._write()
        yield from _ordered(self._folder, self._columns)

    def close(self) -> None:
        """Write the last part."""
        self._write()


def read(folder: Path, columns: Sequence[Column]) -> Iterator[Row]:
    """Yield the rows of a folder by number; those of parts, while a sweep writes them.

    Raises:
        InputError: pyarrow is not installed, or a part is damaged.
    """
    yield from _ordered(folder / FOLDER, columns)


def _ordered(folder: Path, columns: Sequence[Column]) -> Iterator[Row]:
    pa, parquet = _pyarrow(), import_module("pyarrow.parquet")
    schema = _schema(pa, columns)
    tables = []
    for path in _parts(folder):
        try:
            tables.append(parquet.read_table(path, schema=schema))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: no part of a sweep's rows ({error})") from None
    if not tables:
        return
    whole = pa.concat_tables(tables).sort_by("point")
    for batch in whole.to_batches(max_chunksize=10_000):
        kept = [column.to_pylist() for column in batch.columns]
        for index, one in enumerate(columns, start=1):
            if one.integer:
                kept[index] = [None if cell is None else int(cell) for cell in kept[index]]
        yield from zip(*kept, strict=True)


def _schema(pa: Any, columns: Sequence[Column]) -> Any:
    kinds = {"number": pa.float64(), "text": pa.string()}
    middle = [(one.name, kinds[one.kind]) for one in columns]
    return pa.schema([("point", pa.int64()), *middle, ("error", pa.string())])


def _cells(cells: Sequence[Any], kind: Any, pa: Any) -> list[Any]:
    if kind == pa.float64():
        return [None if cell is None else float(cell) for cell in cells]
    return list(cells)


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def _number(path: Path) -> int:
    digits = path.stem.removeprefix("part-")
    return int(digits) if digits.isdecimal() else -1


def _pyarrow() -> Any:
    return load("Parquet", "pyarrow", "parquet")
