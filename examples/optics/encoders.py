"""Kernels on real modulators: efficiency and signal-to-noise ratio of each encoder.

    python examples/optics/encoders.py

encodes spectra of random signed kernels for phase displays, amplitude displays and mirrors, and
draws the signal-to-noise ratio within a window around the kernel, and the share of light in the
kernel, against the bits of a pixel; below, the whole output plane of one kernel, with the noise and
the diffraction orders. Amplitude displays and mirrors send the kernel off the axis, to a carrier.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from drawing import COLOURS, arguments, plt, save
from torch import Tensor

from optics.encoding import Encoding, encode
from optics.grid import centred_fft2, centred_ifft2
from optics.modulation import transmission
from optics.modulator import Modulator

WINDOW = (15, 15)
LABELS = {
    ("lcos-phase", "double-phase"): "phase, double-phase",
    ("lcos-phase", "gerchberg-saxton"): "phase, Gerchberg-Saxton",
    ("lcos-phase", "optimised"): "phase, optimised",
    ("lcos-amplitude", "off-axis"): "amplitude, off-axis",
    ("lcos-amplitude", "optimised"): "amplitude, optimised",
    ("dmd", "lee"): "mirrors, Lee's fringes",
    ("dmd", "error-diffusion"): "mirrors, error diffusion",
    ("dmd", "optimised"): "mirrors, optimised",
}
SHOWN = (
    ("lcos-phase", "double-phase", 8),
    ("lcos-phase", "optimised", 4),
    ("lcos-amplitude", "off-axis", 8),
    ("dmd", "lee", 1),
    ("dmd", "optimised", 1),
)


def kernels(count: int, size: int, side: int) -> Tensor:
    """Return spectra (count, side, side) of random signed kernels of ``size`` squared."""
    generator = torch.Generator().manual_seed(1)
    plane = torch.zeros(count, side, side, dtype=torch.complex128)
    first = side // 2 - size // 2
    values = torch.randn(count, size, size, generator=generator, dtype=torch.float64)
    plane[:, first : first + size, first : first + size] = values.to(plane.dtype)
    return centred_fft2(plane)


def decibel(ratio: Tensor) -> float:
    """Return 10 log10 of the geometric mean."""
    return float(10 * torch.log10(ratio).mean())


def output(found: Encoding, index: int) -> Tensor:
    """Return the output plane of one kernel, intensity over the largest of the target."""
    part = replace(found.modulator, flicker_rad=0.0)
    light = centred_ifft2(transmission(found.drive[index], part))
    wanted = found.scale[index] * found.kernel[index]
    return light.abs().square() / wanted.abs().square().max()


def main() -> None:
    """Draw the curves and the outputs."""
    options = arguments("Draw the encoders' kernels.", "encoders")
    side, count, bits, steps = (32, 1, (4, 8), 10) if options.small else (64, 6, range(1, 9), 200)
    window = (9, 9) if options.small else WINDOW
    target = kernels(count, 5, side)
    figure = plt.figure(figsize=(10, 7), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1.45, 1))
    noise, light = above.subplots(1, 2)
    encodings: dict[tuple[str, str, int], Encoding] = {}
    for number, ((kind, method), label) in enumerate(LABELS.items()):
        levels = (1,) if kind == "dmd" else bits
        style = {"color": COLOURS[number % 7], "label": label, "markersize": 4}
        if kind == "dmd":
            style |= {"marker": "D^v"[number - 5], "markersize": 7, "fillstyle": "none"}
        found = []
        for depth in levels:
            part = Modulator(kind=kind, pixels=(side, side), pitch_m=8e-6, bits=depth)
            iterated = steps if method in ("optimised", "gerchberg-saxton") else None
            found.append(encode(target, part, method=method, window=window, steps=iterated))
            encodings[kind, method, depth] = found[-1]
        mark = {"dmd": "", "lcos-phase": "o-", "lcos-amplitude": "s--"}[kind]
        noise.plot(levels, [decibel(one.snr) for one in found], mark, **style)
        light.plot(levels, [100 * float(one.efficiency.mean()) for one in found], mark, **style)
    noise.set(xlabel="bits of a pixel", ylabel="signal over noise in the window (dB)")
    noise.set_title(
        f"{window[0]} × {window[1]} window around kernels of 5 × 5, {side} × {side} pixels"
    )
    noise.grid(alpha=0.3)
    light.set(xlabel="bits of a pixel", ylabel="light in the kernel (%)", yscale="log")
    light.set_title("share of the light that falls on the modulator")
    light.grid(alpha=0.3)
    light.set_yticks((1, 2, 5, 10, 20), ("1", "2", "5", "10", "20"))
    light.minorticks_off()
    light.legend(ncol=2, loc="center", bbox_to_anchor=(0.57, 0.5))

    half = side // 2
    row = below.subplots(1, len(SHOWN), sharey=True)
    for axes, (kind, method, depth) in zip(row, SHOWN, strict=True):
        found = encodings[kind, method, depth]
        power = 10 * torch.log10(output(found, 0).clamp(min=1e-12))
        picture = axes.imshow(power.numpy(), vmin=-50, vmax=10, extent=(-half, half, half, -half))
        # In an inverse transform the order at a carrier ν lies at -ν times the side.
        down, right = (-nu * side for nu in found.carrier)
        corner = right - window[1] // 2, down - window[0] // 2
        box = plt.Rectangle(corner, *window[::-1], fill=False, color="white", linewidth=0.8)
        axes.add_patch(box)
        axes.set_title(
            f"{LABELS[kind, method]}\n{depth} bit{'s' if depth > 1 else ''}, "
            f"{decibel(found.snr[:1]):.0f} dB, {100 * float(found.efficiency[0]):.1f} % of light",
            fontsize=8,
        )
        axes.set(xticks=np.linspace(-half, half, 3), yticks=np.linspace(-half, half, 3))
        axes.set_xlabel("pixels of the output")
    row[0].set_ylabel("pixels of the output")
    bar = below.colorbar(picture, ax=row, shrink=0.75, pad=0.01)
    bar.set_label("power over the\nkernel's largest (dB)", fontsize=9)
    save(figure, options.out)


if __name__ == "__main__":
    main()
