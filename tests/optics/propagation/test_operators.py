"""What holds of every propagator whatever the light: power, adjoints, turns, batches, types."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from optics.field import Field
from optics.grid import centred_fft2, centred_ifft2, turned
from optics.propagation import (
    angular_spectrum,
    band_extended,
    fourier_lens,
    fresnel_impulse,
    fresnel_matrix,
    fresnel_transfer,
    matrix_fourier,
    rayleigh_sommerfeld,
)

WAVELENGTH_M, PITCH_M, SHAPE = 500e-9, (5e-6, 6e-6), (12, 15)
NEAR_M, FAR_M, FOCAL_M = 0.4e-3, 4e-3, 0.1

Operator = Callable[[Field], Field]

# Each with its adjoint, where that is one of these operators itself.
OPERATORS: dict[str, tuple[Operator, Operator | None]] = {
    "angular": (lambda f: angular_spectrum(f, NEAR_M), lambda f: angular_spectrum(f, -NEAR_M)),
    "angular, unlimited": (
        lambda f: angular_spectrum(f, NEAR_M, surround="periodic", band_limit=False),
        lambda f: angular_spectrum(f, -NEAR_M, surround="periodic", band_limit=False),
    ),
    "transfer": (lambda f: fresnel_transfer(f, NEAR_M), lambda f: fresnel_transfer(f, -NEAR_M)),
    "transfer, periodic": (
        lambda f: fresnel_transfer(f, NEAR_M, surround="periodic"),
        lambda f: fresnel_transfer(f, -NEAR_M, surround="periodic"),
    ),
    "impulse": (lambda f: fresnel_impulse(f, FAR_M), lambda f: fresnel_impulse(f, -FAR_M)),
    "sommerfeld": (
        lambda f: rayleigh_sommerfeld(f, FAR_M),
        lambda f: rayleigh_sommerfeld(f, -FAR_M),
    ),
    "extended": (lambda f: band_extended(f, FAR_M), lambda f: band_extended(f, -FAR_M)),
    "matrix": (lambda f: fresnel_matrix(f, FAR_M, (9, 8), (7e-6, 9e-6), (9e-6, -5e-6)), None),
    "matrix Fourier": (lambda f: matrix_fourier(f, FOCAL_M, (9, 8), 3e-4, (1e-4, -2e-4)), None),
    "lens": (lambda f: fourier_lens(f, FOCAL_M), None),
}
UNITARY = ("angular, unlimited", "transfer, periodic", "lens")
FAR_PITCH = {"lens": tuple(WAVELENGTH_M * FOCAL_M / (n * p) for n, p in zip(SHAPE, PITCH_M))}

every_operator = pytest.mark.parametrize("name", OPERATORS)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.complex128) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def on(data: Tensor) -> Field:
    return Field(data, WAVELENGTH_M, PITCH_M)


@pytest.mark.parametrize("name", UNITARY)
def test_power_is_kept(name: str) -> None:
    field = on(noise(3, *SHAPE))
    torch.testing.assert_close(OPERATORS[name][0](field).power_w, field.power_w, rtol=1e-13, atol=0)


def test_transforms_are_inverse_and_keep_power() -> None:
    for shape in ((8, 8), (7, 10), (1, 5)):
        data = noise(2, *shape)
        there = centred_fft2(data)
        torch.testing.assert_close(centred_ifft2(there), data, rtol=0, atol=1e-14)
        torch.testing.assert_close(there.abs().square().sum(), data.abs().square().sum())
        torch.testing.assert_close(centred_fft2(there), turned(data), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["angular, unlimited", "transfer, periodic"])
def test_forward_then_backward_is_nothing(name: str) -> None:
    field = on(noise(*SHAPE))
    there, back = OPERATORS[name]
    assert back is not None
    torch.testing.assert_close(back(there(field)).data, field.data, rtol=0, atol=1e-12)


def test_two_lenses_turn_the_field_and_its_sign() -> None:
    field = on(noise(*SHAPE))
    image = fourier_lens(fourier_lens(field, 0.1), 0.2)
    torch.testing.assert_close(image.data * 2, -turned(field.data), rtol=0, atol=1e-13)
    assert image.pitch_m == pytest.approx(tuple(2 * p for p in PITCH_M))
    torch.testing.assert_close(image.power_w, field.power_w)


@every_operator
def test_adjoint_by_dot_products(name: str) -> None:
    forward, adjoint = OPERATORS[name]
    x = noise(*SHAPE).requires_grad_()
    image = forward(on(x)).data
    y = noise(*image.shape, seed=1)
    product = torch.vdot(image.detach().flatten(), y.flatten())
    (pulled,) = torch.autograd.grad(image, x, y)
    torch.testing.assert_close(torch.vdot(x.detach().flatten(), pulled.flatten()), product)
    if adjoint is not None:
        torch.testing.assert_close(adjoint(on(y)).data, pulled, rtol=0, atol=1e-12)
    if name == "lens":
        torch.testing.assert_close(
            pulled / (pulled.norm() / y.norm()), 1j * centred_ifft2(y), rtol=0, atol=1e-12
        )


@every_operator
def test_gradients(name: str) -> None:
    data = noise(5, 6).requires_grad_()
    near = {"impulse": FAR_M, "matrix": FAR_M}.get(name, NEAR_M / 4)
    operators: dict[str, Callable[[Tensor], Tensor]] = {
        "angular": lambda d: angular_spectrum(on(d), near).data,
        "angular, unlimited": lambda d: (
            angular_spectrum(on(d), near, surround="periodic", band_limit=False).data
        ),
        "transfer": lambda d: fresnel_transfer(on(d), near).data,
        "transfer, periodic": lambda d: fresnel_transfer(on(d), near, surround="periodic").data,
        "impulse": lambda d: fresnel_impulse(on(d), near).data,
        "sommerfeld": lambda d: rayleigh_sommerfeld(on(d), FAR_M).data,
        "extended": lambda d: band_extended(on(d), near).data,
        "matrix": lambda d: fresnel_matrix(on(d), near, (3, 4), PITCH_M).data,
        "matrix Fourier": lambda d: matrix_fourier(on(d), FOCAL_M, (3, 4), 3e-4).data,
        "lens": lambda d: fourier_lens(on(d), FOCAL_M).data,
    }
    assert torch.autograd.gradcheck(operators[name], (data,))
    assert torch.autograd.gradgradcheck(operators[name], (data,))


@every_operator
def test_light_on_one_side_stays_on_its_side(name: str) -> None:
    """Orientation and sign: a beam tilted down and to the right goes down and to the right."""
    y, x = (torch.arange(n, dtype=torch.float64) - n // 2 for n in (64, 64))
    waist = 8.0
    beam = torch.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / waist**2)
    cycles = torch.tensor([0.05, 0.09], dtype=torch.float64)  # per sample, down and right
    tilt = torch.exp(2j * torch.pi * (cycles[0] * y[:, None] + cycles[1] * x[None, :]))
    field = Field(beam * tilt, WAVELENGTH_M, 5e-6)
    distance_m = 1e-3 if "angular" in name or "transfer" in name else 10e-3
    free = {
        "angular": angular_spectrum,
        "angular, unlimited": angular_spectrum,
        "transfer": fresnel_transfer,
        "transfer, periodic": fresnel_transfer,
        "impulse": fresnel_impulse,
        "sommerfeld": rayleigh_sommerfeld,
        "extended": band_extended,
    }
    if name in free:
        behind, reach_m = free[name](field, distance_m), distance_m
        centre = (0.0, 0.0)
    elif name == "matrix":
        centre = (1e-4, 2e-4)
        behind = fresnel_matrix(field, distance_m, (80, 90), (6e-6, 5e-6), centre)
        reach_m = distance_m
    elif name == "matrix Fourier":
        centre = (1e-4, 2e-4)
        behind = matrix_fourier(field, 10e-3, (80, 80), 5e-6, centre)
        reach_m = 10e-3
    else:
        behind, centre, reach_m = fourier_lens(field, 10e-3), (0.0, 0.0), 10e-3
    place = [axis + c for axis, c in zip(behind.axes_m, centre)]
    light = behind.intensity / behind.intensity.sum()
    expected = cycles / 5e-6 * WAVELENGTH_M * reach_m
    for axis in (0, 1):
        mean = float((light.sum(1 - axis) * place[axis]).sum())
        assert mean == pytest.approx(float(expected[axis]), rel=0.02)


@every_operator
def test_batches_are_done_one_by_one(name: str) -> None:
    data = noise(2, 3, *SHAPE)
    operator = OPERATORS[name][0]
    together = operator(on(data)).data
    for i in range(2):
        for j in range(3):
            alone = operator(on(data[i, j])).data
            torch.testing.assert_close(together[i, j], alone, rtol=0, atol=1e-13)


@every_operator
def test_single_precision_stays_single_and_near(name: str) -> None:
    data = noise(*SHAPE)
    operator = OPERATORS[name][0]
    double, single = operator(on(data)), operator(on(data.to(torch.complex64)))
    assert single.data.dtype == torch.complex64
    scale = float(double.data.abs().max())
    torch.testing.assert_close(
        single.data.to(torch.complex128), double.data, rtol=0, atol=3e-6 * scale
    )


@every_operator
def test_nothing_is_computed_on_another_device(name: str) -> None:
    made = OPERATORS[name][0](Field(torch.empty(2, *SHAPE, device="meta"), WAVELENGTH_M, PITCH_M))
    assert made.data.device.type == "meta"
    assert made.data.shape[0] == 2


def test_what_is_kept_is_bounded_and_never_part_of_a_gradient() -> None:
    field = on(noise(*SHAPE).requires_grad_())
    with torch.inference_mode():
        angular_spectrum(on(noise(*SHAPE)), 0.123e-3)
    angular_spectrum(field, 0.123e-3).intensity.sum().backward()
    assert field.data.grad is not None


def test_the_two_fresnel_methods_meet_at_the_critical_distance() -> None:
    # At z = S dx / λ both transforms of the chirp are sampled, and are the same.
    count, pitch_m = 16, 5e-6
    data = noise(count, count)
    field = Field(data, WAVELENGTH_M, pitch_m)
    plane = 32  # the first size from 2 × 16 - 1 on that the transform likes
    critical_m = plane * pitch_m**2 / WAVELENGTH_M
    near, far = fresnel_transfer(field, critical_m), fresnel_impulse(field, critical_m)
    torch.testing.assert_close(near.data, far.data, rtol=0, atol=1e-11)
