"""The page of a study: its shares of variance, the rows that it holds, and its numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesim.report import folder
from edgesim.report.heat import levels, means
from edgesim.report.page import study_page
from edgesim.report.page.study_page import MOST_ROWS, front, page_rows
from edgesim.report.sweep_table import short_labels
from edgesim.sweep.sensitivity import effects
from edgesim.sweep.table import Column, Table, non_dominated
from tests import needs
from tests.edgesim.report.page.numbers_of import numbers_of

AXES = ("one", "two")
RESULTS = ("latency_s.p99", "energy_j.total")


def table(values: dict[str, Any], *, aims: tuple[str, ...] = (), **fields: Any) -> Table:
    """Return a study of columns; names in `RESULTS` are results, texts are text."""
    rows = len(next(iter(values.values())))
    columns = tuple(
        Column(
            name=name,
            role="result" if name in (*RESULTS, "settled") else "axis",
            kind="text" if isinstance(held, tuple) else "number",
            unit="s" if name.startswith("latency") else "",
            aim="minimize" if name in aims else "",
        )
        for name, held in values.items()
    )
    found: dict[str, Any] = {
        "name": "study", "size": rows, "columns": columns, "point": np.arange(rows),
        "values": values, "errors": (None,) * rows,
    }  # fmt: skip
    return Table(**{**found, **fields})


def grid(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    one, two = np.meshgrid(np.arange(rows, dtype=float), np.arange(columns, dtype=float))
    return one.ravel(), two.ravel()


def data_of(html: str) -> dict[str, Any]:
    """Return the data that the page holds for its script."""
    found = re.search(r'<script type="application/json" id="filter-data">(.*?)</script>', html)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_fronts_are_those_of_the_search() -> None:
    noise = np.random.default_rng(6)
    costs = noise.normal(size=(3000, 2)).round(2)
    found = {tuple(row) for row in costs[front(costs[:, 0], costs[:, 1])].tolist()}
    assert found == {tuple(row) for row in costs[non_dominated(costs)].tolist()}


def test_a_hundred_thousand_rows_are_thinned_and_the_page_says_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(7)
    rows = 100_000
    values = {
        "one": noise.uniform(size=rows), "two": noise.integers(0, 5, rows).astype(float),
        "latency_s.p99": noise.lognormal(size=rows), "energy_j.total": noise.lognormal(size=rows),
    }  # fmt: skip
    study = table(values)
    chosen = page_rows(study)
    assert len(chosen) == MOST_ROWS == len(set(chosen.tolist()))
    for name in RESULTS:
        assert {int(values[name].argmin()), int(values[name].argmax())} <= set(chosen.tolist())
    whole = non_dominated(np.column_stack([values[name] for name in RESULTS])[chosen])
    best = front(values[RESULTS[0]], values[RESULTS[1]])
    assert set(chosen[whole].tolist()) == set(best.tolist())
    html = study_page.page(study)
    assert "This page holds 2,000 of 100,000 rows" in html
    assert len(html.encode()) < 1_000_000


def test_numbers_are_the_table_s() -> None:
    one, two = grid(4, 3)
    latency = one / (1 + two)
    latency[5] = np.nan
    errors: list[str | None] = [None] * 12
    errors[5] = "nodes.n: no </script> such thing"
    study = table({"one": one, "two": two, "latency_s.p99": latency}, errors=tuple(errors),
                  aims=("latency_s.p99",), size=20)  # fmt: skip
    html = study_page.page(study, {"axes": "</script>"})
    found = effects(study)
    for key, value, _ in numbers_of(html):
        first, _, name = key.partition(".")
        if first.isdigit():
            assert value == study.row(int(first))[name]
        else:
            result, _, axis = key.rpartition(".")
            assert value == found[result, axis].share
    keys = {key for key, _, _ in numbers_of(html)}
    assert {"0.one", "11.latency_s.p99", "latency_s.p99.two"} <= keys
    assert "Not finished: 8 points" in html
    assert "1 failed" in html
    assert html.count("</script>") == 2


@pytest.mark.parametrize("rows", [0, 1])
def test_a_study_that_has_just_begun(rows: int) -> None:
    study = table({"one": np.arange(rows) * 1.0, "two": ("a",) * rows,
                   "latency_s.p99": np.full(rows, np.nan)}, size=9)  # fmt: skip
    html = study_page.page(study)
    assert f"{rows} of 9 points" in html


def test_report_of_a_study_s_folder(tmp_path: Path) -> None:
    from edgesim.sweep.reader import from_mapping
    from edgesim.sweep.run import local_pool, sweep
    from tests.edgesim.sweep.studies import grid as small

    out = tmp_path / "out"
    study = from_mapping(small())
    sweep(study, out, lambda check: local_pool(study, 1, check))
    html = folder.rewrite_report(out).read_text()
    values = {value for key, value, _ in numbers_of(html) if key.endswith("latency_s.mean")}
    assert {1.0, 0.5, 0.25, 4.0} <= values


def test_labels_of_mappings_are_what_differs() -> None:
    placements = [
        {"strategy": "single", "input": "hub", "nodes": ["pi-0"]},
        {"strategy": "class-wise", "input": "hub", "submodels": 3, "fusion": "hub"},
        {"strategy": "class-wise", "input": "hub", "submodels": 5, "fusion": "hub"},
    ]
    texts = list(map(json.dumps, placements))
    assert list(short_labels(texts).values()) == [
        "single", "class-wise, submodels 3", "class-wise, submodels 5",
    ]  # fmt: skip
    recoveries = [{}, {"retry": {"attempts": 3}}, {"retry": {"attempts": 8, "timeout": "1 s"}},
                  {"degrade": False, "retry": {"attempts": 3}}]  # fmt: skip
    assert list(short_labels(list(map(json.dumps, recoveries))).values()) == [
        "default", "retry attempts 3", "retry attempts 8", "retry, degrade false",
    ]  # fmt: skip
    assert short_labels(["a", "{b"]) == {"a": "a", "{b": "{b"}


def test_means_are_those_of_all_rows_of_a_study() -> None:
    pd = pytest.importorskip("pandas", reason=needs.PANDAS.reason)
    one, two = (axis.ravel() for axis in np.meshgrid(np.arange(100.0), np.arange(100.0)))
    device = tuple(np.array(["a", "b", "c"])[(one % 3).astype(int)].tolist())
    latency = np.random.default_rng(9).lognormal(one / 30, 2.0)
    latency[::97] = np.nan
    settled = np.random.default_rng(10).random(10_000) > 0.1
    study = table({"device": device, "two": two % 7, "one": one, "latency_s.p99": latency,
                   "settled": settled * 1.0})  # fmt: skip
    data = data_of(study_page.page(study))
    assert len(data["point"]) == MOST_ROWS
    assert data["all"] == 10_000
    frame = pd.DataFrame({"device": device, "two": two % 7, "latency": latency})
    expected = frame[settled].groupby(["two", "device"])["latency"].agg(["mean", "count"])
    held = data["means"]["0 1 3"]
    np.testing.assert_allclose(held["mean"], expected["mean"], rtol=1e-12)
    assert held["count"] == expected["count"].tolist()
    assert data["columns"][0]["levels"]["names"] == ["a", "b", "c"]
    # A hundred values of an axis are ten equal parts of it.
    assert len(data["columns"][2]["levels"]["names"]) == 10
    tenths = np.where(one == 99.0, 9, np.floor(one / 9.9)).astype(int)
    by_part = frame[settled].groupby([tenths[settled], "device"])["latency"].mean()
    np.testing.assert_allclose(data["means"]["0 2 3"]["mean"], by_part, rtol=1e-12)


def test_a_front_has_no_point_whose_queue_did_not_settle() -> None:
    one, two = grid(3, 1)
    study = table({"one": one, "two": two, "latency_s.p99": np.array([1.0, 2.0, 3.0]),
                   "energy_j.total": np.array([1.0, 3.0, 2.0]),
                   "settled": np.array([0.0, 1.0, 1.0])})  # fmt: skip
    html = study_page.page(study)
    lines = re.findall(r'<polyline class="mark" points="([^"]*)"', html)
    # Of the two that settled none is better in both; the first, which did not, is.
    assert [len(line.split()) for line in lines] == [2, 2]
    assert "these points are in no front" in html


def test_points_whose_queue_did_not_settle_are_marked() -> None:
    one, two = grid(3, 2)
    latency = np.array([1.0, 2.0, 1000.0, 1.0, 2.0, 3.0])
    study = table({"one": one, "two": two, "latency_s.p99": latency,
                   "settled": np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])})  # fmt: skip
    html = study_page.page(study)
    assert "the queue of 1 did not settle" in html
    assert '<th scope="row">2 *</th>' in html
    assert "*: the queue did not settle" in html
    assert data_of(html)["settled"] == [1, 1, 0, 1, 1, 1]
    found = means(study, *(levels(study, axis) for axis in study.axes), "latency_s.p99")
    np.testing.assert_array_equal(found.mean, [[1.0, 2.0, np.nan], [1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(found.count, [[1, 1, 0], [1, 1, 1]])
