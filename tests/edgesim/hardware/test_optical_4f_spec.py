"""How accelerators are written: scales, overrides, sources, and bad input."""

from __future__ import annotations

from typing import Any

import pytest

from edgesim.common.errors import InputError
from edgesim.graph import OpKind, zoo
from edgesim.hardware import catalog
from optics.presets import PRESETS, preset
from optics.tiling import usable_plane
from optics.timing import LightBudget
from tests.edgesim.hardware.optical import HOST, accelerator, chain, conv, linear, pointwise


@pytest.mark.parametrize("name", PRESETS)
def test_a_plane_scales_a_system_to_all_its_pixels(name: str) -> None:
    for plane in ((300, 500), (2160, 2160), (4000, 3000)):
        device = accelerator(preset=name, plane=list(plane))
        assert device.plane == usable_plane(device.system) == plane
        assert device.system.magnification == pytest.approx(preset(name).magnification)


@pytest.mark.parametrize("name", PRESETS)
def test_a_frame_rate_scales_all_times_and_the_light(name: str) -> None:
    graph = chain(*(conv(f"conv-{n}", (4, 4), (9, 9), (3, 3)) for n in range(3)))
    before = accelerator(preset=name)
    after = accelerator(preset=name, frame_rate="7 kHz")
    times = [one.layers(graph, "fp32", 1000)[0].light for one in (before, after)]
    assert times[0] is not None
    assert times[1] is not None
    factor = after.system.camera.exposure_s / before.system.camera.exposure_s
    assert times[1].optics_s == pytest.approx(factor * times[0].optics_s)
    assert times[1].link_in_s == times[0].link_in_s
    # One frame where both patterns change:
    one = after.layers(chain(conv("conv", (1, 1), (9, 9), (3, 3))), "fp32")[0].light
    assert one is not None
    assert after.pace.endswith("at 7 kHz")


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("overlapped", [True, False])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_an_exposure_beside_a_frame_rate_is_kept(name: str, overlapped: bool, share: float) -> None:
    camera = {"exposure": share / 7e3, "overlapped_readout": overlapped}
    device = accelerator(preset=name, frame_rate="7 kHz", camera=camera)
    system, own = device.system, preset(name)
    assert system.camera.exposure_s == share / 7e3
    # Both patterns change: settling, then exposure, then what is not overlapped fills the frame.
    layer = device.layers(chain(conv("conv", (1, 1), (9, 9), (3, 3))), "fp32")[0].light
    assert layer is not None
    assert layer.frame_s == pytest.approx(1 / 7e3, rel=1e-12)
    for part in ("input", "filter"):
        ratio = getattr(system, part).frame_time_s / getattr(own, part).frame_time_s
        for key in ("load_s", "settle_s"):
            assert getattr(getattr(system, part), key) == pytest.approx(
                ratio * getattr(getattr(own, part), key)
            )
    # Photons are in proportion to the exposure: P t / (h nu), whatever the rate.
    photons = [LightBudget.of(one).photons / one.camera.exposure_s for one in (system, own)]
    assert photons[0] == pytest.approx(photons[1], rel=1e-12)


def test_an_exposure_longer_than_a_frame_is_refused() -> None:
    def built(exposure: str, preset: str = "fatnet-2160", **more: Any) -> Any:
        return accelerator(preset=preset, camera={"exposure": exposure}, **more)

    assert built("1 us", frame_rate="1 MHz").system.camera.exposure_s == 1e-6
    for preset_, exposure in (("fatnet-2160", "1 ms"), ("fatnet-2160", "1.001 us"),
                              ("dmd-dlp7000", "1 us")):  # fmt: skip
        with pytest.raises(InputError, match="fit a frame of 1 us at frame_rate 1,000,000 Hz"):
            built(exposure, preset_, frame_rate="1 MHz")
    with pytest.raises(InputError, match=r"set camera\.frame_rate"):
        built("1 us", "ideal", frame_rate="1 kHz")


def test_what_is_overridden_no_longer_has_the_presets_source() -> None:
    device = accelerator(preset="dmd-dlp7000", camera={"power": "30 W"}, source={"x": "y"})
    assert "camera.power" not in device.sources
    assert device.sources["camera.pixels"].startswith("Photron")
    assert device.sources["x"] == "y"
    given = accelerator(preset="dmd-dlp7000", laser={"power": "2 W"},
                        source={"laser.power": "data sheet"})  # fmt: skip
    assert given.source["laser.power"] == "data sheet"
    assert given.system.laser.power_w == 2.0


