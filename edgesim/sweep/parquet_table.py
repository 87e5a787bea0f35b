"""The table of a study as Parquet, made of its rows once every point has one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path

from edgesim.common.extras import load
from edgesim.common.files import whole_file
from edgesim.sweep.sqlite_rows import Row
from edgesim.sweep.table import Column

PARQUET = "table.parquet"
_GROUP_ROWS = 20_000
"""Rows that are in memory at once."""


def write_parquet(directory: Path, columns: Sequence[Column], rows: Iterator[Row]) -> None:
    """Write ``table.parquet``: the columns of ``table.csv``, numbers as doubles.

    Args:
        directory: of the study.
        columns: between ``point`` and ``error``.
        rows: by number.

    Raises:
        InputError: pyarrow is not installed.
        EdgesimError: the file cannot be written; one that was there before stays.
    """
    pa, parquet = load("Parquet", "pyarrow", "parquet"), import_module("pyarrow.parquet")
    kinds = {"number": pa.float64(), "text": pa.string()}
    middle = [(one.name, kinds[one.kind]) for one in columns]
    schema = pa.schema([("point", pa.int64()), *middle, ("error", pa.string())])
    numbers = [1 + index for index, one in enumerate(columns) if one.kind == "number"]
    with (
        whole_file(directory / PARQUET) as file,
        parquet.ParquetWriter(file.buffer, schema) as writer,
    ):
        while group := list(islice(rows, _GROUP_ROWS)):
            cells = [list(column) for column in zip(*group, strict=True)]
            for index in numbers:
                cells[index] = [None if one is None else float(one) for one in cells[index]]
            writer.write_table(pa.table(cells, schema=schema))
