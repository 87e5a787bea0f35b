"""Expected signal-to-noise ratio of optical layers, measured on images beforehand."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from optics.ideal import ideal_conv2d
from optics.layers.conv import OpticalConv2d
from optics.physical import Bench, physical_convolution

LEAST_SNR_DB = 10.0
"""Signal-to-noise ratio below which a layer is reported: errors of 32 % rms of the result."""


class SignalWarning(UserWarning):
    """Errors of a layer on light are large beside its result."""


def expected_snr_db(layer: OpticalConv2d, images: Tensor, bench: Bench | None = None) -> float:
    """Return 10 log₁₀ Σ y² / Σ (ŷ - y)² of a layer in dB, whatever its road.

    y is the exact result without bias, ŷ that of the physical road with all errors and noise.
    Random numbers start from the layer's seed, and its own generator stays as it is.

    Args:
        layer: layer to measure.
        images: (batch, in_channels, rows, columns), at least one.
        bench: bench to measure with; ``None`` is the layer's own, as calibrated.

    Returns:
        Infinity where there is no error, and -infinity where there is no signal.
    """
    images = images.to(layer.weight.dtype)
    bench = (layer.tuned_bench if bench is None else bench).fitted(images)
    geometry = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "groups")}
    generator = torch.Generator(images.device).manual_seed(layer.seed)
    with torch.no_grad():
        light = physical_convolution(
            images, layer.weight, **geometry, bench=bench, generator=generator
        ).output
        exact = ideal_conv2d(images, layer.weight, **geometry, max_bytes=bench.max_bytes)
        signal = float(exact.double().square().sum())
        error = float((light - exact).double().square().sum())
    if error == 0:
        return math.inf
    return 10 * math.log10(signal / error) if signal > 0 else -math.inf


def warn_of_snr(found_db: dict[str, float], least_db: float) -> None:
    """Warn of the layers whose signal-to-noise ratio is below ``least_db``, at the caller's caller.

    Args:
        found_db: signal-to-noise ratio in dB by the layer's name.
        least_db: least that is expected.
    """
    low = {name: snr_db for name, snr_db in found_db.items() if snr_db < least_db}
    if low:
        listed = ", ".join(f"{name or 'the layer'} {snr_db:.1f} dB" for name, snr_db in low.items())
        warnings.warn(
            f"expected signal-to-noise below {least_db:g} dB (rms errors of "
            f"{10 ** (-least_db / 20):.0%} of the result): {listed}; take more light, a longer "
            "exposure, a carrier or another encoder, or parts with less crosstalk",
            SignalWarning,
            stacklevel=3,
        )
