"""Propagators beside prysm, HCIPy, LightPipes and torchoptics, on the same light and grid.

These run in an environment of their own, by ``make peers``; a library that is not there is
skipped.
"""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from optics.field import Field
from optics.propagation import (
    angular_spectrum,
    fourier_lens,
    fresnel_impulse,
    fresnel_transfer,
    matrix_fourier,
)
from tests import needs

WAVELENGTH_M, PITCH_M, SIDE = 633e-9, 10e-6, 128
NEAR_M, FAR_M, FOCAL_M = 0.01, 0.06, 0.2

pytestmark = pytest.mark.filterwarnings("ignore")


def peer(name: str) -> object:
    needs.OPTICS_PEERS[name.partition(".")[0]].require()
    return importlib.import_module(name)


@pytest.fixture
def light() -> Field:
    """Two spots of unlike size and tilt, dark at the edge: no symmetry hides a turn or a sign."""
    grid = Field(torch.zeros(SIDE, SIDE, dtype=torch.complex128), WAVELENGTH_M, PITCH_M)
    y, x = (axis.numpy() for axis in grid.axes_m)
    y, x = y[:, None], x[None, :]
    first = np.exp(-((y + 110e-6) ** 2 + (x - 60e-6) ** 2) / 70e-6**2 + 2j * np.pi * 3e3 * x)
    second = 0.6 * np.exp(-((y - 90e-6) ** 2 / 60e-6**2) - (x + 80e-6) ** 2 / 90e-6**2)
    return grid.with_data(torch.from_numpy(first + 1j * second * np.exp(-2j * np.pi * 2e3 * y)))


def error(found: object, expected: Field, *, phase: bool = False, scale: bool = False) -> float:
    """Largest difference over the largest amplitude.

    Args:
        found: of the other library, as an array.
        expected: ours.
        phase: take off one phase of all, where the other keeps exp(ikz) in some rounding of it.
        scale: take off one real factor of all, where the other normalises in another way.
    """
    theirs: NDArray[np.complex128] = np.asarray(found).reshape(expected.shape)
    ours = expected.data.numpy()
    factor = np.vdot(theirs, ours) / np.vdot(theirs, theirs)
    if not scale:
        assert abs(factor) == pytest.approx(1, abs=1e-3)
        factor /= abs(factor)
    if not phase:
        assert factor.real / abs(factor) == pytest.approx(1, abs=1e-3)
        factor = abs(factor)
    worst = float(np.abs(theirs * factor - ours).max() / np.abs(ours).max())
    print(f"{worst:.1e}", end=" ")
    return worst


def test_prysm_free_space(light: Field) -> None:
    propagation = peer("prysm.propagation")
    found = propagation.angular_spectrum(  # type: ignore[attr-defined]
        light.data.numpy(), WAVELENGTH_M * 1e6, PITCH_M * 1e3, NEAR_M * 1e3, Q=1
    )
    # prysm's angular spectrum is the paraxial one, on a periodic window.
    assert error(found, fresnel_transfer(light, NEAR_M, surround="periodic")) < 1e-12


def test_prysm_focus_on_a_free_grid(light: Field) -> None:
    propagation = peer("prysm.propagation")
    found = propagation.focus_fixed_sampling(  # type: ignore[attr-defined]
        light.data.numpy(), PITCH_M * 1e3, FOCAL_M * 1e3, WAVELENGTH_M * 1e6, 37.0, 64
    )
    ours = matrix_fourier(light, FOCAL_M, (64, 64), 37e-6)
    # prysm leaves 1/i out and normalises by samples.
    assert error(found, ours.with_data(ours.data * 1j), scale=True) < 1e-12


def hcipy_wave(light: Field) -> tuple[object, object, object]:
    hcipy = peer("hcipy")
    coords = hcipy.RegularCoords([PITCH_M] * 2, [SIDE] * 2, [-(SIDE // 2) * PITCH_M] * 2)  # type: ignore[attr-defined]
    grid = hcipy.CartesianGrid(coords)  # type: ignore[attr-defined]
    data = hcipy.Field(light.data.numpy().ravel().copy(), grid)  # type: ignore[attr-defined]
    return hcipy, grid, hcipy.Wavefront(data, WAVELENGTH_M)  # type: ignore[attr-defined]


@pytest.mark.parametrize("distance_m", [NEAR_M, FAR_M])
def test_hcipy_free_space(light: Field, distance_m: float) -> None:
    hcipy, grid, wave = hcipy_wave(light)
    turn = np.exp(-2j * math.pi * (distance_m / WAVELENGTH_M % 1))
    near = distance_m == NEAR_M
    fresnel = hcipy.FresnelPropagator(grid, distance_m, num_oversampling=1)(wave)  # type: ignore[attr-defined]
    ours = (fresnel_transfer if near else fresnel_impulse)(light, distance_m)
    # HCIPy's far method takes a plane of its own size; light that leaves it differs.
    assert error(fresnel.electric_field * turn, ours, phase=True) < (1e-9 if near else 1e-6)
    exact = hcipy.AngularSpectrumPropagator(grid, distance_m, num_oversampling=1)(wave)  # type: ignore[attr-defined]
    ours = angular_spectrum(light, distance_m)
    assert error(exact.electric_field * turn, ours, phase=True) < 1e-6


def test_hcipy_lens(light: Field) -> None:
    hcipy, grid, wave = hcipy_wave(light)
    ours = fourier_lens(light, FOCAL_M)
    coords = hcipy.RegularCoords(  # type: ignore[attr-defined]
        list(ours.pitch_m), [SIDE] * 2, [-(SIDE // 2) * p for p in ours.pitch_m]
    )
    lens = hcipy.FraunhoferPropagator(grid, hcipy.CartesianGrid(coords), FOCAL_M)  # type: ignore[attr-defined]
    assert error(lens(wave).electric_field, ours) < 1e-9


def test_lightpipes_free_space(light: Field) -> None:
    pipes = peer("LightPipes")
    begin = pipes.Begin(SIDE * PITCH_M, WAVELENGTH_M, SIDE)  # type: ignore[attr-defined]
    begin.field = light.data.numpy().copy()
    ours = fresnel_transfer(light, NEAR_M, surround="periodic")
    assert error(pipes.Forvard(begin, NEAR_M).field, ours, phase=True) < 1e-6  # type: ignore[attr-defined]


def test_torchoptics_free_space(light: Field) -> None:
    peers = peer("torchoptics")
    field = peers.Field(light.data, WAVELENGTH_M, spacing=PITCH_M)  # type: ignore[attr-defined]
    for method in ("ASM", "DIM"):
        distance_m = NEAR_M if method == "ASM" else FAR_M
        made = field.propagate(
            (SIDE, SIDE), distance_m, spacing=PITCH_M, propagation_method=method
        ).data
        turn = complex(np.exp(-2j * math.pi * (distance_m / WAVELENGTH_M % 1)))
        assert error(made.numpy() * turn, angular_spectrum(light, distance_m), phase=True) < 1e-6
