"""Sensitivity of results to axes, held to variances worked out by hand and to SALib."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgesim.sweep.reader import from_mapping
from edgesim.sweep.run import run_study
from edgesim.sweep.sensitivity import Effect, design, effect, effects, meaning
from edgesim.sweep.table import Column, Table
from tests import needs
from tests.edgesim.sweep.studies import FLOP, PEAK, mapping

Y = "latency_s.mean"


def table(result: Any, **axes: Any) -> Table:
    """Return a study of axes, texts or numbers, and one result."""
    rows = len(result)
    columns = [
        Column(name=key, role="axis", kind="text" if isinstance(one, tuple) else "number")
        for key, one in axes.items()
    ]
    return Table(
        name="study", size=rows, columns=(*columns, Column(name=Y, role="result", unit="s")),
        point=np.arange(rows), values={**axes, Y: np.asarray(result, float)},
        errors=tuple("failed" if math.isnan(one) else None for one in result),
    )  # fmt: skip


def of(study: Table) -> dict[str, Effect]:
    return {axis: one for (_, axis), one in effects(study).items()}


def grid(*sizes: int) -> list[Any]:
    return [one.ravel().astype(float) for one in np.meshgrid(*map(np.arange, sizes))]


def test_shares_of_a_sum_are_its_terms_variances() -> None:
    one, two = grid(4, 6)
    found = of(table(3 * one + two + 1e6, one=one, two=two))
    # Variances of 4 and of 6 equal steps: (n² - 1) / 12.
    terms = np.array([9 * 15 / 12, 35 / 12])
    shares = [found[axis].share for axis in ("one", "two")]
    assert shares == pytest.approx(terms / terms.sum(), rel=1e-9)
    assert [found[axis].total for axis in ("one", "two")] == pytest.approx(shares, rel=1e-9)
    assert found["one"].span == pytest.approx(9.0)


def test_a_pure_interaction_is_in_the_total_effects_alone() -> None:
    one, two = grid(3, 3)
    for axis in of(table((one - 1) * (two - 1), one=one, two=two)).values():
        assert (axis.share, axis.total) == pytest.approx((0.0, 1.0))


def test_an_axis_of_many_values_is_not_grouped_over_a_grid() -> None:
    # Forty rates times five sizes, as the study of five Pis; exact: all variance but the size's.
    one, two = grid(40, 5)
    found = of(table(np.cos(np.pi * one) + 0.1 * two, one=one, two=two))
    whole = 1.0 + 0.01 * 24 / 12
    assert found["one"].share == pytest.approx(1.0 / whole, rel=1e-9)
    assert found["two"].share == pytest.approx(0.02 / whole, rel=1e-9)


def test_a_function_of_repeated_values_explains_all() -> None:
    # Thirteen values, in alternation high and low: groups of neighbours would see nothing.
    for rows in (20, 13 * 20):
        values = np.arange(rows) % 13.0
        drawn = table(values % 2, one=values, two=np.random.default_rng(1).uniform(size=rows))
        assert of(drawn)["one"].share == pytest.approx(1.0)


def test_blank_cells_are_a_value_of_their_own() -> None:
    # As `combine: list` writes them: where the base scenario's value stays.
    values = np.tile([*np.arange(14.0), np.nan], 4)
    result = np.where(np.isnan(values), 5.0, values)
    other = np.random.default_rng(2).uniform(size=60)
    found = of(table(result, one=values, two=other))
    assert found["one"].share == pytest.approx(1.0)
    assert found["one"].levels == 15
    # Values that hardly repeat, and blank cells beside them.
    values = np.where(np.arange(200) < 150, np.arange(200.0), np.nan)
    found = of(table(np.isnan(values) * 1.0, one=values, two=other[np.arange(200) % 60]))
    assert found["one"].share == pytest.approx(1.0)


def test_an_axis_without_effect_has_no_share_of_samples() -> None:
    noise = np.random.default_rng(3)
    values, result = noise.integers(0, 40, 120).astype(float), noise.normal(size=120)
    shares = [of(table(noise.permutation(result), one=values))["one"].share for _ in range(200)]
    # Plain shares would be 33 % in the mean: 39 of 119 degrees of freedom.
    assert np.mean(shares) < 0.06


def test_axes_that_go_together_are_one_factor() -> None:
    one, two = grid(4, 3)
    found = of(table(one + two, one=one, same=tuple(f"v{value:.0f}" for value in one), two=two))
    assert found["one"] == found["same"]
    assert found["one"].total == pytest.approx((15 / 12) / (15 / 12 + 8 / 12), rel=1e-9)


def test_what_does_not_vary_has_no_shares() -> None:
    levels = np.array([0, 0, 1, 1])
    assert math.isnan(effect(levels, np.full(4, 0.1 + 0.2)).share)
    assert math.isnan(effect(levels, np.full(4, np.nan)).share)
    assert effect(levels, np.array([1.0, 1.0, 2.0, np.nan])).share == pytest.approx(1.0)


def test_ishigami_s_published_indices() -> None:
    # f = sin x1 + 7 sin² x2 + 0.1 x3⁴ sin x1: S1 = 0.3139, S2 = 0.4424, S3 = 0 (Ishigami and Homma,
    # 1990). Of 32 groups instead of the whole axis, and drawn by chance: two digits.
    x = np.random.default_rng(5).uniform(-np.pi, np.pi, (3, 100_000))
    found = of(table(ishigami(x), one=x[0], two=x[1], three=x[2]))
    shares = [found[axis].share for axis in ("one", "two", "three")]
    assert shares == pytest.approx([0.3139, 0.4424, 0.0], abs=0.01)


def ishigami(x: Any) -> Any:
    return np.sin(x[0]) + 7 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0])


def salib(function: Callable[[Any], Any], sizes: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """Return levels that SALib samples, shape (axes, rows), their results, and SALib's indices."""
    from SALib.analyze import sobol
    from SALib.sample import sobol as samples

    names = [str(index) for index in range(len(sizes))]
    problem = {"num_vars": len(sizes), "names": names, "bounds": [[0, 1]] * len(sizes)}
    drawn = samples.sample(problem, 4096, calc_second_order=False, seed=4)
    levels = np.minimum((drawn * sizes).astype(np.int64), np.array(sizes) - 1).T
    result = function(levels)
    found = sobol.analyze(problem, result, calc_second_order=False, seed=4)
    return levels, result, found


