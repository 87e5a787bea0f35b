"""Point spread and modulation transfer of a round pupil, with and without aberrations.

    python examples/optics/psf_mtf.py

puts Zernike aberrations on the pupil of a lens and draws the point spread function and the
modulation transfer function of incoherent light, beside the closed form of a pupil without
aberrations, (2/π)(acos ν - ν √(1 - ν²)) (Goodman, Introduction to Fourier Optics, ch. 6).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from drawing import arguments, plt, save

from optics.field import Field
from optics.grid import centred_fft2, coordinates
from optics.lens import Lens
from optics.propagation import matrix_fourier
from optics.zernike import wavefront

WAVELENGTH_M = 532e-9
FOCAL_LENGTH_M = 0.1
PUPIL_M = 10e-3
CASES = {
    "no aberration": (),
    "defocus, 0.15 waves": (0, 0, 0, 0.15),
    "coma, 0.15 waves": (0, 0, 0, 0, 0, 0, 0, 0.15),
    "spherical, 0.15 waves": (0,) * 10 + (0.15,),
}


def main() -> None:
    """Draw the four cases."""
    options = arguments("Draw PSF and MTF of a lens.", "psf_mtf")
    # A narrow window would cut off outer rings, and with them contrast at low frequencies.
    samples, airy_radii = (64, 24) if options.small else (400, 200)
    cutoff_per_m = PUPIL_M / (WAVELENGTH_M * FOCAL_LENGTH_M)  # of intensity, twice the field's
    airy_m = 1.21967 * WAVELENGTH_M * FOCAL_LENGTH_M / PUPIL_M
    pitch_m = airy_m / 5
    shown = 5 * airy_radii + 1

    figure = plt.figure(figsize=(9, 5.4), layout="constrained")
    grid = figure.add_gridspec(2, 4, height_ratios=(1, 1.25))
    curves = figure.add_subplot(grid[1, :])
    for number, (name, waves) in enumerate(CASES.items()):
        lens = Lens(focal_length_m=FOCAL_LENGTH_M, pupil_m=PUPIL_M, zernike_waves=waves)
        axis = coordinates(samples, 1.02 * PUPIL_M / samples)
        inside = (axis[:, None] ** 2 + axis**2 <= (lens.pupil_m / 2) ** 2).double()
        phase = 2 * math.pi * wavefront(lens.zernike_waves, axis, axis, lens.pupil_m / 2)
        pupil = Field(torch.polar(inside, phase), WAVELENGTH_M, float(axis[1] - axis[0]))
        image = matrix_fourier(pupil, lens.focal_length_m, (shown, shown), pitch_m)
        reference = pupil.with_data(inside.to(pupil.data.dtype))
        peak = matrix_fourier(reference, lens.focal_length_m, (1, 1), pitch_m).intensity.max()
        psf = image.intensity / peak

        half = 4 * airy_m * 1e6
        axes = figure.add_subplot(grid[0, number])
        reach = 4 * 5
        middle = slice(shown // 2 - reach, shown // 2 + reach + 1)
        picture = axes.imshow(
            psf[middle, middle].sqrt().numpy(), extent=(-half, half, half, -half), vmin=0, vmax=1
        )
        circle = plt.Circle((0, 0), airy_m * 1e6, fill=False, color="white", linestyle=":")
        axes.add_patch(circle)
        axes.set_title(f"{name}\nStrehl ratio {float(psf.max()):.2f}", fontsize=9)
        axes.set(xlabel="place (µm)", xticks=(-20, 0, 20), yticks=(-20, 0, 20))
        if number == 0:
            axes.set_ylabel("place (µm)")

        contrast = centred_fft2(psf.to(torch.complex128)).abs()
        contrast = contrast / contrast.max()
        contrast = contrast.numpy()
        row = contrast[shown // 2, shown // 2 :]
        frequency = np.arange(len(row)) / (shown * pitch_m)
        below = frequency <= 1.1 * cutoff_per_m
        curves.plot(frequency[below] * 1e-3, row[below], label=f"{name}, left to right")
        if name.startswith("coma"):
            column = contrast[shown // 2 :, shown // 2]
            curves.plot(
                frequency[below] * 1e-3, column[below], "--", color=curves.lines[-1].get_color(),
                label=f"{name}, up to down",
            )  # fmt: skip
    figure.colorbar(picture, ax=figure.axes[1:], label="√ intensity", shrink=0.8)
    nu = np.linspace(0, 1, 201)
    closed = 2 / math.pi * (np.arccos(nu) - nu * np.sqrt(1 - nu**2))
    curves.plot(nu * cutoff_per_m * 1e-3, closed, "k:", label="closed form, no aberration")
    curves.set(
        xlabel="frequency (line pairs per mm)", ylabel="modulation transfer", xlim=(0, None),
        ylim=(0, 1.02),
    )  # fmt: skip
    curves.set_title(
        f"f = {FOCAL_LENGTH_M * 1e3:g} mm, pupil {PUPIL_M * 1e3:g} mm, λ = "
        f"{WAVELENGTH_M * 1e9:g} nm: cut-off {cutoff_per_m * 1e-3:.0f} line pairs per mm, "
        f"Airy radius {airy_m * 1e6:.1f} µm (dotted circles)"
    )
    curves.legend()
    save(figure, options.out)


if __name__ == "__main__":
    main()
