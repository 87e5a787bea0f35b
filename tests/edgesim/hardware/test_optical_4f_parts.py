"""Accelerators of one's own parts: a system's file as the preset, and converters by scaling."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgesim.common.errors import InputError
from edgesim.scenario import from_mapping, load_text
from edgesim.scenario.named_files import find_device
from optics.presets import preset, read_system
from optics.timing import SCALINGS
from tests.edgesim.hardware.optical import HOST, accelerator, chain, conv

SYSTEM = "preset: dmd-dlp7000\ncamera: {read_noise_e: 4}\nlink_bytes_s: 1e9\n"
SCENARIO = """\
model: {name: resnet18_cifar, classes: 10}
placement: {strategy: single}
nodes: {light: {device: %s}}
traffic: {arrivals: closed, requests: 2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "bench.yaml").write_text(SYSTEM)
    return tmp_path


def test_the_preset_may_be_a_file(folder: Path) -> None:
    path = folder / "parts" / "bench.yaml"
    device, mirrors = (accelerator(preset=one, host=HOST) for one in (str(path), "dmd-dlp7000"))
    assert device.system.camera == read_system(path).camera
    assert device.system.link_bytes_s == 1e9
    graph = chain(conv("conv", (1, 1), (9, 9), (3, 3)))
    slower, faster = (one.layers(graph, "fp32")[0].light for one in (device, mirrors))
    assert slower is not None
    assert faster is not None
    assert slower.link_in_s == pytest.approx(faster.link_in_s * 7.88)
    # Figures of the device's own keys come before the file's.
    noisy = accelerator(preset=str(path), host=HOST, camera={"read_noise": 9})
    assert noisy.system.camera.read_noise_e == 9
    # A file that has changed is read again.
    path.write_text(SYSTEM.replace("read_noise_e: 4", "read_noise_e: 6"))
    os.utime(path, ns=(1, 1))
    assert accelerator(preset=str(path), host=HOST).system.camera.read_noise_e == 6


def test_a_file_is_found_beside_the_file_that_names_it(folder: Path) -> None:
    inline = "{kind: optical-4f, preset: parts/bench.yaml, host: {peak: {fp32: 1 TFLOP/s}}}"
    found = load_text(SCENARIO % inline, "c.yaml", folder=folder)
    device = found.cluster.nodes["light"].device
    assert device.system.camera.read_noise_e == 4  # type: ignore[attr-defined]
    # The resolved scenario has the whole path: it runs again from anywhere.
    again = from_mapping(found.document)
    assert again.cluster.nodes["light"].device.system == device.system  # type: ignore[attr-defined]
    (folder / "parts" / "device.yaml").write_text(
        "kind: optical-4f\npreset: bench.yaml\nhost: {peak: {fp32: 1 TFLOP/s}}\n"
    )
    named = load_text(SCENARIO % "parts/device.yaml", "c.yaml", folder=folder)
    assert named.cluster.nodes["light"].device.system.camera.read_noise_e == 4  # type: ignore[attr-defined]
    assert find_device(str(folder / "parts" / "device.yaml")).system.name == "device"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("preset: dmd-dlp7000\ncamera: {pich_m: 1}\n", "unknown key 'pich_m' (did you mean 'pitch"),
        ("laser: {}\n", "laser: expected wavelength_m, power_w; name a preset, or give every"),
        ("[1\n", "is no YAML"),
    ],
)
def test_a_wrong_file_is_told_once_where_it_is_named(folder: Path, text: str, told: str) -> None:
    (folder / "parts" / "bench.yaml").write_text(text)
    inline = "{kind: optical-4f, preset: parts/bench.yaml}"
    with pytest.raises(InputError) as error:
        load_text(SCENARIO % inline, "c.yaml", folder=folder)
    assert str(error.value).startswith("c.yaml:3:")
    assert told in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_file_that_is_not_there_and_a_name_that_is_none() -> None:
    with pytest.raises(InputError, match=r"preset: .*none\.yaml: cannot be read"):
        accelerator(preset="none.yaml")
    with pytest.raises(InputError, match=r"preset: .*'dmd-dlp700' \(did you mean 'dmd-dlp7000'"):
        accelerator(preset="dmd-dlp700")


