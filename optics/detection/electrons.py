"""The camera's reading: electrons of photons, with noise, full well and converter."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from optics.camera import Camera
from optics.checks import required_generator
from optics.errors import InputError
from optics.field import require_finite
from optics.grid import REAL
from optics.straight import straight_through


def detect(
    photons: Tensor,
    camera: Camera,
    *,
    generator: torch.Generator | None = None,
    noise: bool = True,
) -> Tensor:
    """Return the electrons that a camera reports for ``photons``, with its mean dark taken off.

    q = Poisson(η N + D), the charge of photons and dark together; it ends at the full well; the
    reading adds N(0, read²); the converter rounds it to steps of ``electrons_per_dn`` around its
    black level and ends at its smallest and largest number; D is taken off. What is returned has

    - the mean ηN: exactly, as long as neither end is met. Rounding keeps the mean where the noise
      spans a step (at half a step rms it is off by at most 0.0023 steps, at 0.3 by 0.054); below
      that the mean is off by up to half a step, as in any camera. Without a black level the
      converter cuts noise below 0 off, and the mean of dark pixels is too high.
    - the variance ηN + D + read² + step²/12, the last with the same reserve.

    Backward: rounding passes the gradient straight through; at the ends it is 0, as more light
    changes nothing. Shot noise is taken as q = μ + √μ z with z held fixed, dq/dμ = (q + μ)/(2μ),
    though q itself is drawn from Poisson's law: the mean of a gradient is exact for what is linear
    or square in q, and for other functions off by terms of the order of f'''(μ)/12.

    Args:
        photons: mean number per pixel and exposure, any shape, at least 0, float32 or float64.
        camera: the part.
        generator: generator of shot, dark and read noise; required with ``noise``.
        noise: ``False`` leaves everything random out (shot, dark and read noise); well and
            converter stay. :meth:`Camera.ideal` has neither.

    Returns:
        Electrons, of the shape and type of ``photons``; noise may make them negative.

    Raises:
        InputError: photons that are negative, not finite or of another type, or ``noise`` without
            a generator on the device of the photons.
    """
    _check(photons)
    charge = photons * camera.quantum_efficiency + camera.dark_e
    if noise:
        generator = required_generator(
            generator,
            photons.device,
            f"{camera.name}: noise is drawn at random (noise=False draws nothing)",
        )
        charge = shot(charge, generator)
    if not math.isinf(camera.full_well_e):
        charge = charge.clamp(max=camera.full_well_e)
    if noise and generator is not None and camera.read_noise_e > 0:
        reading = torch.randn(
            charge.shape, dtype=charge.dtype, device=charge.device, generator=generator
        )
        charge = charge + camera.read_noise_e * reading
    return digitised(charge, camera) - camera.dark_e


def shot(mean: Tensor, generator: torch.Generator) -> Tensor:
    """Return a count of Poisson's law for every mean, with the gradient of :func:`detect`."""
    count = torch.poisson(mean.detach(), generator=generator)
    lit = mean.detach() > 0
    # Without light there are no photons; the gradient is then its mean, 1.
    spread = torch.where(lit, mean, torch.ones_like(mean)).sqrt()
    unit = torch.where(lit, (count - mean.detach()) / spread.detach(), torch.zeros_like(mean))
    return straight_through(mean + spread * unit, count)


def digitised(charge: Tensor, camera: Camera) -> Tensor:
    """Return electrons rounded to the converter's numbers, its black level subtracted."""
    step_e = camera.electrons_per_dn
    if camera.bits is None or step_e is None:
        return charge
    number = charge / step_e
    number = straight_through(number, torch.round(number.detach()))
    top = (1 << camera.bits) - 1 - camera.black_dn
    return number.clamp(-camera.black_dn, top) * step_e


def _check(photons: Tensor) -> None:
    if not isinstance(photons, Tensor):
        raise InputError(f"photons must be a tensor; got {type(photons).__name__}")
    if photons.dtype not in REAL.values():
        raise InputError(
            f"photons must be float32 or float64, the mean per pixel and exposure; got "
            f"{photons.dtype}: a camera counts intensity, the squared modulus of a field"
        )
    if photons.numel() == 0:
        return
    require_finite(photons, "photons")
    least = float(photons.detach().amin())
    if least < 0:
        raise InputError(f"photons must be at or above 0; got {least:g}")
