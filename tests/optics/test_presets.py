"""Systems by name: their figures against print and data sheets, and a source for each of them."""

from __future__ import annotations

import math
from dataclasses import MISSING, fields

import pytest

from optics.detection import SCHEMES
from optics.encoding import METHODS
from optics.errors import InputError
from optics.presets import PRESETS, preset
from optics.tiling import tiles
from optics.tiling.shape import ConvShape

ROLES = ("laser", "input", "lens_1", "filter", "lens_2", "camera", "host")

# What the name of the part says, or its kind.
NAMED = {
    ("dmd-dlp7000", "laser"): {"wavelength_m"},
    ("lcos-pluto", "laser"): {"wavelength_m"},
    ("dmd-dlp7000", "input"): {"bits"},
    ("dmd-dlp7000", "filter"): {"bits"},
    ("dmd-dlp7000", "lens_1"): {"focal_length_m"},
    ("dmd-dlp7000", "lens_2"): {"focal_length_m"},
    ("lcos-pluto", "lens_1"): {"focal_length_m"},
    ("lcos-pluto", "lens_2"): {"focal_length_m"},
}


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("role", ROLES)
def test_every_figure_has_a_source(name: str, role: str) -> None:
    system = preset(name)
    part = getattr(system, role)
    sources = set(part.source) | NAMED.get((name, role), set())
    if role in system.source:
        sources.add("focal_length_m")
    if role == "lens_2" and "lens_1" in system.source:
        sources.add("focal_length_m")
    for field in fields(part):
        if field.name in ("name", "source", "kind"):
            continue
        value = getattr(part, field.name)
        if field.default is MISSING or value != field.default:
            assert field.name in sources, f"{part.name}: {field.name} = {value!r}"
    assert set(part.source) <= {field.name for field in fields(part)}
    assert all(text.strip() for text in part.source.values())


def test_fatnet_as_in_print() -> None:
    system = preset("fatnet-2160")
    # 3136 images of 32 with kernels of 7: floor(2160 / 38)² = 56².
    shape = ConvShape(batch=1, in_channels=1, out_channels=1, size=(32, 32), kernel=(7, 7))
    assert tiles(shape, system.input.pixels) == 3136 == (2160 // (32 + 7 - 1)) ** 2
    # 2 µs a convolution, in two passes.
    assert 2 * system.input.frame_time_s == pytest.approx(2e-6)
    assert system.input.pixels == system.filter.pixels == system.camera.pixels
    # Critically sampled: one period of the spectrum is as wide as the filter.
    assert system.spectrum_m == pytest.approx(system.filter.size_m[0], rel=1e-12)
    assert system.magnification == -1
    assert system.efficiency == 1
    assert math.isinf(system.link_bytes_s)


def test_mirrors_as_in_their_data_sheet() -> None:
    system = preset("dmd-dlp7000")
    mirrors = system.input
    # DLP7000: 1024 x 768 mirrors of 13.68 µm, 14.0 x 10.5 mm; 32,552 patterns a second.
    assert mirrors.pixels == (768, 1024)
    assert [round(1e3 * side, 1) for side in mirrors.size_m] == [10.5, 14.0]
    assert 1 / mirrors.load_s == pytest.approx(32552, rel=1e-4)
    assert mirrors.frame_time_s >= mirrors.load_s + mirrors.settle_s - 1e-6
    assert mirrors.efficiency == pytest.approx(0.712, abs=5e-4)
    assert system.camera.bits == 12
    assert system.camera.exposure_s + mirrors.settle_s <= system.camera.frame_time_s + 1e-12


def test_displays_as_in_their_data_sheet() -> None:
    system = preset("lcos-pluto")
    display = system.filter
    # PLUTO-2.1: 1920 x 1080 of 8.0 µm, 15.36 x 8.64 mm, 93 %, 60 Hz, 256 levels.
    assert display.pixels == (1080, 1920)
    assert display.size_m == pytest.approx((8.64e-3, 15.36e-3))
    assert display.levels == 256
    assert display.frame_time_s == pytest.approx(1 / 60)
    camera = system.camera
    # IMX252: 2048 x 1536 of 3.45 µm, 7.07 x 5.30 mm, of 1/1.8 inch.
    assert [round(1e3 * side, 2) for side in camera.size_m] == [5.3, 7.07]
    assert camera.electrons_per_dn == pytest.approx(10500 / 4095)
    assert 10400 < camera.saturation_e <= 10500
    # Exposed while the liquid crystal has settled.
    assert camera.exposure_s + display.settle_s < display.frame_time_s


@pytest.mark.parametrize("name", PRESETS)
def test_every_part_can_be_used(name: str) -> None:
    system = preset(name)
    assert system == preset(name)
    assert system.name == name
    assert 0 < system.efficiency <= 1
    assert METHODS[system.filter.kind]
    assert system.laser.electrical_power_w >= system.laser.power_w
    for lens in (system.lens_1, system.lens_2):
        assert 0 < lens.numerical_aperture <= 1


def test_light_is_enough_for_the_camera() -> None:
    # Photons a pixel and exposure if all light that passes were spread evenly over the camera:
    # many times the read noise, as one would choose the laser.
    for name in PRESETS:
        system = preset(name)
        pixels = system.camera.pixels[0] * system.camera.pixels[1]
        photons = system.laser.photons_per_s * system.efficiency * system.camera.exposure_s
        electrons = photons * system.camera.quantum_efficiency / pixels
        assert electrons > 100 * (1 + system.camera.read_noise_e)


def test_unknown_systems() -> None:
    with pytest.raises(InputError, match="there are fatnet-2160, dmd-dlp7000, lcos-pluto"):
        preset("fatnet-4k")
    assert "two-shot" in SCHEMES
