"""The parts' dataclasses: ideal ones, derived figures, and what they refuse."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from optics.camera import Camera
from optics.errors import InputError
from optics.laser import Laser
from optics.lens import Lens
from optics.modulator import Modulator
from optics.system import Alignment, FourF, Host

MODULATOR = Modulator(kind="lcos-phase", pixels=(1080, 1920), pitch_m=8e-6, bits=8)
CAMERA = Camera(pixels=(1536, 2048), pitch_m=3.45e-6, full_well_e=10500.0, bits=12)
LASER = Laser(wavelength_m=633e-9, power_w=2e-3, wall_plug_efficiency=0.1)
LENS = Lens(focal_length_m=0.2, pupil_m=0.05)


def test_ideal_parts_take_nothing_from_light() -> None:
    modulator = Modulator.ideal()
    assert (modulator.fill_factor, modulator.efficiency, modulator.levels) == (1, 1, None)
    assert modulator.flicker_rad == modulator.crosstalk_px == modulator.dead_zone_amplitude == 0
    camera = Camera.ideal()
    assert (camera.quantum_efficiency, camera.dark_e, camera.read_noise_e) == (1, 0, 0)
    assert math.isinf(camera.saturation_e)
    assert camera.electrons_per_dn is None
    lens = Lens.ideal()
    assert (lens.numerical_aperture, lens.f_number, lens.efficiency) == (1, 0, 1)
    assert math.isinf(lens.cutoff_per_m(532e-9))
    laser = Laser.ideal()
    assert laser.electrical_power_w == laser.power_w
    assert Alignment.ideal() == Alignment()
    system = FourF.ideal((300, 400))
    assert system.efficiency == 1
    assert system.magnification == -1
    assert system.spectrum_m == pytest.approx(400 * 8e-6, rel=1e-12)
    assert system.filter.pixels == (400, 400)


def test_derived_figures() -> None:
    assert MODULATOR.size_m == pytest.approx((8.64e-3, 15.36e-3))
    assert MODULATOR.levels == 256
    assert replace(MODULATOR, bits=None).levels is None
    assert CAMERA.size_m == pytest.approx((5.2992e-3, 7.0656e-3))
    assert CAMERA.electrons_per_dn == pytest.approx(10500 / 4095)
    assert replace(CAMERA, gain_e_per_dn=2.0).electrons_per_dn == 2
    assert replace(CAMERA, gain_e_per_dn=2.0).saturation_e == 2 * 4095
    assert replace(CAMERA, gain_e_per_dn=4.0).saturation_e == 10500
    assert replace(CAMERA, bits=None).electrons_per_dn is None
    assert replace(CAMERA, full_well_e=math.inf).electrons_per_dn is None
    assert replace(CAMERA, dark_e_s=30.0, exposure_s=0.1).dark_e == pytest.approx(3)
    # A helium-neon laser of 1 mW sends 3.19e15 photons a second, of 1.96 eV each.
    assert LASER.photons_per_s == pytest.approx(2 * 3.187e15, rel=1e-3)
    assert LASER.photon_energy_j / 1.602176634e-19 == pytest.approx(1.9587, rel=1e-4)
    assert LASER.electrical_power_w == pytest.approx(20e-3)
    assert LENS.f_number == pytest.approx(4)
    assert LENS.numerical_aperture == pytest.approx(math.sin(math.atan(1 / 8)))
    assert LENS.cutoff_per_m(500e-9) == pytest.approx(250e3)
    system = replace(
        FourF.ideal(), lens_2=Lens(focal_length_m=0.1), lens_1=Lens(focal_length_m=0.2)
    )
    assert system.magnification == pytest.approx(-0.5)
    lossy = replace(
        FourF.ideal(),
        input=replace(MODULATOR, efficiency=0.5),
        filter=replace(MODULATOR, efficiency=0.4),
        lens_1=replace(LENS, efficiency=0.9),
    )
    assert lossy.efficiency == pytest.approx(0.18)


@pytest.mark.parametrize("part", [MODULATOR, CAMERA, LASER, LENS, Alignment(), Host()])
def test_parts_are_frozen_and_compare_by_their_figures(part: object) -> None:
    name = fields(part)[0].name  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        setattr(part, name, 1.0)
    if hasattr(part, "source"):
        told = replace(part, source={name: "a data sheet"})  # type: ignore[type-var]
        assert told == part
        assert hash(replace(part, name="other")) != hash(part)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"bits": 0}, "bits must be a whole number from 1 to 16, or None .* got 0"),
        ({"bits": 17}, "bits must be"),
        ({"bits": True}, "bits must be"),
        ({"bits": 8.0}, "bits must be"),
        (
            {"kind": "lcos"},
            "kind must be one of ideal, lcos-phase, lcos-amplitude, dmd; got 'lcos'",
        ),
        ({"kind": "dmd"}, "mirrors have 1 bit; got bits=8"),
        ({"kind": "dmd", "bits": None}, "mirrors have 1 bit; got bits=None"),
        ({"pixels": (0, 5)}, r"pixels must be \(rows, columns\)"),
        ({"pixels": (5, -5)}, r"pixels must be \(rows, columns\)"),
        ({"pitch_m": -8e-6}, "pitch_m must be finite and above 0; got -8e-06"),
        ({"pitch_m": 0.0}, "pitch_m must be"),
        ({"pitch_m": math.nan}, "pitch_m must be a number"),
        ({"pitch_m": "8 um"}, "pitch_m must be a number; got '8 um'"),
        ({"phase_range_rad": 0.0}, "phase_range_rad must be"),
        ({"fill_factor": 0.0}, "fill_factor must be above 0 and at most 1"),
        ({"fill_factor": 1.01}, "fill_factor must be above 0 and at most 1"),
        ({"dead_zone_amplitude": 1.1}, "dead_zone_amplitude must be from 0 to 1"),
        ({"efficiency": 0.0}, "efficiency must be above 0"),
        ({"crosstalk_px": -0.1}, "crosstalk_px must be"),
        ({"flicker_rad": -0.1}, "flicker_rad must be"),
        ({"flicker_rad": math.inf}, "flicker_rad must be"),
        ({"frame_time_s": -1.0}, "frame_time_s must be"),
        ({"load_s": math.inf}, "load_s must be"),
        ({"settle_s": -1e-3}, "settle_s must be"),
        ({"power_w": -1.0}, "power_w must be"),
        ({"dac_energy_j": -1.0}, "dac_energy_j must be"),
    ],
)
def test_bad_modulators(figures: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(MODULATOR, **figures)


def test_all_bad_figures_of_a_part_are_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        replace(CAMERA, pixels=(0, 5), pitch_m=-1e-6, bits=17, read_noise_e=-1.0, power_w=math.nan)
    wrong = [line.split(": ")[1].split()[0] for line in str(caught.value).splitlines()]
    assert sorted(wrong) == ["bits", "pitch_m", "pixels", "power_w", "read_noise_e"]


@pytest.mark.parametrize(
    ("part", "figures", "message"),
    [
        (LASER, {"wavelength_m": 0.0}, "wavelength_m must be"),
        (LASER, {"wavelength_m": -532e-9}, "wavelength_m must be"),
        (LASER, {"power_w": math.inf}, "power_w must be finite"),
        (LASER, {"power_w": 0.0}, "power_w must be"),
        (LASER, {"wall_plug_efficiency": 1.5}, "wall_plug_efficiency must be above 0"),
        (LENS, {"focal_length_m": 0.0}, "focal_length_m must be"),
        (LENS, {"focal_length_m": -0.1}, "focal_length_m must be"),
        (LENS, {"pupil_m": 0.0}, "pupil_m must be above 0"),
        (LENS, {"efficiency": 2.0}, "efficiency must be"),
        (LENS, {"zernike_waves": (0.0, math.nan)}, "zernike_waves, Z2, must be a number|Z2 must"),
        (LENS, {"pupil_m": math.inf, "zernike_waves": (0.1,)}, "give pupil_m a finite diameter"),
        (Alignment(), {"shift_m": (0.0,)}, r"shift_m must be \(down, right\)"),
        (Alignment(), {"shift_m": (0.0, math.inf)}, "shift_m, right"),
        (Alignment(), {"rotation_rad": math.nan}, "rotation_rad"),
        (Alignment(), {"defocus_m": math.inf}, "defocus_m"),
        (Alignment(), {"magnification": 0.0}, "magnification must be"),
        (Host(), {"flop_s": 0.0}, "flop_s must be above 0"),
        (Host(), {"power_w": -1.0}, "power_w must be"),
        (FourF.ideal(), {"link_bytes_s": 0.0}, "link_bytes_s must be above 0"),
    ],
)
def test_other_bad_parts(part: object, figures: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(part, **figures)  # type: ignore[type-var]
