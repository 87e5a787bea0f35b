"""Folders of studies: who may write to them, and what is read from them."""

from __future__ import annotations

import json
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgesim.common.errors import EdgesimError, InputError
from edgesim.sweep import run
from edgesim.sweep.reader import from_mapping
from edgesim.sweep.run import run_study
from edgesim.sweep.sqlite_rows import SqliteRows
from edgesim.sweep.store import Store, read
from edgesim.sweep.table import Column
from edgesim.version import __version__
from tests import needs
from tests.edgesim.command import assert_fails, edgesim
from tests.edgesim.disk import small_disk
from tests.edgesim.sweep.studies import FLOP, PEAK, grid, mapping


def changed(folder: Path, **entries: Any) -> None:
    path = folder / "study.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def test_a_table_is_read_with_its_columns(tmp_path: Path) -> None:
    run_study({**grid(3, 2), "keep": ["latency_s.mean", "plan.bottleneck", "requests.failed"]},
              tmp_path / "a")  # fmt: skip
    table = read(tmp_path / "a")
    assert (table.name, table.size, len(table), table.complete) == ("small", 6, 6, True)
    assert [(one.name, one.role, one.kind, one.unit) for one in table.columns] == [
        (FLOP, "axis", "number", "GFLOP"), (PEAK, "axis", "number", "GFLOP/s"),
        ("latency_s.mean", "result", "number", "s"), ("plan.bottleneck", "result", "text", ""),
        ("requests.failed", "result", "number", ""), ("settled", "result", "number", ""),
    ]  # fmt: skip
    assert table.values["plan.bottleneck"] == ("n",) * 6
    np.testing.assert_array_equal(table.values[FLOP], [1, 1, 2, 2, 3, 3])
    assert table.feasible is None
    assert table.row(5) == {
        "point": 5, FLOP: 3.0, PEAK: 2.0, "latency_s.mean": 1.5, "plan.bottleneck": "n",
        "requests.failed": 0, "settled": 1, "error": None,
    }  # fmt: skip
    assert type(table.row(5)["requests.failed"]) is int


def test_another_study_is_refused(tmp_path: Path) -> None:
    run_study(grid(2, 2), tmp_path / "a")
    before = (tmp_path / "a" / "table.csv").read_bytes()
    with pytest.raises(InputError, match="holds another study, or this one before it was changed"):
        run_study(grid(2, 3), tmp_path / "a")
    with pytest.raises(InputError, match="holds another study"):
        run_study({**grid(2, 2), "seed": 5}, tmp_path / "a")
    assert (tmp_path / "a" / "table.csv").read_bytes() == before
    run_study({**grid(2, 2), "name": "the-same"}, tmp_path / "a")


