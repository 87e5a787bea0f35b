"""Measured crosstalk: weights beside sums over fine grids, other libraries, and bad files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate

from optics.crosstalk import CrosstalkKernel
from optics.detection import TwoShot
from optics.errors import InputError
from optics.modulation import blurred, transmission
from optics.modulator import Modulator
from optics.physical import Bench, physical_convolution
from optics.system import FourF
from optics.tiling import side_by_side

SIDE = 24


def kernel(rows: int, columns: int, samples: int = 1, seed: int = 0) -> CrosstalkKernel:
    weights = np.random.default_rng(seed).random((rows, columns))
    return CrosstalkKernel(tuple(map(tuple, weights)), samples)


def display(measured: CrosstalkKernel | None, kind: str = "lcos-amplitude") -> Modulator:
    return Modulator(
        kind=kind, pixels=(64, 64), pitch_m=8e-6, crosstalk_kernel=measured  # type: ignore[arg-type]
    )  # fmt: skip


def drawn(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", [(3, 3), (5, 1), (7, 5)])
def test_a_weight_for_each_pixel_is_a_convolution_of_the_pixels(size: tuple[int, int]) -> None:
    drive, measured = drawn(2, SIDE, 17), kernel(*size)
    # A weight below the middle moves the drive down: a convolution, which scipy's correlation is
    # with weights turned.
    turned = np.array(measured.weights)[::-1, ::-1]
    wanted = [correlate(plane, turned, mode="nearest") for plane in drive.numpy()]
    found = blurred(drive, display(measured), 1)
    np.testing.assert_allclose(found.numpy(), np.stack(wanted), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("per_pixel", "samples"), [(1, 3), (3, 1), (3, 2), (4, 3)])
def test_finer_weights_are_sums_over_a_grid_that_holds_both(per_pixel: int, samples: int) -> None:
    drive, measured = drawn(7, 9), kernel(5, 7, per_pixel)
    fine = np.lcm(per_pixel, samples) * 2
    wide = np.pad(drive.numpy(), 4, mode="edge").repeat(fine, 0).repeat(fine, 1)
    total: NDArray[np.float64] = np.zeros_like(wide)
    weights = np.array(measured.weights)
    for (down, right), weight in np.ndenumerate(weights):
        step = fine // per_pixel
        total += weight * np.roll(wide, ((down - 2) * step, (right - 3) * step), (0, 1))
    inner = total[4 * fine : -4 * fine, 4 * fine : -4 * fine]
    block = fine // samples
    wanted = inner.reshape(7 * samples, block, 9 * samples, block).mean((1, 3))
    found = blurred(drive, display(measured), samples)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=1e-14)


def test_a_single_weight_is_no_crosstalk_and_an_even_drive_stays() -> None:
    drive = drawn(SIDE, SIDE)
    for samples in (1, 3):
        found = transmission(drive, display(CrosstalkKernel(((2.0,),), 4)), samples=samples)
        torch.testing.assert_close(found, transmission(drive, display(None), samples=samples))
        even = transmission(torch.full((9, 9), 0.3, dtype=torch.float64), display(kernel(5, 7, 2)))
        torch.testing.assert_close(even, torch.full_like(even, 0.3))


def test_patterns_undo_measured_crosstalk_of_the_input() -> None:
    """With the filter's patterns sharpened, an image behind crosstalk convolves as the image."""
    images, weight = drawn(2, 1, 10, 10), drawn(3, 1, 3, 3) - 0.4
    measured = CrosstalkKernel(((0.01, 0.05, 0.02), (0.04, 0.7, 0.06), (0.02, 0.07, 0.03)))
    system = FourF.ideal((64, 64))
    blurry = replace(system.input, kind="lcos-amplitude", crosstalk_kernel=measured)
    errors = {}
    for compensate in (True, False):
        bench = Bench(
            replace(system, input=blurry), scheme=TwoShot(), noise=False, compensate=compensate
        )
        found = physical_convolution(images, weight, padding=1, bench=bench).output
        exact = torch.nn.functional.conv2d(images, weight, padding=1)
        errors[compensate] = float((found - exact).norm() / exact.norm())
    # Signed kernels are parted before they are sharpened, so that what is left is of the root.
    assert errors[True] < 0.1 * errors[False]


def test_measured_crosstalk_of_phases_sends_the_result_off_the_axis() -> None:
    system = FourF.ideal((64, 64))
    assert len(side_by_side(system)) == 4
    phases = display(kernel(3, 3), "lcos-phase")
    assert phases.blurs_phases
    assert side_by_side(replace(system, filter=phases)) == ("images",)


def test_a_file_of_weights(tmp_path: Path) -> None:
    path = tmp_path / "kernel.csv"
    path.write_text("# measured at 532 nm\n# samples: 2\n0, 1, 0\n1, 4, 1\n\n0, 1, 0\n")
    read = CrosstalkKernel.read(path)
    assert read.samples == 2
    assert read == CrosstalkKernel(((0, 1, 0), (1, 4, 1), (0, 1, 0)), 2)
    assert sum(map(sum, read.weights)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1, 2\n3, 4\n", "an odd number of rows and columns .* got 2 x 2"),
        ("1\n1, 2, 3\n", "rows of one length"),
        ("", "rows of one length"),
        ("1, x, 1\n", r"kernel.csv:1: expected weights between commas; got '1, x, 1'"),
        ("# samples: two\n1\n", "kernel.csv:1: samples must be a whole number; got 'two'"),
        ("# samples: 0\n1\n", "samples must be a whole number of weights per pixel"),
        ("1, -1, 1\n", "row 1, column 2: a weight must be finite and at or above 0; got -1.0"),
        ("0\n", "one weight must be above 0"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "kernel.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=told):
        CrosstalkKernel.read(path)
    with pytest.raises(InputError, match="cannot be read"):
        CrosstalkKernel.read(tmp_path / "none.csv")


def test_one_crosstalk_of_two() -> None:
    with pytest.raises(InputError, match="crosstalk_kernel takes the place of crosstalk_px"):
        replace(display(kernel(3, 3)), crosstalk_px=0.3)
