"""Signed sums from intensities: noise and bias of each sign scheme against the photon number.

    python examples/optics/signs.py

detects one signed field by each scheme many times, at increasing light, and draws the rms noise of
the combined readings (marks: drawn; lines: the formulas of the schemes) and their bias. The root of
a few photons is biased low; reference beams of two or more frames take no root and have no bias.
"""

from __future__ import annotations

import numpy as np
import torch
from drawing import arguments, plt, save
from torch import Tensor

from optics.camera import Camera
from optics.detection import FourShot, InField, ReferenceBeam, Scheme, TwoShot, expose

# Fields of the passes whose combination is a field of 1.
SHARES = {"two-shot": (1.5, 0.5), "four-shot": (1.0, 0.3, 0.2, 0.5)}
REFERENCE = 4.0
"""Intensity of the reference over that of the field."""


def schemes(electrons: float) -> dict[str, Scheme]:
    """Return the schemes by their name in the legend, for a field of ``electrons``."""
    beam = REFERENCE * electrons
    return {
        "two-shot": TwoShot(),
        "four-shot": FourShot(),
        "in-field, 1 frame": InField(electrons=beam),
        "reference, 2 frames": ReferenceBeam(electrons=beam, frames=2),
        "reference, 3 frames": ReferenceBeam(electrons=beam, frames=3),
    }


def trial(
    scheme: Scheme, electrons: float, camera: Camera, draws: int, seed: int
) -> tuple[float, float, float]:
    """Return rms noise drawn, rms noise by formula, and bias, each over the field."""
    shares = SHARES.get(scheme.name, (1.0,) * len(scheme.passes))
    fields = torch.tensor(shares, dtype=torch.float64)[:, None] * electrons**0.5
    generator = torch.Generator().manual_seed(seed)
    many = expose(fields.expand(-1, draws), scheme, camera, generator=generator)
    found: Tensor = scheme.combine(many) / electrons**0.5
    expected = scheme.variance(expose(fields, scheme, camera, noise=False), camera)
    return float(found.std()), float((expected / electrons).sqrt()), float(found.mean() - 1)


def main() -> None:
    """Draw noise and bias of every scheme."""
    options = arguments("Draw noise and bias of sign schemes.", "signs")
    draws, count = (2000, 5) if options.small else (400_000, 13)
    lights = np.geomspace(0.1, 1e4, count)
    camera = Camera(pixels=(1, 1), pitch_m=4e-6, read_noise_e=1.0, name="camera of 1 e")
    figure, (noise, bias) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
    for number, name in enumerate(schemes(1.0)):
        rows = [
            trial(schemes(float(light))[name], float(light), camera, draws, number)
            for light in lights
        ]
        drawn, formula, off = np.array(rows).T
        (line,) = noise.plot(lights, formula, linewidth=1)
        noise.plot(lights, drawn, "o", markersize=4, color=line.get_color(), label=name)
        bias.plot(lights, 100 * off, "o-", markersize=4, linewidth=1, color=line.get_color())
    noise.set(
        xscale="log", yscale="log", xlabel="electrons of the field, u²",
        ylabel="rms noise over the field",
    )  # fmt: skip
    noise.set_title("marks: drawn; lines: first order in the noise")
    noise.grid(alpha=0.3)
    noise.legend()
    bias.axhline(0, color="black", linewidth=0.6)
    bias.set(xscale="log", xlabel="electrons of the field, u²", ylabel="bias over the field (%)")
    bias.set_title(f"reference of {REFERENCE:g} u², shot noise and 1 electron of read noise")
    bias.grid(alpha=0.3)
    save(figure, options.out)


if __name__ == "__main__":
    main()