@pytest.mark.parametrize("scaling", SCALINGS)
def test_a_scaling_adds_conversions_at_the_bits_of_each_part(scaling: str) -> None:
    bits = {"input": {"bits": 8}, "filter": {"bits": 6}, "camera": {"bits": 12, "full_well": 1e4}}
    device = accelerator(scaling=scaling, host=HOST, **bits)
    of = SCALINGS[scaling]  # type: ignore[index]
    assert device.system.input.dac_energy_j == of["dac"].energy_j(8)
    assert device.system.filter.dac_energy_j == of["dac"].energy_j(6)
    assert device.system.camera.adc_energy_j == of["adc"].energy_j(12)
    layer = device.layers(chain(conv("conv", (1, 1), (9, 9), (3, 3))), "fp32")[0]
    assert layer.light is not None
    moved = layer.light.traffic
    assert layer.by_part_j["adc"] == pytest.approx(moved.camera_pixels * of["adc"].energy_j(12))
    assert layer.by_part_j["dac"] == pytest.approx(
        moved.input_pixels * of["dac"].energy_j(8) + moved.filter_pixels * of["dac"].energy_j(6)
    )
    coarse = accelerator(scaling=scaling, node="65 nm", host=HOST, **bits).system
    assert coarse.input.dac_energy_j == of["dac"].energy_j(8, 65e-9)
    assert "65 nm" in coarse.input.source["dac_energy_j"]


def test_what_is_given_stays_and_parts_without_steps_convert_nothing() -> None:
    device = accelerator(scaling="moderate", camera={"bits": 8, "adc_energy": "3 pJ"})
    assert device.system.camera.adc_energy_j == 3e-12
    assert device.system.input.dac_energy_j == 0
    assert accelerator().system.camera.adc_energy_j == 0
    assert preset("lcos-pluto").camera.adc_energy_j == 0


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"node": "28 nm"}, "node: expected scaling beside it"),
        ({"scaling": "moderate", "node": "8 nm"}, r"node must be one of 5 nm, .*; got 8 nm"),
        ({"scaling": "hopeful"}, r"scaling: expected .*conservative"),
    ],
)
def test_nodes_and_scalings_that_are_not_known(keys: dict[str, str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        accelerator(camera={"bits": 8}, **keys)


def test_a_static_filter_takes_no_frames_and_holds_one_pattern() -> None:
    """A metasurface: patterns of the filter are neither loaded nor waited for."""
    graph = chain(conv("first", (1, 4), (9, 9), (3, 3)), conv("second", (4, 4), (7, 7), (3, 3)))
    slow = {"frame_time": "1 s", "load": "1 s", "settle": "1 s", "power": "5 W"}
    keys = {"host": HOST, "filter": slow, "signs": "reference", "camera": {"exposure": "1 ms"}}
    static = accelerator(static_filter=True, **keys)
    assert static.system.filter.power_w == 0
    first, *rest = static.layers(graph, "fp32")
    assert first.light is not None
    # Four phases of the reference, one exposure each.
    assert first.light.exposures == 4
    assert first.light.optics_s == pytest.approx(4e-3)
    assert first.light.limits_s["filter"] == 0
    moving = accelerator(**keys).layers(graph, "fp32")
    assert moving[0].light is not None
    assert moving[0].light.optics_s > 1
    assert all(one.light is not None for one in moving)
    # The second layer has other kernels: the host runs it.
    assert [one.names for one in rest if one.light is None] == [("second",)]


def test_a_static_filter_refuses_kernels_of_several_patterns() -> None:
    graph = chain(conv("first", (1, 4), (9, 9), (3, 3)))
    with pytest.raises(InputError, match="with all kernels in one static pattern"):
        accelerator(static_filter=True, host=HOST, signs="two-shot").layers(graph, "fp32")
    two = accelerator(static_filter=True, host=HOST, signs="two-shot")
    with pytest.raises(InputError, match="take 2 patterns of the filter, and a static one has one"):
        two.timing(graph["first"], "fp32")
    four = accelerator(static_filter=True, host=HOST, signs="field", along=["images"])
    with pytest.raises(InputError, match="take 4 patterns of the filter"):
        four.timing(graph["first"], "fp32")
