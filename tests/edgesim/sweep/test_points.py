"""Points by number, held to itertools."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from edgesim.sweep.axes import list_axis, range_axis
from edgesim.sweep.points import Grid, Random
from edgesim.sweep.schema import Range
from tests.edgesim.sweep.studies import FLOP, PEAK, study

A, B, C = [1, 2, 3], ["x", "y"], [0.5, 0.25, 0.125, 1.0]


def found(points: Any) -> list[tuple[Any, ...]]:
    return [
        tuple(None if one is None else one.cell for one in points.at(index))
        for index in range(points.size)
    ]


def test_a_grid_is_the_product() -> None:
    points = Grid(tuple((list_axis(key, values),) for key, values in zip("abc", (A, B, C))))
    assert points.size == 24
    assert found(points) == list(itertools.product(A, B, C))


def test_a_grid_of_zips_is_the_product_of_zips() -> None:
    pair = (list_axis("a", A), list_axis("b", ["p", "q", "r"]))
    points = Grid((pair, (list_axis("c", C),)))
    expected = [(*two, c) for two, c in itertools.product(zip(A, "pqr"), C)]
    assert found(points) == expected


def test_a_study_zips_and_lists() -> None:
    axes = {FLOP: ["1 GFLOP", "2 GFLOP"], PEAK: ["1 GFLOP/s", "4 GFLOP/s"]}
    assert found(study(axes, combine="zip").points) == [(1.0, 1.0), (2.0, 4.0)]
    assert len(found(study(axes).points)) == 4
    rows = [{FLOP: "3 GFLOP"}, {PEAK: "2 GFLOP/s"}, {FLOP: "1 GFLOP", PEAK: "5 GFLOP/s"}]
    listed = study(None, points=rows, combine="list")
    assert found(listed.points) == [(3.0, None), (None, 2.0), (1.0, 5.0)]
    assert listed.settings(listed.points.at(1)) == [(PEAK, "2 GFLOP/s")]
    grouped = study([axes, {"traffic.requests": [1, 2, 3]}])
    assert found(grouped.points) == [
        (*pair, n) for pair, n in itertools.product([(1.0, 1.0), (2.0, 4.0)], [1, 2, 3])
    ]


def test_a_trillion_points_are_counted_and_found_at_once() -> None:
    axis = range_axis("k", Range(start=0.0, stop=1.0, steps=10**6))
    points = Grid(((axis,), (axis,)))
    assert points.size == 10**12
    first, second = points.at(123_456_789_012)
    assert first == axis.at(123_456)
    assert second == axis.at(789_012)


def test_random_points_stay_when_others_are_added() -> None:
    axes = (range_axis("a", Range(start=0.0, stop=1.0)), list_axis("b", B))
    few, many = Random(axes, 5, seed=3), Random(axes, 50, seed=3)
    assert found(few) == found(many)[:5]
    with_one_more = Random((*axes, list_axis("c", C)), 5, seed=3)
    assert [row[:2] for row in found(with_one_more)] == found(few)
    assert found(Random(axes, 5, seed=4)) != found(few)
    assert len(set(found(many))) > 40


def test_random_points_of_a_study_have_a_count_and_a_seed() -> None:
    axes = {FLOP: {"from": "1 GFLOP", "to": "9 GFLOP"}}
    one = study(axes, combine={"kind": "random", "count": 7, "seed": 1})
    assert one.size == 7
    assert all(1.0 <= row[0] <= 9.0 for row in found(one.points))
    with pytest.raises(Exception, match="random needs a 'count', such as 100"):
        study(axes, combine="random")
