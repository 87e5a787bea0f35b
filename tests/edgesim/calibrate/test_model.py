"""The time of a row: against the processor's formula, a hand count, and finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesim.calibrate.model import RUNTIME_FACTORS, Unknowns, log_time
from edgesim.calibrate.rows import (
    KINDS,
    PRODUCTS,
    Array,
    Kernels,
    Row,
    as_written,
    graph_of,
    rows,
    tabulate,
)
from edgesim.graph import OpKind

FUSED: dict[str, frozenset[OpKind]] = {
    # What runtimes fuse on a card where that is not what its entry says.
    "pytorch-eager": frozenset(),
    "pytorch-compiled": frozenset(
        {
            OpKind.BATCHNORM,
            OpKind.ACTIVATION,
            OpKind.ELEMENTWISE,
            OpKind.SOFTMAX,
            OpKind.ATTENTION,
        }
    ),
    "fastertransformer": frozenset(OpKind)
    - {
        OpKind.LINEAR,
        OpKind.CONV,
        OpKind.DEPTHWISE,
        OpKind.POOL,
        OpKind.MEMORY,
        OpKind.GENERIC,
    },
}
FUSED["aitemplate"] = FUSED["fastertransformer"]
ROWS = [row for name in ("raspberry-pi-4b", "nvidia-a100", "jetson-nano") for row in rows(name)]


def unknowns_of(row: Row) -> Unknowns:
    return Unknowns(tuple(as_written(row.device).peak_flop_s))


def drawn(row: Row, seed: int) -> Array:
    """Any plausible unknowns."""
    generator = np.random.default_rng(seed)
    unknowns = unknowns_of(row)
    values = np.log(generator.uniform(0.02, 1.0, unknowns.size))
    values[unknowns.OVERHEAD] = np.log(generator.uniform(1e-6, 1e-4))
    values[unknowns.HALF] = np.log(generator.uniform(1e2, 1e5))
    return values


def time_of(row: Row, values: Array, *, peak: float = 1.0, bandwidth: float = 1.0) -> float:
    device, precision = as_written(row.device), row.published.precision
    logarithm, _ = log_time(
        row.kernels,
        unknowns_of(row).shares(precision),
        values,
        peak * device.peak_flop_s[precision],
        bandwidth * device.memory.bandwidth_byte_s,
        row.published.clock_ratio,
    )
    return float(np.exp(logarithm[0]))


@pytest.mark.parametrize("row", ROWS[::4], ids=lambda row: f"{row.device}-{row.published.model}")
def test_a_row_takes_what_the_processor_says(row: Row) -> None:
    values, unknowns, precision = drawn(row, 1), unknowns_of(row), row.published.precision
    device, ratio = as_written(row.device), row.published.clock_ratio
    shares = dict(zip(KINDS, np.exp(values[unknowns.shares(precision)]), strict=True))
    device = replace(
        device,
        peak_flop_s={key: ratio * rate for key, rate in device.peak_flop_s.items()},
        efficiency={precision: shares},
        memory=replace(
            device.memory,
            bandwidth_byte_s=device.memory.bandwidth_byte_s * np.exp(values[unknowns.BANDWIDTH]),
        ),
        launch_overhead_s=np.exp(values[unknowns.OVERHEAD]) / ratio,
        half_saturation=np.exp(values[unknowns.HALF]),
        fused=FUSED.get(row.published.runtime, device.fused),
    )
    graph = graph_of(row.published)
    assert graph is not None
    expected = device.graph_cost(graph, precision, row.published.batch).time_s
    assert time_of(row, values) == pytest.approx(expected, rel=1e-9)


def one_kernel(**given: Array) -> Kernels:
    """One kernel, of which only what is given is not nothing."""
    parts = {
        "flop": np.zeros((1, len(PRODUCTS))),
        "depth_flop": np.zeros((1, len(PRODUCTS))),
        "bytes": np.zeros(1),
        "moves": np.array([-1]),
    }
    return Kernels(starts=np.array([0]), **{**parts, **given})


def test_one_product_by_hand() -> None:
    """2 MFLOP at 0.25 of 1 GFLOP/s: 8 ms; 500 outputs with half at 1000: three times; 1 ms more."""
    unknowns, shares = Unknowns(("fp32",)), Unknowns(("fp32",)).shares("fp32")
    values = np.zeros(unknowns.size)
    values[unknowns.OVERHEAD], values[unknowns.HALF] = np.log(1e-3), np.log(1000.0)
    values[shares.start + PRODUCTS.index(OpKind.LINEAR)] = np.log(0.25)
    flop, depth_flop = np.zeros((2, 1, len(PRODUCTS)))
    flop[0, 0], depth_flop[0, 0] = 2e6, 2e6 / 500
    kernel = one_kernel(flop=flop, depth_flop=depth_flop, bytes=np.array([1e6]))
    time, _ = log_time(kernel, shares, values, 1e9, 1e9)
    assert np.exp(time[0]) == pytest.approx(24e-3 + 1e-3, rel=1e-12)
    # With a tenth of the bandwidth the 1 MB takes 50 ms, and hides the product.
    time, _ = log_time(kernel, shares, values, 1e9, 2e7)
    assert np.exp(time[0]) == pytest.approx(50e-3 + 1e-3, rel=1e-12)


def test_one_move_by_hand() -> None:
    """1 MB at 0.5 of 0.8 of 1 GB/s: 2.5 ms, and 1 ms of launch."""
    unknowns, shares = Unknowns(("fp32",)), Unknowns(("fp32",)).shares("fp32")
    values = np.zeros(unknowns.size)
    values[unknowns.OVERHEAD], values[unknowns.BANDWIDTH] = np.log(1e-3), np.log(0.8)
    values[shares.start + KINDS.index(OpKind.POOL)] = np.log(0.5)
    index = KINDS.index(OpKind.POOL) - len(PRODUCTS)
    kernel = one_kernel(bytes=np.array([1e6]), moves=np.array([index]))
    time, _ = log_time(kernel, shares, values, 1e9, 1e9)
    assert np.exp(time[0]) == pytest.approx(2.5e-3 + 1e-3, rel=1e-12)


@pytest.mark.parametrize("row", ROWS[::9], ids=lambda row: f"{row.device}-{row.published.model}")
def test_the_gradient_is_that_of_finite_differences(row: Row) -> None:
    values, device = drawn(row, 2), as_written(row.device)
    peak = device.peak_flop_s[row.published.precision]
    bandwidth = device.memory.bandwidth_byte_s

    shares = unknowns_of(row).shares(row.published.precision)
    clock_ratio = row.published.clock_ratio

    def at(values: Array) -> Array:
        return log_time(row.kernels, shares, values, peak, bandwidth, clock_ratio)[0]

    _, (gradient,) = log_time(row.kernels, shares, values, peak, bandwidth, clock_ratio)
    step = 1e-7
    for index in range(len(values)):
        ahead, behind = values.copy(), values.copy()
        ahead[index] += step
        behind[index] -= step
        # Central differences: rounding of about 1e-16 / 1e-7, as no kernel is within a step of
        # its kink for these draws.
        (slope,) = (at(ahead) - at(behind)) / (2 * step)
        assert gradient[index] == pytest.approx(slope, abs=1e-7)


def test_time_runs_backwards_with_all_rates_and_forwards_with_launches() -> None:
    """Twice the peak and the bandwidth and half the launches halve the time: shares sum to one."""
    row = rows("jetson-nano")[0]
    values, unknowns = drawn(row, 3), unknowns_of(row)
    faster = values.copy()
    faster[unknowns.OVERHEAD] -= np.log(2.0)
    assert time_of(row, faster, peak=2.0, bandwidth=2.0) == pytest.approx(
        time_of(row, values) / 2, rel=1e-12
    )


def test_graphs_together_take_what_each_takes_alone() -> None:
    graphs = [(graph_of(row.published), batch) for row in ROWS[:2] for batch in (1, 3)]
    unknowns, values = Unknowns(("fp32",)), drawn(ROWS[0], 5)[: 3 + len(KINDS)]
    shares = unknowns.shares("fp32")
    both, slopes = log_time(tabulate(graphs, frozenset(), "fp32"), shares, values, 1e9, 1e9)
    for index, one in enumerate(graphs):
        alone, slope = log_time(tabulate([one], frozenset(), "fp32"), shares, values, 1e9, 1e9)
        assert both[index] == pytest.approx(alone[0], rel=1e-12)
        assert slopes[index] == pytest.approx(slope[0], rel=1e-9, abs=1e-12)


@settings(max_examples=25)
@given(
    index=st.integers(0, len(ROWS) - 1),
    seed=st.integers(0, 1000),
    peak=st.floats(1.0, 8.0),
    bandwidth=st.floats(1.0, 8.0),
)
def test_more_peak_or_bandwidth_never_takes_longer(
    index: int, seed: int, peak: float, bandwidth: float
) -> None:
    row = ROWS[index]
    values = drawn(row, seed)
    usual = time_of(row, values)
    assert time_of(row, values, peak=peak) <= usual * (1 + 1e-12)
    assert time_of(row, values, bandwidth=bandwidth) <= usual * (1 + 1e-12)
    both = time_of(row, values, peak=peak, bandwidth=bandwidth)
    assert both <= min(
        time_of(row, values, peak=peak), time_of(row, values, bandwidth=bandwidth)
    ) * (1 + 1e-12)


@settings(max_examples=25)
@given(index=st.integers(0, len(ROWS) - 1), seed=st.integers(0, 1000), which=st.integers(0, 14))
def test_more_of_any_share_never_takes_longer(index: int, seed: int, which: int) -> None:
    row = ROWS[index]
    values, unknowns = drawn(row, seed), unknowns_of(row)
    places = [unknowns.BANDWIDTH, *range(*unknowns.shares(row.published.precision).indices(99))]
    more = values.copy()
    more[places[which % len(places)]] += 0.5
    assert time_of(row, more) <= time_of(row, values) * (1 + 1e-12)
    more = values.copy()
    more[[unknowns.OVERHEAD, unknowns.HALF]] += 0.5
    assert time_of(row, more) > time_of(row, values)


@pytest.mark.parametrize("factor", range(len(RUNTIME_FACTORS)))
def test_factors_of_a_runtime_act_on_what_they_name(factor: int) -> None:
    """A whole-time factor of 2 doubles the time; one of a kind slows kernels of that kind alone."""
    row = next(row for row in rows("raspberry-pi-4b") if row.published.model == "mobilenetv2_100")
    values, precision = drawn(row, 4), row.published.precision
    unknowns, name = unknowns_of(row), RUNTIME_FACTORS[factor]
    # Slow products, so that memory hides none of them.
    start = unknowns.shares(precision).start
    values[start : start + len(PRODUCTS)] = np.log(0.01)
    factors = np.zeros(len(RUNTIME_FACTORS))
    factors[factor] = np.log(2.0)
    slowed = values + unknowns.runtime(precision) @ factors
    ratio = time_of(row, slowed) / time_of(row, values)
    if name == "time":
        assert ratio == pytest.approx(2.0, rel=1e-12)
    else:
        # MobileNetV2 has no product of two activations.
        assert (ratio == 1.0) if name == OpKind.ATTENTION else (1.0 < ratio < 2.0)
        assert np.count_nonzero(slowed != values) == (8 if name == "moves" else 1)
