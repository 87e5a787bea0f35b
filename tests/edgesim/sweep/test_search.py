"""Searches, held to brute force, and to the same answers for any workers."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgesim.common.errors import EdgesimError, InputError
from edgesim.sweep.aims import Bound
from edgesim.sweep.reader import from_mapping
from edgesim.sweep.run import local_pool, run_study, sweep
from edgesim.sweep.store import read
from edgesim.sweep.table import non_dominated
from tests import needs
from tests.edgesim.sweep.studies import FLOP, ONE_NODE, PEAK


def brute_force(costs: np.ndarray[Any, Any]) -> list[bool]:
    return [
        not any((other <= row).all() and (other < row).any() for other in costs) for row in costs
    ]


@given(
    st.integers(1, 3).flatmap(
        lambda width: st.lists(st.tuples(*[st.integers(0, 4)] * width), max_size=30)
    )
)
def test_the_front_is_that_of_brute_force(rows: list[tuple[int, ...]]) -> None:
    costs = np.array(rows, float).reshape(len(rows), -1 if rows else 1)
    assert list(non_dominated(costs)) == brute_force(costs)


@given(st.floats(-10, 10), st.floats(-10, 10), st.sampled_from(["<", "<=", ">", ">="]))
def test_a_bound_is_broken_by_more_than_nothing(value: float, limit: float, sign: str) -> None:
    bound = Bound(sign, limit)
    kept = {"<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit}
    assert (bound.excess(value) <= 0.0) == kept[sign]
    assert bool(bound.holds(np.array([value]))[0]) == kept[sign]
    assert Bound.parse(str(bound)) == bound


def search(trials: int = 24, **more: Any) -> dict[str, Any]:
    """The slowest, thus cheapest, of 16 devices that answers within 2 s; the best known: 3."""
    base = {
        **ONE_NODE,
        "nodes": {"n": {"device": {"peak": {"fp32": "1 GFLOP/s"}}}},
    }
    return {
        "name": "search",
        "base": base,
        "axes": {PEAK: {"from": 1_000_000_000, "to": 16_000_000_000, "steps": 16},
                 FLOP: ["6 GFLOP", "8 GFLOP"]},
        "keep": ["latency_s.mean"],
        "optimize": {"minimize": [PEAK], "subject_to": ["latency_s.max <= 2 s"], "trials": trials,
                     **more},
    }  # fmt: skip


pytestmark = needs.OPTUNA.mark


def test_the_best_point_within_the_bounds_is_found() -> None:
    table = run_study(search(40))
    # Of all 32: 6 GFLOP on 3 GFLOP/s take 2 s, which is still within.
    every = [
        (peak, flop) for peak, flop in itertools.product(range(1, 17), (6, 8)) if flop / peak <= 2
    ]
    best = min(every)
    assert best == (3, 6)
    (index, *_) = np.flatnonzero(table.pareto())
    assert table.row(int(index))[PEAK] == 3e9
    assert table.row(int(index))[FLOP] == 6.0
    assert table.feasible is not None
    assert list(table.feasible) == [
        row[FLOP] / row[PEAK] * 1e9 <= 2.0
        for row in table.rows()  # type: ignore[operator]
    ]
    assert table.column(PEAK).aim == "minimize"
    assert table.column("latency_s.max").bound == "<= 2.0"


def test_a_search_is_held_to_points_that_settle() -> None:
    content = search(30, subject_to=["settled"])
    content["base"]["traffic"] = {"arrivals": "periodic", "rate": "1/s", "requests": 200}
    table = run_study(content)
    assert table.column("settled").bound == ">= 1.0"
    # The slowest that serves 6 GFLOP a second: each request ends as the next comes.
    (index, *_) = np.flatnonzero(table.pareto())
    assert table.row(int(index))[PEAK] == 6e9
    assert table.feasible is not None
    assert (table.feasible == ~table.unsettled).all()


def test_a_search_depends_on_its_seed_and_on_nothing_else(tmp_path: Path) -> None:
    for workers in (1, 2):
        run_study(search(16), tmp_path / str(workers), workers=workers)
    one, two = ((tmp_path / name / "table.csv").read_bytes() for name in "12")
    assert one == two
    run_study(search(16, seed=8), tmp_path / "other")
    assert (tmp_path / "other" / "table.csv").read_bytes() != one


def test_a_search_goes_on_where_it_was(tmp_path: Path) -> None:
    study = from_mapping(search(24))

    def some(check: Any) -> Any:
        pool = local_pool(study, 1, check)
        simulate, simulated = pool.simulate, 0

        def few(tasks: Any) -> Any:
            nonlocal simulated
            for row in simulate(tasks):
                if simulated == 11:
                    raise EdgesimError("the worker fell over")
                simulated += 1
                yield row

        pool.simulate = few  # type: ignore[method-assign]
        return pool

    with pytest.raises(EdgesimError, match="fell over"):
        sweep(study, tmp_path / "a", some)
    found = len(read(tmp_path / "a"))
    assert 11 <= found < 24
    swept = sweep(study, tmp_path / "a", lambda check: local_pool(study, 1, check))
    assert (swept.found, swept.simulated) == (found, 24 - found)
    run_study(study, tmp_path / "b")
    one, two = ((tmp_path / name / "table.csv").read_bytes() for name in "ab")
    assert one == two


def test_several_aims_give_a_front() -> None:
    content = search(40, minimize=[PEAK, "latency_s.mean"], subject_to=[], sampler="nsga-ii")
    table = run_study(content)
    costs = np.column_stack([table.values[PEAK], table.values["latency_s.mean"]])
    assert list(table.pareto()) == brute_force(costs)
    # The cheaper the slower, at 6 GFLOP: every peak that was tried with it is on the front.
    tried = {row[PEAK] for row in table if row[FLOP] == 6.0}
    front = {table.row(int(index))[PEAK] for index in np.flatnonzero(table.pareto())}
    assert tried <= front | {peak for peak in tried if peak not in front}
    assert len(front) > 3


def test_trials_that_fail_are_rows_and_the_search_goes_on() -> None:
    content = search(12)
    content["axes"]["model.tasks.work.memory"] = ["1 MB", "3 GB"]
    content["base"]["nodes"]["n"]["device"]["memory"] = {"capacity": "1 GB"}
    table = run_study(content)
    assert table.complete
    assert 0 < table.failed < 12
    (error,) = {error for error in table.errors if error is not None}
    assert "lacks 2,000,000,000 bytes" in error


def test_kinds_of_axes_are_chosen_from() -> None:
    content = search(30, minimize=[], maximize=["latency_s.mean"], subject_to=[])
    content["axes"] = {
        FLOP: {"from": 1e9, "to": 8e9},
        PEAK: {"from": "1 GFLOP/s", "to": "4 GFLOP/s", "scale": "log"},
        "traffic.requests": {"from": 1, "to": 5},
        "nodes.n.queue": ["fifo", "priority"],
    }
    table = run_study(content)
    assert table.failed == 0
    flop, peak = (np.asarray(table.values[key], float) for key in (FLOP, PEAK))
    assert ((flop >= 1e9) & (flop <= 8e9)).all()
    assert ((peak >= 1.0) & (peak <= 4.0)).all()
    assert set(table.values["traffic.requests"]) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert set(table.values["nodes.n.queue"]) == {"fifo", "priority"}
    # The best is 8 GFLOP on 1 GFLOP/s: 8 s; thirty draws alone reach 6 s in one of five tries.
    best = np.asarray(table.values["latency_s.mean"], float).max()
    assert best > 6.0


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install 'edgesim\[search\]'"):
        run_study(search(8))