def test_shares_and_total_effects_are_those_of_salib() -> None:
    needs.SALIB.require()
    sizes = (16, 14, 5)

    def function(levels: Any) -> Any:
        return ishigami([(one + 0.5) / size * 2 * np.pi - np.pi
                         for one, size in zip(levels, sizes)])  # fmt: skip

    levels, result, found = salib(function, sizes)
    whole = [one.ravel() for one in np.meshgrid(*map(np.arange, sizes), indexing="ij")]
    exact = of(table(function(whole), **{f"x{i}": one * 1.0 for i, one in enumerate(whole)}))
    for axis in range(3):
        rest = [one for one in range(3) if one != axis]
        others = np.ravel_multi_index(tuple(levels[rest]), tuple(sizes[one] for one in rest))
        same = effect(levels[axis], result, others)
        # The half widths of SALib's own 95 % intervals, twice; and a digit for ours.
        near = {"S1": 2 * found["S1_conf"][axis] + 0.01, "ST": 2 * found["ST_conf"][axis] + 0.01}
        assert same.share == pytest.approx(found["S1"][axis], abs=near["S1"])
        assert same.total == pytest.approx(found["ST"][axis], abs=near["ST"])
        grid_of_all = exact[f"x{axis}"]
        assert grid_of_all.share == pytest.approx(found["S1"][axis], abs=near["S1"])
        assert grid_of_all.total == pytest.approx(found["ST"][axis], abs=near["ST"])


def test_it_is_said_where_shares_are_no_sobol_indices() -> None:
    axes = {FLOP: ["1 GFLOP", "2 GFLOP"], PEAK: ["1 GFLOP/s", "2 GFLOP/s"]}
    whole = run_study(mapping(axes))
    assert meaning(whole).startswith("The points are a full grid: S is the first-order Sobol")
    assert design(whole).others
    drawn = run_study(mapping(axes, combine={"kind": "random", "count": 7}))
    assert meaning(drawn).startswith("The points are no full grid. S estimates")
    more = {"model.tasks.work.cores": [1, 7], "nodes.n.device.cores": [1, 7]}
    failing = run_study(mapping({**axes, **more}))
    assert meaning(failing).startswith("4 of 16 points have no result, so S is no Sobol index")
    assert all(math.isnan(one.total) for one in effects(failing).values())


@needs.OPTUNA.mark
def test_it_is_said_that_a_search_chose_the_points() -> None:
    axes = {FLOP: ["1 GFLOP", "2 GFLOP"]}
    search = from_mapping(mapping(axes, optimize={"minimize": Y, "trials": 4}))
    assert meaning(run_study(search)).startswith("A search chose the points")
