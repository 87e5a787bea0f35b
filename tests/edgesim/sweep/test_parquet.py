"""Rows as Parquet: the same table, read by pyarrow itself, whole after a kill."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesim.common.errors import InputError
from edgesim.sweep.parquet_rows import ParquetRows
from edgesim.sweep.reader import from_mapping
from edgesim.sweep.run import run_study
from edgesim.sweep.store import Store, read
from tests import needs
from tests.edgesim.sweep.studies import FLOP, grid

needs.PYARROW.require()


def test_the_table_is_the_same_as_from_sqlite(tmp_path: Path) -> None:
    study = {**grid(3, 2), "keep": ["latency_s.mean", "plan.bottleneck", "requests.failed"]}
    run_study(study, tmp_path / "a")
    table = run_study(study, tmp_path / "b", rows="parquet")
    assert table.rows() == read(tmp_path / "a").rows()
    one, two = ((tmp_path / name / "table.csv").read_bytes() for name in "ab")
    assert one == two


def test_pyarrow_reads_the_parts(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    run_study(grid(3, 2), tmp_path / "a", rows="parquet")
    frame: Any = pq.read_table(tmp_path / "a" / "points")
    assert frame.column_names[0] == "point"
    assert frame[FLOP].to_pylist() == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    assert frame["error"].to_pylist() == [None] * 6


def test_parts_that_were_written_survive_a_kill(tmp_path: Path) -> None:
    study = from_mapping(grid(3, 2))
    with Store(tmp_path / "a", study.meta("parquet")):
        rows = ParquetRows(tmp_path / "a", study.columns)
        rows.append([(4, 3.0, 1.0, 3.0, None), (0, 1.0, 1.0, 1.0, None)])
        assert [row[0] for row in rows.ordered()] == [0, 4]
        # What a kill leaves: a part that was under way, and rows that were in no part yet.
        (tmp_path / "a" / "points" / ".part-000001.parquet").write_bytes(b"half of a part")
        rows.append([(2, 2.0, 1.0, 2.0, None)])
        assert list(read(tmp_path / "a").point) == [0, 4]
    table = run_study(study, tmp_path / "a", rows="parquet")
    assert list(table.point) == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(table.values["latency_s.mean"], [1, 0.5, 2, 1, 3, 1.5])
    assert not list((tmp_path / "a" / "points").glob(".part*"))


def test_a_damaged_part_is_told(tmp_path: Path) -> None:
    run_study(grid(2, 2), tmp_path / "a", rows="parquet")
    (tmp_path / "a" / "points" / "part-000000.parquet").write_bytes(b"no part")
    with pytest.raises(InputError, match=r"part-000000\.parquet: no part of a sweep's rows"):
        read(tmp_path / "a")


def test_without_pyarrow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'edgesim\[parquet\]'"):
        run_study(grid(2, 2), tmp_path / "a", rows="parquet")
