"""Optical elements beside prysm, HCIPy, LightPipes and torchoptics, on the same grid.

These run in an environment of their own, by ``make peers``. The grid has an odd number of samples:
torchoptics puts the axis between two samples of an even one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from optics.elements import (
    Aperture,
    GaussianBeam,
    Grating,
    PlaneWave,
    PointSource,
    ThinLens,
    point_spread,
    transfer_function,
)
from optics.field import Field
from tests.optics.peers.test_propagators import peer

WAVELENGTH_M, PITCH_M, SIDE = 633e-9, 10e-6, 129
GRID: dict[str, Any] = {"spacing": PITCH_M}
SHAPE = (SIDE, SIDE)
PLANE = Field(torch.ones(SHAPE, dtype=torch.complex128), WAVELENGTH_M, PITCH_M)

pytestmark = pytest.mark.filterwarnings("ignore")


def pipes() -> tuple[Any, Any]:
    library: Any = peer("LightPipes")
    return library, library.Begin(SIDE * PITCH_M, WAVELENGTH_M, SIDE)


def hcipy_grid() -> tuple[Any, Any]:
    library: Any = peer("hcipy")
    coords = library.RegularCoords([PITCH_M] * 2, [SIDE] * 2, [-(SIDE // 2) * PITCH_M] * 2)
    return library, library.CartesianGrid(coords)


def profiles() -> Any:
    return peer("torchoptics.profiles")


def exact(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def wave(phase: Tensor) -> Tensor:
    return torch.exp(1j * torch.as_tensor(phase, dtype=torch.float64))


def same(found: object, ours: Tensor, tolerance: float) -> None:
    theirs = np.asarray(found).reshape(SHAPE)
    assert float(np.abs(theirs - ours.numpy()).max()) < tolerance


def test_a_tilted_plane_wave() -> None:
    down, right = 0.004, -0.007
    ours = PlaneWave(SHAPE, WAVELENGTH_M, PITCH_M, (down, right))().data
    library, begin = pipes()
    same(library.Tilt(begin, -right, -down).field, ours, 1e-11)
    theta, phi = math.asin(math.hypot(down, right)), math.atan2(right, down)
    phase = profiles().plane_wave_phase(SHAPE, exact(theta), exact(phi), 0.0, WAVELENGTH_M, **GRID)
    same(wave(phase), ours, 1e-11)


@pytest.mark.parametrize("distance_m", [0.0, 0.15])
def test_a_gaussian_beam_at_its_waist_and_behind(distance_m: float) -> None:
    waist_m = 180e-6
    ours = GaussianBeam(SHAPE, WAVELENGTH_M, PITCH_M, waist_m, distance_m)().data
    ours = ours * waist_m * math.sqrt(math.pi / 2)  # amplitude 1 at the middle of the waist
    library, grid = hcipy_grid()
    beam = library.GaussianBeam(waist_m, distance_m, WAVELENGTH_M)
    turn = np.exp(2j * math.pi * (distance_m / WAVELENGTH_M))
    # HCIPy writes waves as exp(-ikz).
    same(np.conj(np.asarray(beam.evaluate(grid).electric_field) * turn), ours, 1e-9)
    found = profiles().gaussian(SHAPE, waist_m, WAVELENGTH_M, distance_m, **GRID)
    theirs = np.asarray(found)
    theirs = theirs / theirs[SIDE // 2, SIDE // 2] * ours[SIDE // 2, SIDE // 2].item()
    same(theirs, ours, 1e-9)


def test_a_point() -> None:
    distance_m = 0.15
    ours = PointSource(SHAPE, WAVELENGTH_M, PITCH_M, distance_m)().data
    phase = profiles().spherical_wave_phase(SHAPE, exact(distance_m), WAVELENGTH_M, **GRID)
    # A phase of 1.5 million radians has lost six of sixteen digits.
    same(wave(phase - phase[SIDE // 2, SIDE // 2]), ours / ours.abs(), 1e-8)
    library, begin = pipes()
    # A lens of the negative distance, paraxial: off by k r⁴/(8 z³) = 0.00025 in the corner.
    same(library.Lens(begin, -distance_m).field, ours / ours.abs(), 3e-4)


def test_a_thin_lens() -> None:
    ours = ThinLens(0.3)(PLANE).data
    library, begin = pipes()
    same(library.Lens(begin, 0.3).field, ours, 1e-6)  # LightPipes has 8 digits of π there
    phase = profiles().lens_phase(SHAPE, exact(0.3), WAVELENGTH_M, **GRID)
    same(wave(phase), ours, 1e-11)
    hcipy, grid = hcipy_grid()
    lens = hcipy.ThinLens(0.3, lambda _: 1.5, WAVELENGTH_M)
    flat = hcipy.Wavefront(hcipy.Field(np.ones(SIDE**2, dtype=complex), grid), WAVELENGTH_M)
    same(lens.forward(flat).electric_field, ours, 1e-9)


@pytest.mark.parametrize("stop", [False, True])
def test_a_round_opening(stop: bool) -> None:
    diameter_m = 613e-6
    ours = Aperture(diameter_m, stop=stop)(PLANE).data.real
    hcipy, grid = hcipy_grid()
    opening = hcipy.evaluate_supersampled(hcipy.make_circular_aperture(diameter_m), grid, 64)
    # Both take the mean of a sample on the edge, theirs of 64 x 64 points, ours of 8 lines: at most
    # half a line is off where the edge runs along them.
    same(1 - opening if stop else opening, ours, 1 / 16)
    assert float(ours.sum()) == pytest.approx(float(abs(SIDE**2 * stop - opening.sum())), rel=1e-4)
    library, begin = pipes()
    shut = (library.CircScreen if stop else library.CircAperture)(begin, diameter_m / 2).field
    whole = (ours == 0) | (ours == 1)
    assert int((~whole).sum()) < 260  # samples on an edge 61.3 samples wide
    assert torch.equal(torch.from_numpy(np.abs(shut)).double()[whole], ours[whole])


def test_a_rectangular_opening() -> None:
    high_m, wide_m = 405e-6, 713e-6
    ours = Aperture((high_m, wide_m))(PLANE).data.real
    hcipy, grid = hcipy_grid()
    # HCIPy's first axis is right.
    opening = hcipy.make_rectangular_aperture([wide_m, high_m])
    same(hcipy.evaluate_supersampled(opening, grid, 40), ours, 0.03)
    found = profiles().rectangle(SHAPE, (high_m, wide_m), **GRID).double()
    whole = (ours == 0) | (ours == 1)
    assert torch.equal(found[whole], ours[whole])


@pytest.mark.parametrize("angle_rad", [0.0, 0.4])
def test_a_sine_grating_and_a_blaze(angle_rad: float) -> None:
    period_m, depth_rad = 97e-6, 2.2
    ours = Grating(period_m, "sine", depth_rad=depth_rad, angle_rad=angle_rad)(PLANE).data
    library = profiles()
    # Their angle runs from down towards right; their cosine is our sine a quarter of a line on.
    theta = exact(math.pi / 2 - angle_rad)
    off = period_m / 4
    offset = (math.sin(angle_rad) * off, math.cos(angle_rad) * off)
    height = exact(depth_rad)
    found = library.sinusoidal_grating(SHAPE, period_m, PITCH_M, offset, height, theta)
    same(wave(found.double() - depth_rad / 2), ours, 1e-6)
    hcipy, grid = hcipy_grid()
    lines = hcipy.PhaseGrating(period_m, depth_rad / 2, orientation=math.pi / 2 - angle_rad)
    flat = hcipy.Wavefront(hcipy.Field(np.ones(SIDE**2, dtype=complex), grid), WAVELENGTH_M)
    same(lines.forward(flat).electric_field, ours, 1e-11)
    ours = Grating(period_m, "blazed", depth_rad=depth_rad, angle_rad=angle_rad)(PLANE).data
    found = library.blazed_grating(SHAPE, period_m, PITCH_M, None, height, theta)
    theirs = wave(found)
    # A sample on the flyback belongs to either line, by rounding.
    assert int(((theirs - ours).abs() > 1e-6).sum()) <= SIDE


def test_the_transfer_function_of_a_round_pupil() -> None:
    side, radius = 512, 100.0
    index = torch.arange(side, dtype=torch.float64) - side // 2
    pupil = ((index[:, None] ** 2 + index**2) < radius**2).double()
    otf = transfer_function(pupil.to(torch.complex128)).real
    library: Any = peer("prysm.otf")
    # At f-number 1 and 1 um the cut-off of 2 radii lies at 1000 cycles per mm.
    frequencies = np.arange(side // 2) / (2 * radius) * 1000
    expected = library.diffraction_limited_mtf(1.0, 1.0, frequencies)
    off = np.abs(otf[side // 2, side // 2 :].numpy() - expected)
    assert off.max() < 0.005  # a circle of samples, 100 to its radius
    hcipy: Any = peer("hcipy")
    planes = []
    for pitch in (1.0, 1.0 / side):
        coords = hcipy.RegularCoords([pitch] * 2, [side] * 2, [-(side // 2) * pitch] * 2)
        planes.append(hcipy.CartesianGrid(coords))
    opening = hcipy.Wavefront(hcipy.Field(pupil.numpy().ravel().astype(complex), planes[0]), 1.0)
    spread = np.asarray(hcipy.FraunhoferPropagator(*planes)(opening).intensity).reshape(side, side)
    ours = point_spread(pupil.to(torch.complex128)).numpy()
    assert (
        np.abs(spread / spread.sum() - ours / ours.sum()).max() < 1e-12 * (ours / ours.sum()).max()
    )
    data = library.mtf_from_psf(point_spread(pupil.to(torch.complex128)).numpy(), 1.0).data
    assert np.abs(np.abs(otf.numpy()) - data).max() < 1e-12
