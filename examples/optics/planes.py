"""The planes of a 4f system with the tiles of one frame: input, filter, camera.

    python examples/optics/planes.py

plans a layer of handwritten digits and signed kernels on a small plane, draws the planner's tiles,
and propagates light through two ideal lenses. Dotted lines are tiles, M + N - 1 pixels wide:
an image with its guard band, or a whole linear convolution at the camera.
"""

from __future__ import annotations

import numpy as np
import torch
from drawing import COLOURS, arguments, plt, save
from matplotlib.colors import LogNorm
from sklearn.datasets import load_digits

from optics.field import Field
from optics.grid import centred_fft2, turned
from optics.propagation import fourier_lens
from optics.system import FourF
from optics.tiling import ConvShape, plan, usable_plane

KERNELS = {
    "as it is": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "edge across": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "edge along": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "blur": [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
}


def main() -> None:
    """Draw one frame."""
    options = arguments("Draw the planes of a 4f system.", "planes")
    side = 96 if options.small else 160
    digits = torch.tensor(load_digits().images / 16)[: 2 if options.small else 6]
    images = digits.repeat_interleave(2, 1).repeat_interleave(2, 2)
    kernels = torch.tensor(list(KERNELS.values()), dtype=torch.float64)
    kernels = kernels / kernels.abs().sum((1, 2), keepdim=True)
    system = FourF.ideal((side, side))
    shape = ConvShape(
        batch=len(images), in_channels=1, out_channels=len(kernels), size=(16, 16), kernel=(3, 3)
    )
    layout = plan(shape, usable_plane(system))
    frame = next(iter(layout))

    shown = torch.zeros(layout.plane, dtype=torch.float64)
    for where in layout.image_rectangles(frame):
        rows, columns = where.size
        image = images[where.index[2]]
        shown[where.top : where.top + rows, where.left : where.left + columns] = image
    response = torch.zeros(layout.plane, dtype=torch.float64)
    for where in layout.kernel_rectangles(frame):
        rows, columns = where.size
        kernel = kernels[where.index[2]].flip(0, 1)  # light convolves, frameworks correlate
        response[where.top : where.top + rows, where.left : where.left + columns] = kernel
    transmission = centred_fft2(response)
    transmission = transmission / transmission.abs().max()

    light = Field(shown, system.laser.wavelength_m, system.input.pitch_m)
    spectrum = fourier_lens(light, system.lens_1.focal_length_m)
    camera = fourier_lens(spectrum.modulated(transmission), system.lens_2.focal_length_m)
    read = turned(camera.intensity)

    figure, axes = plt.subplots(2, 2, figsize=(9, 8), layout="constrained")
    half_mm = [s * system.input.pitch_m * 500 for s in layout.plane]
    extent = (-half_mm[1], half_mm[1], half_mm[0], -half_mm[0])
    filter_mm = [s * system.filter.pitch_m * 500 for s in layout.plane]
    filter_extent = (-filter_mm[1], filter_mm[1], filter_mm[0], -filter_mm[0])
    power = spectrum.intensity
    pictures = (
        (axes[0, 0], shown, extent, {}, "amplitude", "input modulator: images in their tiles"),
        (
            axes[0, 1], power, filter_extent,
            {"norm": LogNorm(float(power.max()) * 1e-6, float(power.max()))},
            "intensity (arbitrary)", "light at the filter: the spectrum of all images",
        ),
        (
            axes[1, 0], transmission.abs(), filter_extent, {"vmin": 0, "vmax": 1},
            "amplitude", "filter: amplitude of its transmission",
        ),
        (
            axes[1, 1], read.sqrt(), extent, {"vmin": 0},
            "√ intensity (arbitrary)", "camera, turned back by 180°: the sign is lost",
        ),
    )  # fmt: skip
    for panel, values, where, how, label, title in pictures:
        picture = panel.imshow(values.numpy(), extent=where, **how)
        figure.colorbar(picture, ax=panel, label=label, shrink=0.85)
        panel.set(xlabel="place (mm)", ylabel="place (mm)")
        panel.set_title(title)
    band = shape.extent[0] - 1
    for panel, rectangles, before in (
        (axes[0, 0], layout.image_rectangles(frame), band // 2),
        (axes[1, 1], layout.output_rectangles(frame), 0),
    ):
        for where in rectangles:
            corner = (np.array([where.left, where.top]) - before) * system.input.pitch_m * 1e3
            width, height = (s * system.input.pitch_m * 1e3 for s in shape.full[::-1])
            panel.add_patch(
                plt.Rectangle(
                    (corner[0] - half_mm[1], corner[1] - half_mm[0]), width, height,
                    fill=False, color=COLOURS[4], linestyle=":", linewidth=1,
                )
            )  # fmt: skip
    figure.suptitle(
        f"{len(images)} images x {len(kernels)} kernels ({', '.join(KERNELS)}) in "
        f"{layout.frames} frame on {side} x {side} pixels of {system.input.pitch_m * 1e6:g} µm",
        fontsize=10,
    )
    print(f"{layout.frames} frame, {layout.use:.1%} of the input plane in use")
    save(figure, options.out)


if __name__ == "__main__":
    main()