def test_light_fills_four_fifths_of_the_camera_unless_told() -> None:
    for name in ("dmd-dlp7000", "lcos-pluto"):
        device = accelerator(preset=name)
        camera = device.system.camera
        electrons = LightBudget.of(device.system).electrons * device.light
        assert electrons == pytest.approx(0.8 * (camera.saturation_e - camera.dark_e))
    assert accelerator(preset="fatnet-2160").light == 1.0
    assert accelerator(preset="dmd-dlp7000", light="0.5 %").light == 0.005


def test_the_same_mapping_gives_the_same_numbers() -> None:
    graph = zoo.build("resnet18", image_size=64, classes=10)
    costs = [
        accelerator(preset="lcos-pluto", host="intel-i9-10940x").graph_cost(graph, "fp32", 3)
        for _ in range(2)
    ]
    assert costs[0] == costs[1]


# Bad input


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ({"frame_rate": "0 Hz"}, "frame_rate: expected more than 0, got '0 Hz'"),
        ({"camera": {"frame_rate": 0}}, "camera.frame_rate: expected more than 0, got 0"),
        ({"camera": {"exposure": "0 s"}}, "camera.exposure: expected more than 0, got '0 s'"),
        ({"camera": {"exposur": 1}}, "unknown key 'exposur' (did you mean 'exposure'?)"),
        ({"preset": "dmd-dlp700"}, "got 'dmd-dlp700' (did you mean 'dmd-dlp7000'?)"),
        ({"signs": "two-shots"}, "got 'two-shots' (did you mean 'two-shot'?)"),
        ({"along": ["image"]}, "got 'image' (did you mean 'images'?)"),
        ({"optical": ["attention"]}, "expected one of conv, depthwise, linear, got 'attention'"),
        ({"plane": 0}, "plane"),
        ({"input": {"bits": 8}}, "input: DLP7000 at the input: a DMD's mirrors have 1 bit"),
        ({"camera": {"frame_rate": 5, "frame_time": 1}}, "either frame_time or frame_rate"),
        ({"host": "lt-b"}, "host: expected a processor, 'lt-b' is of kind photonic-crossbar"),
        ({"host": "nvidia-rtx-409"}, "did you mean 'nvidia-rtx-4090'"),
        ({"host": {"peak": {"fp32": 1}, "powr": {}}}, "host.powr: unknown key 'powr'"),
    ],
)
def test_wrong_mappings_name_the_key_and_the_nearest(mapping: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        accelerator(**{"preset": "dmd-dlp7000", **mapping})
    assert str(caught.value).startswith("device 'light': ")
    assert told in str(caught.value)


def test_without_a_preset_every_part_is_given() -> None:
    given: dict[str, Any] = {
        "preset": None,
        "laser": {"wavelength": "532 nm", "power": "1 mW"},
        "input": {"kind": "lcos-amplitude", "pixels": 500, "pitch": "8 um"},
        "lens_1": {"focal_length": "60 mm"},
        "filter": {"kind": "lcos-phase", "pixels": 500, "pitch": "8 um"},
        "lens_2": {"focal_length": "60 mm"},
        "camera": {"pixels": [500, 400], "pitch": "8 um", "exposure": "1 ms"},
    }
    # λ f / pitch² = 498.75; the camera sees 400 columns.
    assert accelerator(**given).plane == (498, 400)
    with pytest.raises(InputError, match=r"camera: expected exposure; name a preset"):
        accelerator(**{**given, "camera": {"pixels": 500, "pitch": "8 um"}})


def test_mistakes_of_all_parts_are_said_at_once() -> None:
    given: dict[str, Any] = {
        "preset": None,
        "laser": {"wavelength": "532 nm", "power": "1 mW"},
        "input": {"kind": "dmd", "pixels": 500, "pitch": "8 um", "bits": 8},
        "lens_1": {"focal_length": "0 m"},
        "filter": {"kind": "lcos-phase"},
        "lens_2": {},
        "camera": {"pixels": 500, "pitch": "8 um", "bits": 17, "exposure": "1 ms"},
    }
    with pytest.raises(InputError) as caught:
        accelerator(**given)
    for wrong in (
        "input: a DMD's mirrors have 1 bit; got bits=8.",
        "lens_1.focal_length: expected more than 0, got '0 m'",
        "filter: expected pixels, pitch; name a preset, or give every part",
        "lens_2: expected focal_length; name a preset, or give every part",
        "camera.bits: expected at most 16, got 17",
    ):
        assert str(caught.value).count(wrong) == 1
    assert "laser" not in str(caught.value)


def test_more_light_than_the_camera_takes_names_exposure_photons_and_full_well() -> None:
    """2,045,919 electrons behind a clear filter, of which 45 % are counted as 4,546,486 photons."""
    with pytest.raises(InputError) as caught:
        accelerator(preset="dmd-dlp7000", light="10 %")
    assert (
        "an exposure of 37.5 us brings 454,649 photons to the brightest pixel, 204,592 electrons, "
        "but its full well of 20,000 electrons leaves room for 19,848"
    ) in str(caught.value)
    with pytest.raises(InputError, match=r"more than|fills a well of 20,000"):
        accelerator(preset="dmd-dlp7000", camera={"exposure": "10 s"})
    # Ten times the power is ten times the light.
    accelerator(preset="dmd-dlp7000", light="0.9 %")
    with pytest.raises(InputError, match="20,000 electrons"):
        accelerator(preset="dmd-dlp7000", light="0.9 %", laser={"power": "1 W"})


def test_layers_that_do_not_fit_are_named_with_the_limit() -> None:
    graph = chain(conv("small", (1, 1), (8, 8), (3, 3)), conv("large", (1, 1), (62, 62), (5, 5)))
    with pytest.raises(InputError) as caught:
        accelerator(plane=64).graph_cost(graph, "fp32")
    for part in ("layer 'large'", "62x62", "5x5", "66x66", "the plane has 64x64", "overflow: host"):
        assert part in str(caught.value)
    layers = accelerator(plane=64, overflow="host", host=HOST).layers(graph, "fp32")
    assert [(layer.names, layer.light is None) for layer in layers] == [
        (("small",), False), (("large",), True),
    ]  # fmt: skip


def test_a_prime_width_is_one_row() -> None:
    with pytest.raises(InputError, match="layer 'fc' cannot run on light: an image of 1x67"):
        accelerator(plane=128).graph_cost(chain(linear("fc", 1, (67, 2))), "fp32")


def test_operators_that_are_no_convolution_are_named() -> None:
    from dataclasses import replace

    recurrent = replace(linear("lstm", 3, (4, 4)), geometry=None)
    with pytest.raises(InputError, match=r"layer 'lstm' cannot run on light: a linear operator"):
        accelerator().graph_cost(chain(recurrent), "fp32")


def test_models_without_a_layer_for_light_are_refused_and_parts_of_models_are_not() -> None:
    graph = chain(pointwise("gelu", OpKind.TRANSCENDENTAL, 8), name="plain")
    device = accelerator(host=HOST)
    with pytest.raises(InputError, match=r"model 'plain' has no conv or depthwise or linear"):
        device.graph_cost(graph, "fp32")
    with pytest.raises(InputError, match=r"1 do not fit its plane of 8x8 pixels"):
        accelerator(plane=8, overflow="host").graph_cost(
            chain(conv("conv", (1, 1), (9, 9), (3, 3))), "fp32"
        )
    # A pipeline's stage may hold none: its host runs it.
    mixed = chain(conv("conv", (1, 1), (9, 9), (3, 3)), pointwise("gelu", OpKind.NORM, 49))
    assert device.graph_cost(mixed.slice(1, 2), "fp32").time_s > 0


def test_precisions_are_the_hosts() -> None:
    graph = zoo.build("resnet18", image_size=32, classes=10)
    device = accelerator(plane=2160, host="raspberry-pi-5")
    assert device.precisions() == ("fp32", "fp16", "int8")
    with pytest.raises(InputError, match="does not compute in int4; its host has fp32"):
        device.graph_cost(graph, "int4")
    with pytest.raises(InputError, match="batch of at least 1"):
        device.graph_cost(graph, "fp32", batch=0)


@pytest.mark.parametrize("name", [name for name in catalog.names() if name.startswith("4f-")])
def test_every_figure_of_a_preset_that_the_catalog_names_has_its_source(name: str) -> None:
    from edgesim.hardware.optical_4f import Optical4F

    device = catalog.device(name)
    assert isinstance(device, Optical4F)
    told = {path: source for path, _, source in device.figures()}
    for path in ("input.pixels", "input.pitch", "camera.exposure", "lens_1.focal_length"):
        assert told[path], path
    bare = {path for path, source in told.items() if not source}
    # What a part is, is no figure; FatNet's host is ideal.
    assert {path.rpartition(".")[2] for path in bare} <= {
        "name", "kind", "zernike", "side by side", "passes", "idle", "busy", "fp32",
    }  # fmt: skip
