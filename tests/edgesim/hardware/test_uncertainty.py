"""Quantiles of a device's errors: ranks of conformal prediction, and how often they hold."""

from __future__ import annotations

from math import ceil, exp, log

import numpy as np
import pytest

from edgesim.calibrate import left_out
from edgesim.calibrate.families import FAMILIES
from edgesim.graph import zoo
from edgesim.hardware import catalog
from edgesim.hardware.uncertainty import (
    NEAR,
    OTHERS,
    Conditions,
    Residual,
    error_of,
    residuals,
    slowed,
    time_error,
)

HERE = Conditions(family="arm", device="pi", runtime="tflite", precision="fp32")


def rows(sizes: list[float], **changes: str) -> list[Residual]:
    """Residuals of these absolute logarithms, below and above in turn."""
    at = Conditions(
        **{**{"family": "arm", "device": "x", "runtime": "ncnn", "precision": "int8"}, **changes}
    )
    return [
        Residual(at=at, model=str(i), source="s", errors={"model": size if i % 2 else -size})
        for i, size in enumerate(sizes)
    ]


@pytest.mark.parametrize("many", [10, 19, 99])
def test_alike_rows_give_the_rank_of_conformal_prediction(many: int) -> None:
    """Of n rows as near as the one to come, the size at 90 % is the ceil(0.9 (n + 1))-th."""
    sizes = [0.01 * (i + 1) for i in range(many)]
    found = time_error(HERE, rows(sizes, device="pi", runtime="tflite", precision="fp32"), "model")
    assert found.size(0.9) == pytest.approx(sizes[ceil(0.9 * (many + 1)) - 1])
    assert found.range_90() == pytest.approx((exp(-found.size(0.9)), exp(found.size(0.9))))
    assert found.factor(0.5) == pytest.approx(1.0, abs=0.02)


def test_few_rows_give_the_widest_that_is_known() -> None:
    assert time_error(HERE, rows([0.1, 0.3, 0.2]), "model").size(0.9) == 0.3


def test_rows_count_by_how_near_they_are() -> None:
    """Two near rows of weight NEAR² each against two far ones of weight 1, and one to come."""
    near = rows([0.1, 0.2], device="pi", runtime="tflite", precision="fp32")
    found = time_error(HERE, [*rows([0.3, 0.4]), *near], "model")
    whole = 3 * NEAR**2 + 2
    expected = np.cumsum([NEAR**2, NEAR**2, 1.0, 1.0]) / whole
    assert found.levels == pytest.approx(expected)
    assert found.rows == 4


def test_all_other_families_count_as_so_many_rows_together() -> None:
    found = time_error(HERE, [*rows([0.5]), *rows([0.1, 0.2, 0.3], family="nvidia")], "model")
    each = OTHERS / 3
    expected = np.cumsum([each, each, each, 1.0]) / (OTHERS + 1.0 + NEAR**2)
    assert found.levels == pytest.approx(expected)
    assert found.rows == 1


@pytest.mark.parametrize("many", [20, 200])
def test_ranges_of_synthetic_errors_hold_nine_in_ten(many: int) -> None:
    """Errors with heavy tails (Student's t of 3), whose distribution is the same everywhere.

    Conformal prediction promises at least 90 % on average, and at most 1 / (n + 1) more. Of 4,000
    trials the standard error is 0.5 %.
    """
    generator = np.random.default_rng(4)
    near = {"device": "pi", "runtime": "tflite", "precision": "fp32"}
    inside = 0
    for _ in range(4000):
        draws = np.abs(generator.standard_t(3, many + 1)) / 5
        inside += draws[-1] <= time_error(HERE, rows(draws[:-1].tolist(), **near), "model").size(
            0.9
        )
    assert 0.885 <= inside / 4000 <= 0.915 + 1 / (many + 1)


@pytest.mark.parametrize("without", ["model", "source"])
def test_ranges_of_the_catalog_hold_when_made_without_what_they_are_of(without: str) -> None:
    held = left_out.coverage(residuals()[0], without)  # type: ignore[arg-type]
    assert 0.85 <= np.mean([one.inside for one in held]) <= 0.95
    for family in FAMILIES:
        own = [one.inside for one in held if one.row.at.family == family]
        # Above: a family of two sources has few rows to make a range of, so it is wide.
        assert 0.85 <= np.mean(own) <= (0.95 if without == "model" else 0.98), family


def test_residuals_of_the_catalog_are_those_of_todays_rows() -> None:
    """`python -m edgesim.calibrate --write` was run after the last change of published times."""
    known, families = residuals()
    assert families == {name: f for f in FAMILIES for name in left_out.members(f)}
    today = [row for family in FAMILIES for row in left_out.fitted_rows(family)]
    assert [(one.at.device, one.at.runtime, one.at.precision, one.model) for one in known] == [
        (row.device, row.published.runtime, row.published.precision, row.architecture)
        for row in today
    ]


def test_residuals_are_of_fits_that_did_not_see_the_row() -> None:
    known = [one for one in residuals()[0] if one.at.family == "jetson"]
    for one, again in zip(known, left_out.residuals_of("jetson"), strict=True):
        assert one.errors == pytest.approx(again.errors, abs=2e-4)
    seen = left_out.fit("jetson")
    errors = [
        abs(log(seen.time_s(row) / row.published.latency_s))
        for row in left_out.fitted_rows("jetson")
    ]
    assert np.mean(errors) < 0.6 * np.mean([abs(one.errors["model"]) for one in known])


def test_a_device_takes_the_errors_that_are_known_of_it() -> None:
    def without(name: str, precision: str) -> str:
        found = error_of(catalog.device(name), precision)
        assert found is not None
        return found.without

    assert without("raspberry-pi-4b", "fp32") == "model"
    assert without("raspberry-pi-5", "fp16") == "source"
    assert without("nvidia-h100", "fp16") == "device"
    assert error_of(catalog.device("4f-lcos-pluto"), "fp32") is None
    amended = {"base": "raspberry-pi-4b", "memory": {"capacity": "8 GiB"}}
    found = error_of(catalog.from_mapping("mine", amended), "fp32")
    assert found is not None
    assert found.range_90() == error_of(catalog.device("raspberry-pi-4b"), "fp32").range_90()  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["raspberry-pi-4b", "4f-lcos-pluto", "albireo"])
def test_a_slow_device_takes_a_factor_of_the_time_at_the_same_power(name: str) -> None:
    device, graph = catalog.device(name), zoo.build("resnet18")
    precision = device.precisions()[0]
    one, other = (each.graph_cost(graph, precision, 2) for each in (device, slowed(device, 1.5)))
    assert other.time_s == pytest.approx(1.5 * one.time_s)
    assert other.power_w == one.power_w
    assert sum(other.by_part_j.values()) == pytest.approx(1.5 * sum(one.by_part_j.values()))
    assert slowed(device, 2.0).name == device.name
