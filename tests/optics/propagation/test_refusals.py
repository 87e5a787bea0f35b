"""Distances and grids that alias, and data that are no light, are refused in words that help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from optics.errors import InputError, SamplingError
from optics.field import Field
from optics.propagation import (
    angular_limit_m,
    angular_spectrum,
    fourier_lens,
    fresnel_impulse,
    fresnel_matrix,
    fresnel_transfer,
    matrix_fourier,
    propagate,
    rayleigh_sommerfeld,
)

FIELD = Field(torch.ones(64, 64), 500e-9, 5e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fresnel_transfer(FIELD, 0.007), "distance_m=0.007.*0.0064 m; use fresnel_impulse"),
        (lambda: fresnel_transfer(FIELD, -0.007), "use fresnel_impulse"),
        (lambda: fresnel_impulse(FIELD, 0.006), "starts at 0.0064 m here; use fresnel_transfer"),
        (lambda: fresnel_impulse(FIELD, -0.006), "use fresnel_transfer"),
        (
            lambda: angular_spectrum(FIELD, 0.007, band_limit=False),
            "alias.*along down: its limit here is 0.0063[0-9]* m; use propagate",
        ),
        (lambda: angular_spectrum(FIELD, 0.1), "keeps only .* use propagate"),
        (lambda: rayleigh_sommerfeld(FIELD, 0.006), "starts at 0.0063[0-9]* m here; use propagate"),
        (
            lambda: rayleigh_sommerfeld(Field(torch.ones(1, 9), 5e-7, 5e-6), 1.0),
            "two samples per axis; got 1 x 9: use band_extended",
        ),
        (
            lambda: Field.plane_wave((8, 8), 5e-7, 5e-6, (0.0, 0.051)),
            "sine 0.051 right .* at most 0.05 at pitch 5e-06 m: take a finer pitch",
        ),
        (lambda: fresnel_matrix(FIELD, 0.003, (4, 4), 5e-6), "0.0032 m here; use fresnel_transfer"),
        (lambda: fresnel_matrix(FIELD, 0.004, (90, 90), 5e-6), "reaches .* past .* smaller grid"),
        (lambda: matrix_fourier(FIELD, 0.1, (8, 8), 1.5e-3), "past 0.005 m"),
        (lambda: matrix_fourier(FIELD, 0.1, (8, 8), 1e-3, (0.0, 2e-3)), "right, past"),
    ],
)
def test_what_would_alias(call: Callable[[], Field], message: str) -> None:
    with pytest.raises(SamplingError, match=message):
        call()


def test_the_limit_is_where_the_phase_turns_by_half_a_circle_between_bins() -> None:
    count, pitch_m, wavelength_m = 64, 0.4e-6, 500e-9
    limit_m = angular_limit_m(count, pitch_m, wavelength_m)
    bins = torch.tensor([count / 2 - 1e-4, count / 2], dtype=torch.float64) / (count * pitch_m)
    along = torch.sqrt(1 / wavelength_m**2 - bins**2)
    slope = float((along[0] - along[1]) / 1e-4) * 2 * torch.pi * limit_m
    assert slope == pytest.approx(torch.pi, rel=1e-4)
    assert angular_limit_m(64, 0.2e-6, 500e-9) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fresnel_transfer(FIELD, float("nan")), "distance_m must be a number"),
        (lambda: fresnel_impulse(FIELD, float("inf")), "distance_m must be a finite number"),
        (lambda: angular_spectrum(FIELD, "1"), "distance_m must be a number"),  # type: ignore[arg-type]
        (lambda: angular_spectrum(FIELD, 1e-3, surround="grey"), "'dark' or 'periodic'"),  # type: ignore[arg-type]
        (lambda: propagate(FIELD, 1e-3, method="exact"), "method must be one of auto, angular"),  # type: ignore[arg-type]
        (lambda: rayleigh_sommerfeld(FIELD, float("inf")), "distance_m must be a finite number"),
        (lambda: fourier_lens(FIELD, 0.0), "focal_length_m must be above 0"),
        (lambda: fourier_lens(FIELD, -0.1), "focal_length_m must be above 0"),
        (lambda: matrix_fourier(FIELD, 0.1, (8, 8), -1e-6), "pitch_m, down must be"),
        (lambda: matrix_fourier(FIELD, 0.1, (8, 0), 1e-6), "two whole numbers of at least 1"),
        (lambda: fresnel_matrix(FIELD, 0.1, (8, 8), 1e-6, (0.0, float("inf"))), "centre_m, right"),
    ],
)
def test_figures_out_of_range(call: Callable[[], Field], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pitch_m": -5e-6}, "pitch_m, down must be finite and above 0; got -5e-06"),
        ({"pitch_m": (5e-6, 0.0)}, "pitch_m, right must be"),
        ({"pitch_m": [5e-6] * 3}, "one number or .down, right.; got"),
        ({"wavelength_m": 0.0}, "wavelength_m must be"),
        ({"data": torch.ones(4)}, r"shape \(..., rows, columns\).*got .*\(4,\)"),
        ({"data": torch.ones(0, 4)}, "at least one sample"),
        ({"data": torch.ones(2, 2, dtype=torch.int64)}, "complex64 or complex128.*got .*int64"),
        ({"data": torch.tensor([[1.0, torch.nan]])}, "must be finite; 1 of 2 numbers"),
        ({"data": torch.tensor([[1.0, complex(0, torch.inf)]])}, "must be finite; 1 of 2 numbers"),
        ({"data": [[1.0]]}, "must be a tensor; got list"),
    ],
)
def test_data_that_are_no_light(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"data": torch.ones(2, 2), "wavelength_m": 5e-7, "pitch_m": 5e-6}
    Field(**good)
    with pytest.raises(InputError, match=message):
        Field(**(good | change))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(64, 63), r"plane, 64 x 64; got 64 x 63"),
        (torch.ones(64, 64, dtype=torch.float64), "must be torch.complex64 or torch.float32"),
        (torch.ones(64, 64, device="meta"), "must be on cpu, where the field is; got meta"),
    ],
)
def test_masks_of_another_kind(mask: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        FIELD.modulated(mask)
