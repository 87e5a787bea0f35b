"""Zernike polynomials: Noll's table, and orthonormal over the pupil."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from optics.errors import InputError
from optics.lens import Lens
from optics.zernike import noll, wavefront, zernike

# Table I of R. J. Noll, JOSA 66:207 (1976): (n, m), below 0 for sines.
TABLE = {
    1: (0, 0),
    2: (1, 1),
    3: (1, -1),
    4: (2, 0),
    5: (2, -2),
    6: (2, 2),
    7: (3, -1),
    8: (3, 1),
    9: (3, -3),
    10: (3, 3),
    11: (4, 0),
    12: (4, 2),
    13: (4, -2),
    14: (4, 4),
    15: (4, -4),
    16: (5, 1),
    17: (5, -1),
    22: (6, 0),
}


def test_order_is_that_of_noll() -> None:
    assert {index: noll(index) for index in TABLE} == TABLE
    with pytest.raises(InputError, match="starts at 1; got 0"):
        noll(0)


def test_orthonormal_over_the_pupil() -> None:
    # Gauss-Legendre in ρ² and even angles integrate these polynomials exactly.
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(12))
    radius = torch.sqrt((nodes + 1) / 2)
    angle = torch.arange(24, dtype=torch.float64) * (2 * math.pi / 24)
    grid = torch.stack(
        [
            zernike(i, radius[:, None].expand(-1, 24), angle[None, :].expand(12, -1))
            for i in range(1, 23)
        ]
    )
    inner = torch.einsum("irt,jrt,r->ij", grid, grid, weights / 2) / 24
    torch.testing.assert_close(inner, torch.eye(22, dtype=torch.float64), rtol=0, atol=1e-13)


def test_named_ones() -> None:
    radius, angle = torch.tensor([0.3, 0.7, 1.0]).double(), torch.tensor([0.1, 1.2, 4.0]).double()
    y, x = radius * torch.sin(angle), radius * torch.cos(angle)
    r2 = radius**2
    for index, expected in {
        2: 2 * x,
        3: 2 * y,
        4: math.sqrt(3) * (2 * r2 - 1),
        8: math.sqrt(8) * (3 * r2 - 2) * x,
        11: math.sqrt(5) * (6 * r2**2 - 6 * r2 + 1),
    }.items():
        torch.testing.assert_close(zernike(index, radius, angle), expected, rtol=0, atol=1e-14)


def test_wavefront_is_laid_over_rows_and_columns() -> None:
    rows, columns = torch.tensor([-1e-3, 0.0]).double(), torch.tensor([0.0, 0.5e-3, 1e-3]).double()
    tilt_right = wavefront([0, 0.25], rows, columns, 1e-3)
    tilt_down = wavefront([0, 0, 0.25], rows, columns, 1e-3)
    torch.testing.assert_close(tilt_right, torch.tensor([[0, 0.25, 0.5]] * 2).double())
    torch.testing.assert_close(tilt_down, torch.tensor([[-0.5] * 3, [0.0] * 3]).double())


def test_lens_figures() -> None:
    lens = Lens(focal_length_m=0.1, pupil_m=0.02)
    assert lens.numerical_aperture == pytest.approx(math.sin(math.atan(0.1)))
    assert lens.f_number == pytest.approx(5)
    assert lens.cutoff_per_m(500e-9) == pytest.approx(0.01 / (500e-9 * 0.1))
    assert Lens.ideal().numerical_aperture == 1
    with pytest.raises(InputError, match="give pupil_m a finite diameter"):
        Lens(focal_length_m=0.1, zernike_waves=(0, 0, 0, 0.1))
    with pytest.raises(InputError, match="pupil_m must be above 0"):
        Lens(focal_length_m=0.1, pupil_m=-1)
