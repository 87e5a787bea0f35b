"""Values of axes, held to numpy's ranges and to units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgesim.api import place
from edgesim.common import units
from edgesim.common.errors import InputError
from edgesim.scenario.document import parse
from edgesim.sweep import axes
from edgesim.sweep.axes import Axis, RangeAxis, RangeError, list_axis
from edgesim.sweep.reader import from_mapping
from edgesim.sweep.schema import Range
from tests.edgesim.scenario.cases import BASE


def range_axis(
    key: str, start: Any, stop: Any, steps: int | None, scale: Any, integer: bool
) -> Axis:
    given = Range(start=start, stop=stop, steps=steps, scale=scale, integer=integer)
    return axes.range_axis(key, given)


def cells(axis: Any) -> list[Any]:
    return [axis.at(index).cell for index in range(len(axis))]


def settings(axis: Any) -> list[Any]:
    return [axis.at(index).setting for index in range(len(axis))]


@given(start=st.floats(1e-6, 1e6), factor=st.floats(1.001, 1e6), steps=st.integers(2, 50))
def test_a_log_range_is_numpys_geomspace(start: float, factor: float, steps: int) -> None:
    axis = range_axis("k", start, start * factor, steps, "log", False)
    # Inner values are rounded to twelve digits.
    np.testing.assert_allclose(cells(axis), np.geomspace(start, start * factor, steps), rtol=1e-11)
    assert cells(axis)[0] == start
    assert cells(axis)[-1] == start * factor


@given(start=st.floats(-1e6, 1e6), width=st.floats(1e-3, 1e6), steps=st.integers(2, 50))
def test_a_linear_range_is_numpys_linspace(start: float, width: float, steps: int) -> None:
    axis = range_axis("k", start, start + width, steps, "linear", False)
    expected = np.linspace(start, start + width, steps)
    np.testing.assert_allclose(cells(axis), expected, rtol=1e-11, atol=1e-11 * 2e6)


def test_inner_values_read_as_people_write_them() -> None:
    assert cells(range_axis("k", 0.1, 1.0, 10, "linear", False)) == [
        0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0,
    ]  # fmt: skip


def test_a_range_goes_down_as_well_as_up() -> None:
    assert cells(range_axis("k", 4, 1, 4, "linear", False)) == [4, 3, 2, 1]


def test_an_axis_of_strategies_leaves_out_the_keys_of_the_others() -> None:
    base = parse(BASE.replace("single", "class-wise, submodels: 2, fusion: hub")).data
    strategies = ["class-wise", "replicate", "single"]
    study = from_mapping({"base": base, "axes": {"placement.strategy": strategies}})
    assert study.notes == tuple(
        f"placement.strategy {name} does not take submodels, fusion: left out"
        for name in strategies[1:]
    )
    pairs = {"placement.strategy": strategies * 2, "seed": [1, 1, 1, 2, 2, 2]}
    again = from_mapping({"base": base, "axes": pairs, "combine": "zip"})
    assert again.notes == study.notes
    scenarios = [study.scenario(point) for point in range(study.size)]
    assert [one.strategy for one in scenarios] == strategies
    assert [list(place(one).details) for one in scenarios][1:] == [["copies"], ["node"]]


def test_an_axis_of_a_node_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no node is named 'pii' \(did you mean 'pi'\?\)$"):
        from_mapping({"base": parse(BASE).data, "axes": {"nodes.pii.count": [3, 4]}})


def test_units_are_kept_as_they_are_written() -> None:
    axis = range_axis("k", "1 W", "10 W", 4, "linear", False)
    assert settings(axis) == ["1.0 W", "4.0 W", "7.0 W", "10.0 W"]
    assert axis.column.unit == "W"
    axis = range_axis("k", "0.5/s", "2/s", 2, "linear", False)
    assert settings(axis) == ["0.5/s", "2.0/s"]
    assert [units.parse(one, "rate") for one in settings(axis)] == [0.5, 2.0]


@pytest.mark.parametrize(
    ("start", "stop", "dimension"),
    [("100 Mbit/s", "1 Gbit/s", "bandwidth"), ("1 GiB", "4096 MiB", "bytes"),
     ("250 us", "1 ms", "time")],
)  # fmt: skip
def test_units_of_both_ends_may_differ(start: str, stop: str, dimension: str) -> None:
    axis = range_axis("k", start, stop, 5, "linear", False)
    ends = units.parse(start, dimension), units.parse(stop, dimension)
    found = [units.parse(one, dimension) for one in settings(axis)]
    np.testing.assert_allclose(found, np.linspace(*ends, 5), rtol=1e-12)


def test_whole_numbers_stay_whole() -> None:
    axis = range_axis("k", 1, 10, 4, "linear", False)
    assert settings(axis) == [1, 4, 7, 10]
    assert all(type(one) is int for one in settings(axis))
    assert axis.column.integer
    assert settings(range_axis("k", 2, 5, None, "linear", False)) == [2, 3, 4, 5]
    assert settings(range_axis("k", 5, 2, None, "linear", True)) == [5, 4, 3, 2]


def test_rounded_numbers_come_once() -> None:
    axis = range_axis("k", 1, 100, 9, "log", True)
    expected = list(dict.fromkeys(int(one) for one in np.rint(np.geomspace(1, 100, 9))))
    assert settings(axis) == expected == [1, 2, 3, 6, 10, 18, 32, 56, 100]
    assert settings(range_axis("k", 1, 3, 9, "linear", True)) == [1, 2, 3]


def test_a_billion_steps_are_not_listed() -> None:
    axis = range_axis("k", 0.0, 1.0, 10**9, "linear", False)
    assert len(axis) == 10**9
    assert axis.at(250_000_000).cell == pytest.approx(0.25, rel=1e-8)


@pytest.mark.parametrize(
    ("start", "stop", "steps", "scale", "integer", "key", "message"),
    [
        (0, 10, 3, "log", False, "from", "above 0"),
        (1, -1, 3, "log", False, "to", "above 0"),
        (1, 2, 1, "linear", False, "steps", "at least 2 steps"),
        (1.5, 2, 2, "linear", True, "integer", "whole numbers"),
        ("1 W", "2 s", 2, "linear", False, "to", "a unit like that of 'from', 'W'"),
        (1, "2 W", 2, "linear", False, "to", "no unit"),
        ("one", 2, 2, "linear", False, "from", "a number or a quantity"),
        (1, None, 2, "linear", False, "to", "a number or a quantity"),
        (True, 2, 2, "linear", False, "from", "a number or a quantity"),
        (float("inf"), 2, 2, "linear", False, "from", "a number or a quantity"),
        (1, 10**7, 10**7 - 1, "log", True, "steps", "at most 1,000,000 steps to round"),
    ],
)
def test_ends_that_do_not_go_together_are_told(
    start: Any, stop: Any, steps: Any, scale: Any, integer: bool, key: str, message: str
) -> None:
    with pytest.raises(RangeError) as raised:
        range_axis("k", start, stop, steps, scale, integer)
    assert raised.value.key == key
    assert message in str(raised.value)


def test_lists_of_quantities_become_numbers_of_one_unit() -> None:
    axis = list_axis("k", ["100 Mbit/s", "1 Gbit/s"])
    assert settings(axis) == ["100 Mbit/s", "1 Gbit/s"]
    assert cells(axis) == [100.0, 1000.0]
    assert (axis.column.kind, axis.column.unit) == ("number", "Mbit/s")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1, 2], [1, 2]),
        ([1, 2.5], [1.0, 2.5]),
        (["a", "b"], ["a", "b"]),
        (["3 apples", "4 apples"], ["3 apples", "4 apples"]),
        (["1 W", "2 s"], ["1 W", "2 s"]),
        ([True, False], ["true", "false"]),
        ([1, 2**63], ["1", "9223372036854775808"]),
        ([None, 1], ["null", "1"]),
        ([{"cv": 0.1}, [1, 2]], ['{"cv": 0.1}', "[1, 2]"]),
        (["0.5", "50 %"], [0.5, 0.5]),
    ],
)
def test_lists_are_numbers_or_text(values: list[Any], found: list[Any]) -> None:
    axis = list_axis("k", values)
    assert settings(axis) == values
    assert cells(axis) == found
    assert [type(one) for one in cells(axis)] == [type(one) for one in found]


def test_draws_fill_a_range_evenly() -> None:
    generator = np.random.default_rng(7)
    axis = range_axis("k", 1.0, 100.0, None, "log", False)
    drawn = np.array([axis.draw(generator).cell for _ in range(4_000)], float)
    assert drawn.min() >= 1.0
    assert drawn.max() <= 100.0
    # On the scale's logarithm uniform: mean 1/2, and its deviation over √4000 is 0.0046.
    assert np.log10(drawn).mean() / 2 == pytest.approx(0.5, abs=4 * 0.0046)
    whole = range_axis("k", 1, 4, None, "linear", False)
    assert isinstance(whole, RangeAxis)
    counts = np.bincount([int(whole.draw(generator).cell or 0) for _ in range(4_000)])
    # Each of four is drawn 1,000 times, with a deviation of √(4000 · 3/16) = 27.
    assert np.abs(counts[1:] - 1_000).max() < 4 * 27.4
