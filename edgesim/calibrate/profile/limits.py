"""Measures the two limits of a roofline: arithmetic rate and memory bandwidth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgesim.calibrate.profile.timing import time_all

DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
"""Precisions that are timed, as torch calls them."""
_SIDE = {"cpu": 1024, "cuda": 8192}
_TRIAD_BYTES = {"cpu": 128 << 20, "cuda": 1 << 30}
"""Size of each of the three vectors: several times the largest cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Measured limits.

    Attributes:
        peak_flop_s: rate of the fastest of some products of square matrices, in FLOP per second.
        peak_source: description of its measurement.
        bandwidth_byte_s: rate of the fastest of some triads ``a = b + s c``, in bytes per second:
            two vectors read, one written.
        bandwidth_source: description of its measurement.
    """

    peak_flop_s: float
    peak_source: str
    bandwidth_byte_s: float
    bandwidth_source: str


def measure(device: str, precision: str, *, rounds: int) -> Limits:
    """Measure both, in rounds; torch's threads as they are set."""
    import torch

    dtype = getattr(torch, DTYPES[precision])
    side = _SIDE[device]
    generator = torch.Generator(device).manual_seed(0)
    left, right = (
        torch.randn(side, side, device=device, generator=generator).to(dtype) for _ in range(2)
    )
    product = torch.empty_like(left)
    many = _TRIAD_BYTES[device] // 4
    if device == "cuda":
        free_bytes, _ = torch.cuda.mem_get_info()
        many = min(many, free_bytes // 16)
    a, b, c = (torch.ones(many, device=device) for _ in range(3))
    with torch.inference_mode():
        matmul_s, triad_s = time_all(
            [
                lambda: torch.matmul(left, right, out=product),
                lambda: torch.add(b, c, alpha=2.0, out=a),
            ],
            rounds=rounds,
            cuda=device == "cuda",
            generator=np.random.default_rng(0),
        ).min(axis=1)
    return Limits(
        peak_flop_s=2.0 * side**3 / float(matmul_s),
        peak_source=f"{side}x{side} matrices multiplied, the fastest of {rounds}",
        bandwidth_byte_s=12.0 * many / float(triad_s),
        bandwidth_source=f"a = b + s c of {many * 4 >> 20} MiB each, the fastest of {rounds}",
    )
