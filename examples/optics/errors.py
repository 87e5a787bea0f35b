"""Error of a convolution by light against bits, photons, and the shift of the filter.

    python examples/optics/errors.py

simulates random images and signed kernels with one limit of one part at a time, and draws the rms
error over the rms of the exact result; for the shift, the change against an aligned filter, as
square pixels have an error without any shift. Dotted lines have the slopes of theory: half the
error for each bit more; half the error for four times the photons.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from drawing import arguments, plt, save
from torch import Tensor
from torch.nn import functional

from optics.detection import ReferenceBeam, Scheme, TwoShot
from optics.layers import Bench, OpticalConv2d, calibrate
from optics.physical import Sampling
from optics.system import Alignment, FourF

SIDE = 96


class Trial:
    """Random images and kernels of one layer, and the error of light against the exact result."""

    def __init__(self, batch: int, kernel: int) -> None:
        """Draw images between 0 and 1 and kernels of both signs."""
        generator = torch.Generator().manual_seed(kernel)
        self.images = torch.rand(batch, 1, 16, 16, generator=generator, dtype=torch.float64)
        self.weight = torch.randn(1, 1, kernel, kernel, generator=generator, dtype=torch.float64)
        self.exact = functional.conv2d(self.images, self.weight)

    def result(self, system: FourF, scheme: Scheme, **options: Any) -> Tensor:
        """Return the result of light; ``scaled`` calibrates the exposure to the full well."""
        scaled = options.pop("scaled", False)
        bench = Bench(system, scheme=scheme, **{"noise": False} | options)
        layer = OpticalConv2d(
            1, 1, self.weight.shape[-1], bias=False, dtype=torch.float64, bench=bench,
            road="physical",
        )  # fmt: skip
        layer.weight.data.copy_(self.weight)
        if scaled:
            calibrate(layer, self.images, headroom=1.0, least_snr_db=-np.inf)
        with torch.no_grad():
            return layer(self.images)

    def error(self, found: Tensor, wanted: Tensor | None = None) -> float:
        """Return the rms difference from the exact result, or from ``wanted``, over its rms."""
        off = found - (self.exact if wanted is None else wanted)
        return float(off.square().mean().sqrt() / self.exact.square().mean().sqrt())


def main() -> None:
    """Draw the three panels."""
    options = arguments("Draw the error against bits, photons and shift.", "errors")
    few = options.small
    base = FourF.ideal((SIDE, SIDE))
    trial = Trial(2 if few else 16, 5)
    figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.8), layout="constrained")

    bits = np.arange(2, 4 if few else 13)
    for name, part in (("input", base.input), ("filter", base.filter), ("camera", base.camera)):
        errors = []
        for count in bits.tolist():
            figures = {"full_well_e": 1e6} if name == "camera" else {}
            system = replace(base, **{name: replace(part, bits=count, **figures)})
            found = trial.result(system, TwoShot(), scaled=name == "camera")
            errors.append(trial.error(found))
        panels[0].semilogy(bits, errors, "o-", markersize=3, label=f"{name}")
    panels[0].semilogy(bits, 0.25 * 2.0 ** (2 - bits), "k:", label="half for each bit")
    panels[0].set(xlabel="bits of one part, the others ideal", ylabel="rms error / rms result")
    panels[0].set_title("bits (two-shot)")

    photons = np.logspace(2, 6, 3 if few else 9)
    schemes: tuple[Scheme, ...] = (TwoShot(), ReferenceBeam(electrons=1e6))
    for scheme in schemes:
        errors = []
        for count in photons.tolist():
            power_w = count * SIDE**2 * base.laser.photon_energy_j / base.camera.exposure_s
            system = replace(base, laser=replace(base.laser, power_w=power_w))
            errors.append(trial.error(trial.result(system, scheme, noise=True)))
        label = f"{scheme.name}, {len(scheme.passes)} exposures"
        panels[1].loglog(photons, errors, "o-", markersize=3, label=label)
    panels[1].loglog(photons, 8 / np.sqrt(photons), "k:", label="1/√photons")
    panels[1].set(xlabel="photons per input pixel and exposure")
    panels[1].set_title("photons (shot noise alone)")

    shifts = np.array([1.0, 4.0]) if few else np.logspace(-1, 1, 9)
    # Square pixels: a shift by a part of a pixel has no meaning for pixels as points.
    sampling = Sampling.squares("filter")
    for kernel in (3, 7) if few else (3, 7, 15):
        moved = Trial(1 if few else 4, kernel)
        still = moved.result(base, TwoShot(), sampling=sampling)
        errors = []
        for pixels in shifts.tolist():
            alignment = Alignment(shift_m=(pixels * base.filter.pitch_m, 0.0))
            system = replace(base, alignment=alignment)
            found = moved.result(system, TwoShot(), sampling=sampling)
            errors.append(moved.error(found, still))
        panels[2].loglog(shifts, errors, "o-", markersize=3, label=f"kernel {kernel} x {kernel}")
    panels[2].set(
        xlabel=f"shift of the filter (pixels of {SIDE})", ylabel="rms change / rms result"
    )
    panels[2].set_title("shift, square pixels (two-shot)")
    for panel in panels:
        panel.grid(alpha=0.3)
        panel.legend()
    save(figure, options.out)


if __name__ == "__main__":
    main()
