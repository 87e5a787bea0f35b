"""LT-B and LT-L against what Lightening-Transformer prints, and what its simulator says by part.

Figures are of github.com/zhuhanqing/Lightening-Transformer, commit 7c3d4ad, run for these shapes:
energies in mJ, times in ms.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgesim.cli import app
from edgesim.graph import OpKind, zoo
from edgesim.hardware import catalog
from edgesim.hardware.crossbar import PhotonicCrossbar
from edgesim.hardware.crossbar.counts import Product, price
from tests.edgesim.hardware.crossbars import entry

MODELS = {
    "t": "deit_tiny_patch16_224",
    "s": "deit_small_patch16_224",
    "b": "deit_base_patch16_224",
}


@pytest.mark.parametrize(
    ("model", "energy_mj", "time_ms"),
    [("t", 0.384, 0.0194), ("s", 1.421, 0.0700), ("b", 5.437, 0.2653)],
)
def test_deit_on_lt_b_at_4_bits_is_as_published(
    model: str, energy_mj: float, time_ms: float
) -> None:
    cost = entry("lt-b").graph_cost(zoo.build(MODELS[model]), "int4")
    assert cost.time_s * 1e3 == pytest.approx(time_ms, rel=0.05)
    assert cost.time_s * cost.power_w * 1e3 == pytest.approx(energy_mj, rel=0.05)


POWER = [
    ("lt-b", 4, (770.092, 3214.286, 4032.0, 2131.2, 1728.0, 2534.4, 26.241), 14752.611, 316.392),
    ("lt-b", 8, (12321.468, 25714.286, 4032.0, 4262.4, 1728.0, 2534.4, 26.241), 50935.187, 316.392),
    ("lt-l", 4, (1540.183, 5785.714, 7257.6, 4262.4, 3456.0, 5068.8, 52.483), 28055.761, 632.581),
    ("lt-l", 8, (24642.936, 46285.714, 7257.6, 8524.8, 3456.0, 5068.8, 52.483), 95920.913, 632.581),
]  # fmt: skip


@pytest.mark.parametrize(("name", "bits", "by_part", "total", "buffers"), POWER)
def test_power_is_that_of_the_papers_table(
    name: str, bits: int, by_part: tuple[float, ...], total: float, buffers: float
) -> None:
    """Laser, DAC, modulators with rings, ADC, TIA, detectors and adders in mW; 14.75 W in print."""
    full = {part: 1e3 * watts for part, watts in entry(name).full_power_w(bits).items()}
    full["modulator"] += full.pop("rings")
    order = ("laser", "dac", "modulator", "adc", "tia", "detector", "adder")
    assert [full[part] for part in order] == pytest.approx(by_part, rel=2e-5)
    # The table has a constant draw for buffers, which the model counts by access.
    assert sum(full.values()) + buffers == pytest.approx(total, rel=1e-6)


# device, bits, product (n, d, m, h), with weights, cycles, time, and energies: laser, DAC,
# modulators with rings, detectors, TIA, ADC, adder, registers with network, local buffer, global
# buffer, memory.
SIMULATED = [
    (
        "lt-b", 4, (1152, 384, 197, 1), True, 6528, 0.0013056,
        (0.00100543178, 0.00416777143, 0.00522805248, 0.00319537152, 0.0008169984, 0.00100763136,
         1.24069613e-05, 0.00107128973, 0.00271875456, 0.00121114224, 0.0069009408),
    ),
    (
        # Eight images at once.
        "lt-b", 4, (2304, 768, 1576, 1), True, 202752, 0.0405504,
        (0.0312275282, 0.130208914, 0.163334062, 0.102251889, 0.0239652864, 0.0295571866,
         0.000363937531, 0.0320748411, 0.0833585357, 0.0300092544, 0.0276037632),
    ),
    (
        # Blocks that do not divide evenly, and a local buffer that takes three loads.
        "lt-l", 8, (317, 1000, 45, 1), True, 567, 0.000352,
        (0.00279450891, 0.00507098214, 0.00079513, 0.0005272344, 0.000119826, 0.0002955708,
         1.81968109e-06, 0.000317939705, 0.0009016345, 0.000709333, 0.0098904),
    ),
    (
        # One token, bound by memory.
        "lt-b", 8, (1000, 192, 1, 1), True, 168, 0.00021,
        (0.00041400132, 0.000700114286, 0.00010977792, 7.04e-06, 1.8e-06, 4.44e-06,
         2.73348519e-08, 1.7529336e-05, 0.00018080944, 0.00032192398, 0.0059904),
    ),
    (
        "lt-b", 4, (197, 64, 197, 3), False, 651, 0.0001302,
        (0.000100150431, 0.000358821429, 0.0004501056, 0.00030736728, 6.98562e-05, 8.615598e-05,
         1.06083827e-06, 9.18003255e-05, 0.00025731549, 4.81716714e-05, 0.0),
    ),
    (
        "lt-l", 8, (197, 197, 64, 12), False, 1301, 0.0002602,
        (0.00640962758, 0.0111276857, 0.00174482112, 0.00113169408, 0.0002723328, 0.00067175424,
         4.13565376e-06, 0.00071447172, 0.0018649596, 0.000125197441, 0.0),
    ),
    (
        # Bound by the global buffer.
        "lt-l", 4, (61, 30, 77, 5), False, 40, 1e-05,
        (1.21289449e-05, 3.24609375e-05, 4.0719e-05, 3.10002e-05, 1.4091e-05, 1.73789e-05,
         2.13986333e-07, 1.52537088e-05, 2.62223e-05, 9.71691876e-06, 0.0),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bits", "shape", "weights", "cycles", "time_ms", "energies_mj"), SIMULATED
)
def test_products_cost_what_the_papers_simulator_says_part_by_part(
    name: str,
    bits: int,
    shape: tuple[int, int, int, int],
    weights: bool,
    cycles: int,
    time_ms: float,
    energies_mj: tuple[float, ...],
) -> None:
    """To all digits, as random shapes do; what differs is told in `PhotonicCrossbar`."""
    rows, inner, columns, count = shape
    product = Product(rows=rows, inner=inner, columns=columns, count=count, weights=weights)
    parts = entry(name)
    of = price(product, parts, bits)
    assert of.counts.cycles == cycles
    assert max(of.times_s.values()) * 1e3 == pytest.approx(time_ms, rel=1e-8)
    found = {part: 1e3 * joules for part, joules in of.by_part_j.items()}
    # There, rings draw power for a cycle with each modulation.
    found["modulator"] += (
        1e3 * of.counts.modulations * 2 * parts.modulator.ring_w / parts.array.clock_hz
    )
    found["registers"] += found.pop("network")
    if not weights:
        # There, what the operands of attention take of the global buffer is next to nothing.
        staged_bytes = of.counts.staged * bits / 8
        found["global-buffer"] -= 1e3 * staged_bytes * parts.buffer.energy_j_byte
    order = (
        "laser", "dac", "modulator", "detector", "tia", "adc", "adder", "registers",
        "local-buffer", "global-buffer", "memory",
    )  # fmt: skip
    assert [found[part] for part in order] == pytest.approx(energies_mj, rel=1e-8)


# device, bits, model, energy and time of the whole, and of that what is no product.
WHOLE = [
    ("lt-b", 4, "t", 0.38430121867, 0.01935322620, 0.00053026345768, 2.6204e-08),
    ("lt-b", 4, "s", 1.42061128605, 0.06999405239, 0.00106026539786, 5.2395e-08),
    ("lt-b", 4, "b", 5.43714943669, 0.26527890478, 0.00212026927821, 1.04776e-07),
    ("lt-b", 8, "b", 16.9819841216, 0.26561490478, 0.00212026927821, 1.04776e-07),
    ("lt-l", 4, "b", 5.08916548620, 0.13282690478, 0.00212026927821, 1.04776e-07),
    ("lt-l", 8, "t", 1.12894914706, 0.00981402620, 0.00053026345768, 2.6204e-08),
]


@pytest.mark.parametrize(
    ("name", "bits", "model", "energy_mj", "time_ms", "rest_mj", "rest_ms"), WHOLE
)
def test_whole_models_differ_by_what_is_told_and_nothing_else(
    name: str,
    bits: int,
    model: str,
    energy_mj: float,
    time_ms: float,
    rest_mj: float,
    rest_ms: float,
) -> None:
    """All products together, with two of the simulator's countings undone, are its products."""
    device = parts = entry(name)
    layers = device.layers(zoo.build(MODELS[model]), f"int{bits}")
    time_s = energy_j = 0.0
    for layer in layers:
        if layer.counts is None:
            continue
        time_s += layer.time_s
        energy_j += sum(layer.by_part_j.values())
        energy_j += layer.counts.modulations * 2 * parts.modulator.ring_w / parts.array.clock_hz
        if layer.kind is OpKind.ATTENTION:
            energy_j -= layer.counts.staged * bits / 8 * parts.buffer.energy_j_byte
    assert time_s * 1e3 == pytest.approx(time_ms - rest_ms, rel=1e-8)
    assert energy_j * 1e3 == pytest.approx(energy_mj - rest_mj, rel=1e-8)


