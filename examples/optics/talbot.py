"""Talbot carpet: self-images of a grating, without a lens.

    python examples/optics/talbot.py

propagates the light behind a grating of slits and draws its intensity over distance. At the Talbot
length 2a²/λ the grating is imaged, at half of it with a shift of half a period, at a quarter with
half the period (Rayleigh, Phil. Mag. 11:196, 1881).
"""

from __future__ import annotations

import numpy as np
import torch
from drawing import COLOURS, arguments, plt, save

from optics.field import Field
from optics.propagation import fresnel_transfer

WAVELENGTH_M = 532e-9
PITCH_M = 1e-6
PERIOD = 64
"""Samples of a period; a slit takes a quarter of it."""


def main() -> None:
    """Draw the carpet."""
    options = arguments("Draw a Talbot carpet.", "talbot")
    steps = 9 if options.small else 321
    period_m = PERIOD * PITCH_M
    talbot_m = 2 * period_m**2 / WAVELENGTH_M
    columns = PERIOD * 4  # a periodic field is exact at any distance
    place = (torch.arange(columns) - columns // 2 + PERIOD // 2) % PERIOD - PERIOD // 2
    slits = (place.abs() < PERIOD // 8).double()
    slits[place.abs() == PERIOD // 8] = 0.5  # an edge through the middle of a sample
    grating = Field(slits[None, :], WAVELENGTH_M, (1e-2, PITCH_M))

    distances_m = torch.linspace(0, talbot_m, steps, dtype=torch.float64).tolist()
    rows = [fresnel_transfer(grating, z, surround="periodic").intensity[0] for z in distances_m]
    carpet = torch.stack(rows).numpy()

    figure, (wide, cuts) = plt.subplots(
        1, 2, figsize=(9, 3.8), width_ratios=(3, 2), layout="constrained"
    )
    half_um = 2 * period_m * 1e6
    image = wide.imshow(
        carpet.T,
        aspect="auto",
        extent=(0, talbot_m * 1e3, half_um, -half_um),
        vmin=0,
        vmax=float(np.quantile(carpet, 0.999)),
    )
    figure.colorbar(image, ax=wide, label="intensity (grating: 1)")
    wide.set(xlabel="distance (mm)", ylabel="place (µm)")
    wide.set_title(f"behind slits of period {period_m * 1e6:g} µm, λ = {WAVELENGTH_M * 1e9:g} nm")
    for part, name in ((1 / 4, "1/4"), (1 / 2, "1/2")):
        wide.axvline(part * talbot_m * 1e3, color="white", linewidth=0.8, linestyle=":")
        wide.text(part * talbot_m * 1e3, -half_um * 0.98, f" {name}", color="white", va="top")
    axis_um = (np.arange(carpet.shape[1]) - 2 * PERIOD) * PITCH_M * 1e6
    for row, (at, name) in enumerate(((0, "0"), (1 / 4, "1/4"), (1 / 2, "1/2"), (1, "1"))):
        cut = carpet[round(at * (steps - 1))]
        cuts.fill_between(axis_um, -1.4 * row, cut - 1.4 * row, color=COLOURS[row], linewidth=0)
        cuts.text(float(axis_um[0]) * 0.98, -1.4 * row + 1.08, f"{name} of 2a²/λ", fontsize=8)
    cuts.set(xlabel="place (µm)", yticks=[], xlim=(float(axis_um[0]), float(axis_um[-1])))
    cuts.set_ylim(-4.4, 1.45)
    cuts.set_title(f"intensity at parts of 2a²/λ = {talbot_m * 1e3:.2f} mm")
    again = float(abs(carpet[-1] - carpet[0]).max())
    print(f"Talbot length {talbot_m * 1e3:.4f} mm; there the grating differs by {again:.1e}")
    save(figure, options.out)


if __name__ == "__main__":
    main()
