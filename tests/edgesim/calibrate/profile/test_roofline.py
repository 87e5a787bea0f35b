"""A fit finds the roofline that made the times, and says how far off it is where none did."""

from __future__ import annotations

import numpy as np
import pytest

from edgesim.calibrate.profile import operators, roofline
from edgesim.calibrate.rows import Array
from edgesim.graph import OpKind
from edgesim.hardware.processor import Memory, Processor

PEAK, BANDWIDTH = 90e9, 25e9
SHARES = {
    "linear": 0.8, "attention": 0.5, "conv": 0.4, "depthwise": 0.1, "norm": 0.3, "softmax": 0.25,
    "transcendental": 0.2, "elementwise": 0.9, "memory": 0.7, "activation": 0.85,
    "batchnorm": 0.6, "pool": 0.45,
}  # fmt: skip
TRUTH = Processor(
    name="truth",
    peak_flop_s={"fp32": PEAK},
    efficiency={"fp32": SHARES},
    half_saturation=300.0,
    launch_overhead_s=4e-6,
    memory=Memory(bandwidth_byte_s=3 * BANDWIDTH),
    fused=frozenset(operators.FUSED),
)


SAMPLES = operators.samples("cpu", "fp32")


def times_s() -> Array:
    """Return the time of each operator on the device of the truth."""
    costs = [TRUTH.graph_cost(one.graph, "fp32", one.batch) for one in SAMPLES]
    return np.array([cost.time_s for cost in costs])


def fit(measured_s: Array) -> roofline.Roofline:
    return roofline.fit(
        SAMPLES, measured_s, peak_flop_s=PEAK, bandwidth_byte_s=BANDWIDTH, precision="fp32"
    )


@pytest.fixture(scope="module")
def exact() -> roofline.Roofline:
    return fit(times_s())


def test_recovers_what_made_the_times(exact: roofline.Roofline) -> None:
    # The faint pull towards the usual leaves a part in a thousand.
    device = exact.device
    assert device.launch_overhead_s == pytest.approx(4e-6, rel=0.02)
    assert device.half_saturation == pytest.approx(300.0, rel=0.05)
    for kind in ("linear", "attention", "conv", "depthwise"):
        assert device.efficiency["fp32"][kind] == pytest.approx(SHARES[kind], rel=0.05), kind
    # Only share times bandwidth shows in the times of what moves data.
    for kind in ("norm", "softmax", "transcendental", "batchnorm", "pool"):
        seen = device.efficiency["fp32"][kind] * device.memory.bandwidth_byte_s
        assert seen == pytest.approx(SHARES[kind] * 3 * BANDWIDTH, rel=0.1), kind


def test_tells_times_of_operators_that_it_did_not_see(exact: roofline.Roofline) -> None:
    assert np.median(abs(exact.errors)) < 0.01
    assert np.median(abs(exact.held_out)) < 0.01


def test_errors_are_those_of_the_device_that_is_written(exact: roofline.Roofline) -> None:
    found = [exact.device.graph_cost(one.graph, "fp32", one.batch).time_s for one in SAMPLES]
    np.testing.assert_allclose(found / times_s() - 1, exact.errors, rtol=1e-9, atol=1e-12)


def test_noise_shows_in_the_errors() -> None:
    generator = np.random.default_rng(3)
    noise = np.exp(generator.normal(0.0, 0.2, len(SAMPLES)))
    # The median of |N(0, 0.2)| is 0.135.
    assert np.median(abs(fit(times_s() * noise).errors)) == pytest.approx(0.135, abs=0.04)


def test_operators_are_of_every_kind_that_devices_tell_apart() -> None:
    kinds = {op.kind for one in SAMPLES for op in one.graph}
    assert kinds == {kind.fitted_as for kind in OpKind} - {OpKind.GENERIC}


def test_calls_of_torch_compute_what_the_graphs_say() -> None:
    for one in SAMPLES:
        found = one.run()
        assert found.numel() == one.batch * one.graph.output_elements, one.name
