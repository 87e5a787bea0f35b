"""The folder of a study: its description, its rows as they arrive, and its table at the end.

``study.json`` describes the study and the columns of its rows, with their units. Rows are in
``points.sqlite``; ``table.csv``, and ``table.parquet`` where it is asked for, are written once
every point has its row.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

from edgesim.common.errors import EdgesimError, InputError, write_error
from edgesim.common.extras import load
from edgesim.common.files import read_json, whole_file, write_text
from edgesim.common.lock import Lock, LockedError
from edgesim.common.tables import no_formula
from edgesim.results.folder import STUDY
from edgesim.sweep import sqlite_rows
from edgesim.sweep.aims import Bound
from edgesim.sweep.sqlite_rows import Row, SqliteRows
from edgesim.sweep.table import Column, Table, table_of
from edgesim.version import __version__

SCHEMA = 1
"""Of the folder; another one is refused."""
CSV, PARQUET, LOCK = "table.csv", "table.parquet", ".lock"
_GROUP_ROWS = 20_000
"""Rows of a Parquet file that are in memory at once."""
ROWS = "sqlite"
"""Format of the rows; folders of earlier versions may have others."""
Format = Literal["sqlite", "parquet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Content of ``study.json``.

    Attributes:
        name: name of the study.
        points: number of its points.
        columns: axes, then results.
        fingerprint: digest of everything that its results depend on.
        study: study as plain data, with the base scenario in it; for people and for reports.
    """

    name: str
    points: int
    columns: tuple[Column, ...]
    fingerprint: str
    study: Mapping[str, Any]


class Store:
    """A folder that one sweep at a time writes to; a context that unlocks it at its end.

    Args:
        directory: path of the folder; made if it is missing.
        meta: description of the study.

    Attributes:
        rows: rows in the folder.

    Raises:
        InputError: the folder holds something else: files that are no study, another study, or
            one that another version wrote.
        EdgesimError: another sweep writes there, or the folder cannot be written to.
    """

    def __init__(self, directory: Path, meta: Meta) -> None:
        self.directory = directory
        self.meta = meta
        _check_free(directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(f"cannot write {directory}", error) from None
        self._lock = _lock(directory)
        try:
            self._take()
            self.rows = SqliteRows(directory, meta.columns)
        except BaseException:
            self._lock.release()
            raise

    def _take(self) -> None:
        """Check that the folder is of the same study; write ``study.json`` if it is new."""
        path = self.directory / STUDY
        if not path.exists():
            document = {
                "schema": SCHEMA,
                "edgesim": __version__,
                **asdict(self.meta),
                "format": ROWS,
            }
            write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")
            return
        found = _load(path)
        written_by, other = found["edgesim"], "name another folder with --out, or remove this one"
        if written_by != __version__:
            raise InputError(
                f"{self.directory} was written by edgesim {written_by}, and this is {__version__}, "
                f"whose figures may differ; {other}"
            )
        if found["fingerprint"] != self.meta.fingerprint:
            raise InputError(
                f"{self.directory} holds another study, or this one before it was changed; {other}"
            )

    def finish(self, rows: Format = "sqlite") -> Path:
        """Write ``table.csv``, and ``table.parquet`` too where asked; return the former's path.

        The same rows give the same bytes.

        Numbers are written as Python does, the shortest text that reads back as the same double.

        Raises:
            EdgesimError: it cannot be written; a table that was there before stays.
        """
        path = self.directory / CSV
        with whole_file(path) as file:
            writer = csv.writer(file, lineterminator="\n")
            head = ("point", *(one.name for one in self.meta.columns), "error")
            for row in chain([head], self.rows.ordered()):
                writer.writerow(no_formula(one) if isinstance(one, str) else one for one in row)
        if rows == "parquet":
            _write_parquet(self.directory, self.meta.columns, self.rows.ordered())
        return path

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.rows.close()
        except EdgesimError:
            # The error that ended the sweep says more than this one, which follows from it.
            if error is None:
                raise
        finally:
            self._lock.release()


def _write_parquet(directory: Path, columns: Sequence[Column], rows: Iterator[Row]) -> None:
    """Write ``table.parquet``: the columns of ``table.csv``, numbers as doubles, with their units.

    Raises:
        InputError: pyarrow is not installed.
        EdgesimError: the file cannot be written; one that was there before stays.
    """
    pa, parquet = load("Parquet", "pyarrow", "parquet"), import_module("pyarrow.parquet")
    kinds = {"number": pa.float64(), "text": pa.string()}
    middle = [
        pa.field(one.name, kinds[one.kind], metadata={"unit": one.unit} if one.unit else None)
        for one in columns
    ]
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


def read(directory: str | Path) -> Table:
    """Return the table of a study's folder: whole, or what there is while a sweep writes it.

    Raises:
        InputError: it is no folder of a study, it is damaged, or another version of the schema.
    """
    return table(Path(directory), read_meta(directory))


def read_meta(directory: str | Path) -> Meta:
    """Return what a study's folder is of; raises as `read` does."""
    path = Path(directory) / STUDY
    found = _load(path)
    try:
        return Meta(
            name=str(found["name"]),
            points=int(found["points"]),
            columns=tuple(Column(**one) for one in found["columns"]),
            fingerprint=str(found["fingerprint"]),
            study=dict(found["study"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a whole study ({error!r})") from None


def table(directory: Path, meta: Meta) -> Table:
    """Return the table of the rows that are in a folder."""
    rows = sqlite_rows.read(directory, meta.columns)
    made = table_of(meta.name, meta.points, meta.columns, rows)
    bounds = [(one.name, Bound.parse(one.bound)) for one in meta.columns if one.bound]
    if not bounds and not any(one.aim for one in meta.columns):
        return made
    feasible = np.array([error is None for error in made.errors], bool)
    for name, bound in bounds:
        feasible &= bound.holds(np.asarray(made.values[name], float))
    return replace(made, feasible=feasible)


def _load(path: Path) -> dict[str, Any]:
    found = read_json(path, "study's folder")
    if not isinstance(found, dict) or not {"schema", "edgesim", "fingerprint"} <= set(found):
        raise InputError(f"{path}: expected what `edgesim sweep` writes")
    if found.get("format", ROWS) != ROWS:
        raise InputError(
            f"{path}: its rows are {found['format']}, which only the table is now; "
            "run the study again into another folder"
        )
    if found["schema"] != SCHEMA:
        raise InputError(
            f"{path}: written by edgesim {found['edgesim']} in schema {found['schema']}; "
            f"edgesim {__version__} reads schema {SCHEMA}"
        )
    return found


def _lock(directory: Path) -> Lock:
    path = directory / LOCK
    try:
        return Lock(path)
    except LockedError as error:
        raise EdgesimError(
            f"another sweep writes to {directory}{error.holder}; "
            "wait for it, or name another folder with --out"
        ) from None
    except OSError as error:
        raise write_error(f"cannot write {path}", error) from None


def _check_free(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} is no folder; name another with --out")
    try:
        present = {one.name for one in directory.iterdir()} if directory.exists() else set()
    except OSError as error:
        raise EdgesimError(f"cannot read {directory}: {error.strerror}") from None
    if STUDY not in present and {name for name in present if not name.startswith(".")}:
        raise InputError(
            f"{directory} holds files that are no study; name another folder with --out"
        )
