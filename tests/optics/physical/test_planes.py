"""Light at the planes of a 4f, beside sums over every sample, hop by hop and without transforms."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from optics.field import Field
from optics.lens import Lens
from optics.physical import Geometry, Sampling
from optics.physical.filter import (
    displayed,
    filter_light,
    frequency_index,
    squares_light,
)
from optics.physical.light import Optics
from optics.physical.pupil import pupil_mask
from optics.propagation import fresnel_matrix, fresnel_transfer
from optics.system import Alignment, FourF

SIDE, SAMPLES = 6, 3
SYSTEM = FourF.ideal((SIDE, SIDE), pitch_m=20e-6)
FOCAL_M = SYSTEM.lens_1.focal_length_m
FINE = Sampling(input=SAMPLES, filter=SAMPLES, pupils="lens")


def noise(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.complex128, generator=generator)


def hop(field: Field, distance_m: float, pitch_m: float) -> Field:
    """Free space, as a sum over all samples for each sample."""
    return fresnel_matrix(field, distance_m, field.shape, pitch_m)


def through(field: Field, lens: Lens) -> Field:
    """A thin lens: pupil, aberrations and its quadratic phase."""
    rows, columns = field.axes_m
    mask = pupil_mask(lens, rows, columns)
    r2 = rows[:, None] ** 2 + columns[None, :] ** 2
    bent = field.modulated(
        torch.exp(-1j * math.pi * r2 / (field.wavelength_m * lens.focal_length_m))
    )
    return bent if mask is None else bent.modulated(mask)


@pytest.mark.parametrize("pupils", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("defocus_m", [0.0, 2e-4, -1e-4])
def test_every_plane_is_the_sum_over_the_one_before(
    pupils: tuple[bool, bool], defocus_m: float
) -> None:
    finite = Lens(
        focal_length_m=FOCAL_M, pupil_m=1.1e-4, zernike_waves=(0, 0.1, 0, 0.07, 0, 0, 0.05)
    )
    lenses = [finite if has else Lens.ideal(FOCAL_M) for has in pupils]
    system = replace(
        SYSTEM, lens_1=lenses[0], lens_2=lenses[1], alignment=Alignment(defocus_m=defocus_m)
    )
    geometry = Geometry.of(system, (SIDE, SIDE), FINE)
    side, middle = geometry.side, geometry.side // 2
    optics = Optics.of(geometry, torch.complex128, torch.device("cpu"))
    shown = noise(*geometry.window, seed=0)
    transmission = noise(side, side, seed=1)

    first = middle - geometry.centre(0)
    plane = torch.zeros(side, side, dtype=torch.complex128)
    plane[first : first + shown.shape[0], first : first + shown.shape[1]] = shown
    field = Field(plane, system.laser.wavelength_m, geometry.input_step_m)
    at_lens = through(hop(field, FOCAL_M, geometry.input_step_m), system.lens_1)
    before = hop(at_lens, FOCAL_M, geometry.filter_step_m)
    if defocus_m:
        before = fresnel_transfer(before, defocus_m, surround="periodic")
    ours = torch.fft.fftshift(optics.spectrum(shown))
    # The field in the focal plane is 1/(iλf) times area times the plain sum.
    scale = geometry.input_step_m**2 / (1j * system.laser.wavelength_m * FOCAL_M)
    wanted = before.data / scale
    # The transform counts from the window's first sample, which is a phase here.
    turn = torch.exp(
        2j * math.pi * frequency_index(geometry, torch.device("cpu")) / side * geometry.centre(0)
    )
    phase = torch.fft.fftshift(turn[:, None] * turn[None, :])
    assert (ours * phase - wanted).abs().max() < 1e-10 * wanted.abs().max()

    behind = before.modulated(transmission)
    if defocus_m:
        behind = fresnel_transfer(behind, -defocus_m, surround="periodic")
    at_lens = through(hop(behind, FOCAL_M, geometry.filter_step_m), system.lens_2)
    image = hop(at_lens, FOCAL_M, geometry.input_step_m).data
    index = np.arange(geometry.window[0], dtype=np.int64)
    filtered = optics.spectrum(shown) * torch.fft.ifftshift(transmission)
    ours = optics.image(filtered, index, index) * optics.phase(index, index)
    # In the laboratory the image is turned by 180°, and has lost two quarter waves, a sign.
    upright = torch.flip(image, (0, 1))
    last = side - 1 - middle - geometry.centre(0)
    wanted = -upright[last : last + len(index), last : last + len(index)]
    assert (ours - wanted).abs().max() < 1e-10 * wanted.abs().max()


def test_the_image_is_turned_and_the_camera_with_it() -> None:
    geometry = Geometry.of(SYSTEM, (SIDE, SIDE), FINE)
    optics = Optics.of(geometry, torch.complex128, torch.device("cpu"))
    shown = torch.zeros(geometry.window, dtype=torch.complex128)
    shown[:SAMPLES, SAMPLES : 2 * SAMPLES] = 1  # the pixel in the first row and second column
    index = np.arange(geometry.window[0], dtype=np.int64)
    image = optics.image(optics.spectrum(shown), index, index)
    torch.testing.assert_close(image, shown, rtol=0, atol=1e-14)
    field = Field(
        torch.zeros(54, 54, dtype=torch.complex128),
        SYSTEM.laser.wavelength_m,
        geometry.input_step_m,
    )
    start = 27 - geometry.centre(0)
    field.data[start : start + 3, start + 3 : start + 6] = 1
    ideal = Lens.ideal(FOCAL_M)
    light = hop(
        through(hop(field, FOCAL_M, geometry.input_step_m), ideal), FOCAL_M, geometry.filter_step_m
    )
    light = hop(
        through(hop(light, FOCAL_M, geometry.filter_step_m), ideal), FOCAL_M, geometry.input_step_m
    )
    bright = (light.intensity > 0.5).nonzero()
    assert bright.tolist() == [
        [54 - start - 3 + i + 1, 54 - start - 6 + j + 1] for i in range(3) for j in range(3)
    ]


@pytest.mark.parametrize("samples", [1, 2, 3, 25])
def test_order_zero_of_a_fill_factor_has_its_square(samples: int) -> None:
    fill = 0.6
    system = replace(SYSTEM, filter=replace(SYSTEM.filter, fill_factor=fill))
    geometry = Geometry.of(system, (SIDE, SIDE), Sampling(filter=samples))
    clear = torch.ones(SIDE, SIDE, dtype=torch.complex128)
    light = filter_light(displayed(clear, system.filter, samples, None), geometry)
    orders = torch.fft.ifft2(light).abs().square()
    assert float(orders[0, 0]) == pytest.approx(fill**2, rel=1e-12)
    if samples == 25:
        # The next order of squares of side √F pitch, one period of pixels away; the square's edge
        # lies within a sample, which is told by its mean.
        side = math.sqrt(fill)
        expected = (fill * math.sin(math.pi * side) / (math.pi * side)) ** 2
        assert float(orders[0, SIDE]) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("samples", [2, 3, 4])
@pytest.mark.parametrize("side", [6, 7])
def test_squares_are_the_same_drawn_or_by_their_response(samples: int, side: int) -> None:
    system = FourF.ideal((side, side), pitch_m=20e-6)
    geometry = Geometry.of(system, (side, side), Sampling(filter=samples))
    responses = noise(side, side, seed=3).real
    pixels = torch.fft.fftshift(torch.fft.fft2(responses))
    drawn = filter_light(displayed(pixels, system.filter, samples, None), geometry)
    # At the far end of an even grid one term stands for two; that lies far beyond the plane.
    ours = torch.fft.ifft2(squares_light(responses, geometry))
    theirs = torch.fft.ifft2(drawn)
    index = torch.fft.fftfreq(geometry.side, 1 / geometry.side)
    near = index.abs() < geometry.side / 2
    both = near[:, None] & near
    torch.testing.assert_close(ours[both], theirs[both], rtol=0, atol=1e-12)
