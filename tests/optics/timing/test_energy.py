"""Joules of one frame by hand, and sums of layers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from optics.presets import preset
from optics.tiling import ConvShape, Layout
from optics.timing import Energy, energy, time_layer, time_network

ONE = ConvShape(batch=1, in_channels=1, out_channels=1, size=(32, 32), kernel=(3, 3))


def test_one_frame_of_mirrors_by_hand() -> None:
    system = preset("dmd-dlp7000")
    timing = time_layer(system, Layout(shape=ONE, plane=(710, 710)))
    # Two binary patterns of 768 x 1024 go out and one frame of 1024 x 1024 x 12 bit comes in over
    # 7.88 GB/s: 196,608 and 1,572,864 bytes.
    assert timing.traffic.out_bytes == 196_608
    assert timing.traffic.in_bytes == 1_572_864
    out_s, in_s = 24.950e-6, 199.602e-6
    # 30 x 30 outputs of three operations, 32 x 32 pixels of two, at 1e11 a second.
    host_s = (900 * 3 + 1024 * 2) / 1e11
    # Out, load 30.72 us, frame 50 us (12.5 settling, 37.5 exposure), readout 50 us, in, host.
    total_s = out_s + 30.72e-6 + 50e-6 + 50e-6 + in_s + host_s
    assert timing.total_s == pytest.approx(total_s, rel=1e-5)
    assert timing.bottleneck == "link in"
    # Laser of 0.1 W at 10 %, 1 W; mirrors 20 W each; camera 100 W; host 65 W: 206 W.
    joules = energy(system, timing)
    assert joules.laser_j == pytest.approx(1.0 * total_s, rel=1e-5)
    assert joules.input_j == joules.filter_j == pytest.approx(20.0 * total_s, rel=1e-5)
    assert joules.camera_j == pytest.approx(100.0 * total_s, rel=1e-5)
    assert joules.host_j == pytest.approx(65.0 * total_s, rel=1e-5)
    assert joules.total_j == pytest.approx(206.0 * 355.32e-6, rel=1e-4)
    assert sum(joules.by_part.values()) == pytest.approx(joules.total_j)


def test_converters_count_by_pixel() -> None:
    system = preset("fatnet-2160")
    # DAC 2.6 pJ per conversion (CiMLoop's Albireo table); an ADC of 10 pJ.
    system = replace(
        system,
        input=replace(system.input, dac_energy_j=2.6e-12),
        filter=replace(system.filter, dac_energy_j=2.6e-12),
        camera=replace(system.camera, adc_energy_j=10e-12),
    )
    layout = Layout(shape=ONE, plane=(2160, 2160), passes=2)
    joules = energy(system, time_layer(system, layout))
    pixels = 2160 * 2160
    # One image, a filter for + and one for -, two frames.
    assert joules.dac_j == pytest.approx(3 * pixels * 2.6e-12)
    assert joules.adc_j == pytest.approx(2 * pixels * 10e-12)
    assert joules.laser_j == pytest.approx(1.0 * 2e-6)


def test_layers_add_up() -> None:
    shapes = [replace(ONE, batch=4, in_channels=c, out_channels=2 * c) for c in (3, 6)]
    network = time_network(preset("lcos-pluto"), shapes)
    assert network.total_s == sum(layer.total_s for layer in network.layers)
    assert network.per_image_s == pytest.approx(network.total_s / 4)
    assert network.energy == network.energies[0] + network.energies[1]
    assert network.macs == 4 * (18 + 72) * 30 * 30 * 9
    assert network.joules_per_mac == network.energy.total_j / network.macs
    assert Energy().total_j == 0


def test_table_names_every_layer_and_the_bottleneck() -> None:
    network = time_network(preset("lcos-pluto"), [ONE, replace(ONE, out_channels=900)])
    lines = str(network).splitlines()
    assert lines[0] == "lcos-pluto, batch 1"
    assert len(lines) == 2 + 2 + 1
    assert lines[2].split()[:5] == ["1", "1", "32x32", "3x3", "2"]
    # Two filters, for + and -, at 60 Hz: 33 ms, and the first load and what else fills the pipe.
    assert lines[2].endswith(" J  filter")
    assert 33.3e-3 + 1 / 60 < network.layers[0].total_s < 85e-3
    assert lines[-1].split()[0] == "all"
