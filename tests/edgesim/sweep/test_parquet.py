"""The table of a study as Parquet, read by pyarrow itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from edgesim.common.errors import EdgesimError, InputError
from edgesim.sweep import store as stores
from edgesim.sweep.reader import from_mapping
from edgesim.sweep.run import run_study
from edgesim.sweep.store import Store, read
from tests import needs
from tests.edgesim.sweep.studies import FLOP, grid

needs.PYARROW.require()


def parquet(directory: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(directory / "table.parquet")


@pytest.mark.parametrize("group", [20_000, 4])
def test_pyarrow_reads_the_table(
    tmp_path: Path, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_GROUP_ROWS", group)
    study = {**grid(3, 2), "keep": ["latency_s.mean", "plan.bottleneck", "requests.failed"]}
    table = run_study(study, tmp_path / "a", rows="parquet")
    frame = parquet(tmp_path / "a")
    names = [one.name for one in from_mapping(study).columns]
    assert frame.column_names == ["point", *names, "error"]
    assert frame["point"].to_pylist() == [0, 1, 2, 3, 4, 5]
    assert frame[FLOP].to_pylist() == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    assert frame["error"].to_pylist() == [None] * 6
    assert frame.field(FLOP).metadata == {b"unit": b"GFLOP"}
    assert frame.field("latency_s.mean").metadata == {b"unit": b"s"}
    for name in names:
        assert frame[name].to_pylist() == list(table.values[name])
    assert table.rows() == read(tmp_path / "a").rows()


def test_the_format_changes_no_byte_of_the_table(tmp_path: Path) -> None:
    run_study(grid(3, 2), tmp_path / "a")
    assert not (tmp_path / "a" / "table.parquet").exists()
    run_study(grid(3, 2), tmp_path / "b", rows="parquet")
    one, two = ((tmp_path / name / "table.csv").read_bytes() for name in "ab")
    assert one == two
    # A finished study is not simulated again, and still gives its table in the other format.
    run_study(grid(3, 2), tmp_path / "a", rows="parquet")
    assert parquet(tmp_path / "a").equals(parquet(tmp_path / "b"))


def test_a_row_with_an_error_has_no_results(tmp_path: Path) -> None:
    study = from_mapping(grid(2, 1))
    results = len(study.columns) - 2
    with Store(tmp_path / "a", study.meta()) as store:
        store.rows.append(
            [(1, 2.0, 1.0, *[None] * results, "no room"), (0, 1.0, 1.0, *[3] * results, None)]
        )
        store.finish("parquet")
    frame = parquet(tmp_path / "a")
    assert frame["error"].to_pylist() == [None, "no room"]
    assert frame[study.columns[-1].name].to_pylist() == [3.0, None]


def test_what_cannot_be_written_leaves_the_table_that_was_there(tmp_path: Path) -> None:
    run_study(grid(2, 2), tmp_path / "a", rows="parquet")
    before = (tmp_path / "a" / "table.parquet").read_bytes()
    study = from_mapping(grid(2, 2))

    def broken() -> Any:
        yield (0, 1.0, 1.0, *[1.0] * (len(study.columns) - 2), None)
        raise EdgesimError("cannot read points.sqlite: the disk is gone")

    with pytest.raises(EdgesimError, match="the disk is gone"):
        stores._write_parquet(tmp_path / "a", study.columns, broken())
    assert (tmp_path / "a" / "table.parquet").read_bytes() == before
    assert not list((tmp_path / "a").glob(".table*"))


def test_without_pyarrow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'edgesim\[parquet\]'"):
        run_study(grid(2, 2), tmp_path / "a", rows="parquet")