@pytest.mark.parametrize("name", ["lt-b", "lt-l"])
def test_published_rows_are_met(name: str) -> None:
    """What is no product is counted for all blocks, and its seconds are seconds: up to 8 %.

    That is of DeiT-T at 8 bits on LT-L, 0.8 µs of 10; of energy it makes 3 %.
    """
    device = entry(name)
    for published in catalog.published(name):
        cost = device.graph_cost(zoo.build(published.model), published.precision)
        assert published.latency_s < cost.time_s < 1.08 * published.latency_s
        assert published.energy_j is not None
        assert published.energy_j < cost.time_s * cost.power_w < 1.03 * published.energy_j


@pytest.mark.parametrize("name", ["lt-b", "lt-l"])
def test_entries_are_whole(name: str) -> None:
    device = entry(name)
    assert isinstance(device, PhotonicCrossbar)
    assert device.precisions() == ("int4", "int8")
    # Idle is what keeps the rings tuned; busy, the paper's table at 8 bits without buffers.
    assert device.power.idle_w == pytest.approx(device.rings_w, rel=1e-9)
    assert device.idle_by_part_w == pytest.approx({"rings": device.power.idle_w})
    total_w, buffers_w = {"lt-b": (50.935, 0.316), "lt-l": (95.921, 0.633)}[name]
    assert device.power.busy_w == pytest.approx(total_w - buffers_w, rel=1e-4)


