"""Encoders against what is known of them: exactness, efficiencies, errors that never grow."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from optics.encoding import METHODS, Method, encode
from optics.errors import InputError
from optics.grid import centred_fft2
from optics.modulator import Modulator, ModulatorKind

SIDE = 64


def part(kind: ModulatorKind, **figures: object) -> Modulator:
    settings: dict[str, object] = {"kind": kind, "pixels": (2 * SIDE, SIDE), "pitch_m": 8e-6}
    if kind == "dmd":
        settings["bits"] = 1
    return Modulator(**(settings | figures))  # type: ignore[arg-type]


def spectra(
    size: int, count: int = 2, seed: int = 0, shape: tuple[int, int] = (SIDE, SIDE)
) -> Tensor:
    """Spectra of signed kernels of ``size`` around the axis."""
    generator = torch.Generator().manual_seed(seed)
    plane = torch.zeros(count, *shape, dtype=torch.complex128)
    top, left = shape[0] // 2 - size // 2, shape[1] // 2 - size // 2
    kernels = torch.randn(count, size, size, dtype=torch.float64, generator=generator)
    plane[:, top : top + size, left : left + size] = kernels.to(torch.complex128)
    return centred_fft2(plane)


def test_complex_is_exact() -> None:
    target = spectra(5)
    found = encode(target, Modulator.ideal((SIDE, SIDE)))
    largest = target.abs().amax((-2, -1))
    torch.testing.assert_close(found.scale.real, 1 / largest, rtol=1e-12, atol=0)
    torch.testing.assert_close(
        found.efficiency, (target.abs() / largest[:, None, None]).square().mean((-2, -1))
    )
    assert bool((found.snr > 1e28).all())
    torch.testing.assert_close(found.output(), found.kernel, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", METHODS["lcos-phase"])
def test_phases_show_kernels(method: Method) -> None:
    found = encode(spectra(3), part("lcos-phase"), method=method, window=(9, 9))
    least = {"double-phase": 1e4, "gerchberg-saxton": 1e6, "optimised": 1e6}[method]
    assert bool((found.snr > least).all())