def test_another_version_is_refused(tmp_path: Path) -> None:
    run_study(grid(2, 2), tmp_path / "a")
    changed(tmp_path / "a", edgesim="0.0.9")
    with pytest.raises(InputError, match=rf"written by edgesim 0\.0\.9, and this is {__version__}"):
        run_study(grid(2, 2), tmp_path / "a")
    assert len(read(tmp_path / "a")) == 4
    changed(tmp_path / "a", schema=2)
    for attempt in (lambda: read(tmp_path / "a"), lambda: run_study(grid(2, 2), tmp_path / "a")):
        with pytest.raises(InputError, match=r"in schema 2; edgesim .* reads schema 1"):
            attempt()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema": 1}', "\x00", "{" * 10_000])
def test_what_is_no_study_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(InputError, match=r"study\.json"):
        read(tmp_path)


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no study's folder"):
        read(tmp_path / "nothing")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files that are no study; name another folder"):
        run_study(grid(2, 2), tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match="is no folder"):
        run_study(grid(2, 2), tmp_path / "notes.txt")


def test_damaged_rows_are_told(tmp_path: Path) -> None:
    run_study(grid(2, 2), tmp_path / "a")
    (tmp_path / "a" / "points.sqlite").write_bytes(b"no database at all, but long enough" * 100)
    for attempt in (lambda: read(tmp_path / "a"), lambda: run_study(grid(2, 2), tmp_path / "a")):
        with pytest.raises(InputError, match=r"points\.sqlite: no rows of a sweep"):
            attempt()
    changed(tmp_path / "a", columns=[{"name": 1, "colour": "red"}])
    with pytest.raises(InputError, match="not a whole study"):
        read(tmp_path / "a")


def test_one_sweep_at_a_time_writes(tmp_path: Path) -> None:
    study = from_mapping(grid(2, 2))
    with (
        Store(tmp_path / "a", study.meta()),
        pytest.raises(EdgesimError, match=r"another sweep writes to .*a \(process \d+ on"),
    ):
        run_study(study, tmp_path / "a")
    assert len(run_study(study, tmp_path / "a")) == 4


def test_rows_are_read_while_they_are_written(tmp_path: Path) -> None:
    study = from_mapping(grid(2, 2))
    with Store(tmp_path / "a", study.meta()) as store:
        assert len(read(tmp_path / "a")) == 0
        store.rows.append([(3, 2.0, 2.0, 1.0, 1, None)])
        assert list(read(tmp_path / "a").point) == [3]
        store.rows.append([(1, 1.0, 2.0, None, None, "it fell over")])
        table = read(tmp_path / "a")
    assert list(table.point) == [1, 3]
    assert table.errors == ("it fell over", None)
    assert not table.complete
    assert np.isnan(np.asarray(table.values["latency_s.mean"], float)[0])


def test_a_full_disk_is_told_and_damages_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = mapping({FLOP: {"from": 1, "to": 2, "steps": 1_000}})
    monkeypatch.setattr(run, "WRITE_ROWS", 100)
    monkeypatch.setattr(run, "WRITE_S", float("inf"))
    with small_disk(tmp_path, "128k") as disk:
        with pytest.raises(EdgesimError, match=r"the disk is full; [1-9]00 of 1,000 points are"):
            run_study(many, disk / "a")
        kept = read(disk / "a")
        shutil.copytree(disk / "a", tmp_path / "b")
    assert 0 < len(kept) < 1_000
    whole = run_study(many, tmp_path / "b")
    assert whole.complete
    run_study(many, tmp_path / "c")
    one, two = ((tmp_path / name / "table.csv").read_bytes() for name in "bc")
    assert one == two


def test_columns_of_any_name_are_kept(tmp_path: Path) -> None:
    name = 'odd "name"; DROP TABLE points'
    base = {
        "model": {"tasks": {name: {"flop": 1, "node": "n"}}},
        "nodes": {"n": {"device": {"peak": {"fp32": 1}}}},
        "traffic": {"arrivals": "closed", "requests": 1},
    }
    study = {"base": base, "axes": {f"model.tasks.{name}.flop": [1, 2]}, "keep": ["latency_s.max"]}
    table = run_study(study, tmp_path / "a")
    np.testing.assert_array_equal(table.values["latency_s.max"], [1.0, 2.0])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.sets(st.integers(0, 60)))
def test_points_without_a_row_are_missing(tmp_path: Path, numbers: set[int]) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        rows = SqliteRows(Path(folder), [Column(name="x", role="axis")])
        rows.append([(number, 0.5, None) for number in numbers])
        found = rows.missing(61)
        rows.close()
    missing = [number for stretch in found for number in stretch]
    assert missing == [number for number in range(61) if number not in numbers]
    assert all(one.stop < other.start for one, other in pairwise(found))


def test_a_second_command_is_refused(tmp_path: Path) -> None:
    study = from_mapping(grid(2, 2))
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(grid(2, 2)))
    with Store(tmp_path / "out", study.meta()):
        done = edgesim("sweep", "study.yaml", "--out", "out", cwd=tmp_path)
    assert_fails(done, 1, ["another sweep writes to out", "wait for it"])


def test_rows_of_an_earlier_format_are_refused(tmp_path: Path) -> None:
    run_study(grid(2, 2), tmp_path / "a")
    document = json.loads((tmp_path / "a" / "study.json").read_text())
    (tmp_path / "a" / "study.json").write_text(json.dumps({**document, "format": "parquet"}))
    for again in (lambda: run_study(grid(2, 2), tmp_path / "a"), lambda: read(tmp_path / "a")):
        with pytest.raises(InputError, match="its rows are parquet, which only the table is now"):
            again()


def test_a_frame_has_a_row_for_each_point() -> None:
    needs.PANDAS.require()
    frame = run_study(grid(2, 2)).frame()
    assert list(frame.index) == [0, 1, 2, 3]
    assert list(frame.columns) == [FLOP, PEAK, "latency_s.mean", "settled", "error"]
    units = {FLOP: "GFLOP", PEAK: "GFLOP/s", "latency_s.mean": "s", "settled": ""}
    assert frame.attrs["units"] == units
    assert list(frame["latency_s.mean"]) == [1.0, 0.5, 2.0, 1.0]