SCENARIO = """
name: crossbar
seed: 1
model: {name: deit_tiny_patch16_224, precision: int4}
placement: {strategy: single}
nodes:
  core: {device: lt-b}
network:
  switch: {bandwidth: 10 Gbit/s, latency: 0 s}
traffic: {arrivals: closed, concurrency: 1, requests: 10}
baselines: [lt-l, {device: lt-b, precision: int8, name: eight bits}, %s]
"""


def played(tmp_path: Path, baseline: str) -> tuple[int, str, str]:
    """Return exit status, output and error of a run with one more baseline."""
    file = tmp_path / "crossbar.yaml"
    file.write_text(SCENARIO % baseline, encoding="utf-8")
    done = CliRunner().invoke(app, ["run", str(file), "--json", "--out", str(tmp_path / "out")])
    return done.exit_code, done.stdout, done.stderr + str(done.exception or "")


def test_a_scenario_runs_on_a_crossbar_and_beside_others(tmp_path: Path) -> None:
    status, output, error = played(tmp_path, "{device: raspberry-pi-5, precision: int8}")
    assert status == 0, error
    summary = json.loads(output)
    graph = zoo.build(MODELS["t"])
    cost = entry("lt-b").graph_cost(graph, "int4")
    assert summary["latency_s"]["mean"] == pytest.approx(cost.time_s, rel=1e-9)
    # One request after the other leaves no time idle.
    joules = cost.time_s * cost.power_w
    assert summary["energy_j"]["per_request"] == pytest.approx(joules, rel=1e-9)
    larger = entry("lt-l").graph_cost(graph, "int4")
    assert summary["baselines"]["lt-l"]["latency_s"] == pytest.approx(larger.time_s, rel=1e-9)
    assert set(summary["baselines"]) == {
        "lt-l", "eight bits", "raspberry-pi-5", "raspberry-pi-5/executorch",
    }  # fmt: skip


def test_a_baseline_without_the_precision_says_what_it_has(tmp_path: Path) -> None:
    status, _, error = played(tmp_path, "raspberry-pi-5")
    assert status != 0
    assert "'raspberry-pi-5' does not compute in int4; it has fp32, fp16, int8" in error
