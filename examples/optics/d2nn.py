"""A diffractive network (D2NN) of five layers learns handwritten digits.

    python examples/optics/d2nn.py

Coherent light carries a digit of 8 x 8 pixels through five masks whose phases are trained, with
free space between (Lin et al., Science 361:1004, 2018). The brightest of ten regions on the
detector is the answer. The picture shows two digits at the input, the masks, and the light at the
detector.
"""

from __future__ import annotations

import math
import warnings

import torch
from drawing import arguments, plt, save
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from optics.elements import FreeSpace, PhaseMask
from optics.field import Field
from optics.propagation import AliasingWarning

WAVELENGTH_M, PITCH_M, SIDE = 532e-9, 4e-6, 40
DISTANCE_M = 1.5e-3
LAYERS, BATCH, RATE = 5, 64, 0.05
REGION = 5
"""Side of a detector's region, in samples."""


def main() -> None:
    """Train the network and draw it."""
    options = arguments("Train a diffractive network on digits.", "d2nn")
    torch.manual_seed(0)
    # Masks have a step at every sample: some of their light lies near the highest frequency.
    warnings.simplefilter("ignore", AliasingWarning)
    digits = load_digits()
    images = torch.tensor(digits.images / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(images))
    images, labels = lit(images[order]), labels[order]
    layers: list[nn.Module] = [FreeSpace(DISTANCE_M)]
    for _ in range(LAYERS):
        layers += [PhaseMask((SIDE, SIDE)), FreeSpace(DISTANCE_M)]
    model, regions = nn.Sequential(*layers), detectors()

    steps, trained = (5, 1400) if options.small else (150, 1400)
    adam = torch.optim.Adam(model.parameters(), lr=RATE)
    for step in range(steps):
        chosen = torch.randint(trained, (BATCH,))
        shares = answer(model, images[chosen], regions)
        # Shares of ten regions, so sharpened that they train as a classifier's logits.
        loss = functional.cross_entropy(20 * shares, labels[chosen])
        adam.zero_grad()
        loss.backward()
        adam.step()
        for group in adam.param_groups:
            group["lr"] = RATE * (1 + math.cos(math.pi * step / steps)) / 2
    with torch.no_grad():
        found = answer(model, images[trained:], regions).argmax(-1)
    accuracy = float((found == labels[trained:]).double().mean())
    print(f"{accuracy:.1%} of {len(found)} digits that it was not trained on")
    draw(model, images[trained:], labels[trained:], regions, accuracy, options.out)


def lit(images: Tensor) -> Tensor:
    """Return amplitudes on the plane, (images, SIDE, SIDE), of digits of 8 x 8."""
    wide = functional.interpolate(images[:, None], scale_factor=3, mode="nearest")[:, 0]
    edge = (SIDE - wide.shape[-1]) // 2
    return functional.pad(wide, (edge, edge, edge, edge))


def detectors() -> Tensor:
    """Return ten regions in rows of 3, 4 and 3, (10, SIDE, SIDE)."""
    made = torch.zeros(10, SIDE, SIDE)
    places = [(row, column) for row, count in enumerate((3, 4, 3)) for column in range(count)]
    for digit, (row, column) in enumerate(places):
        count = (3, 4, 3)[row]
        top = SIDE * (2 * row + 1) // 6 - REGION // 2
        left = SIDE * (2 * column + 1) // (2 * count) - REGION // 2
        made[digit, top : top + REGION, left : left + REGION] = 1
    return made


def answer(model: nn.Module, amplitudes: Tensor, regions: Tensor) -> Tensor:
    """Return the share of each region in the light that regions get, (images, 10)."""
    intensity = model(Field(amplitudes, WAVELENGTH_M, PITCH_M)).intensity
    got = torch.einsum("bhw,dhw->bd", intensity, regions)
    shares: Tensor = got / got.sum(-1, keepdim=True)
    return shares


def draw(
    model: nn.Sequential,
    images: Tensor,
    labels: Tensor,
    regions: Tensor,
    accuracy: float,
    out: object,
) -> None:
    """Draw the masks, and two digits with their light at the detector."""
    figure, axes = plt.subplots(2, 5, figsize=(10, 4.4), layout="constrained")
    masks = [layer for layer in model if isinstance(layer, PhaseMask)]
    for number, (axis, mask) in enumerate(zip(axes[0], masks, strict=True), 1):
        phase = torch.remainder(mask.phase_rad.detach(), 2 * math.pi)
        image = axis.imshow(phase.numpy(), cmap="twilight", vmin=0, vmax=2 * math.pi)
        axis.set_title(f"mask {number}")
    bar = figure.colorbar(image, ax=axes[0], label="phase", ticks=[0, math.pi, 2 * math.pi])
    bar.ax.set_yticklabels(["0", "π", "2π"])
    edges = regions.amax(0)
    for place, index in ((0, 0), (2, 1)):
        with torch.no_grad():
            seen = model(Field(images[index], WAVELENGTH_M, PITCH_M)).intensity
        shares = answer(model, images[index : index + 1], regions)[0].detach()
        axes[1, place].imshow(images[index].numpy(), cmap="gray")
        axes[1, place].set_title(f"a {int(labels[index])} at the input")
        axes[1, place + 1].imshow(seen.numpy())
        axes[1, place + 1].contour(edges.numpy(), levels=[0.5], colors="white", linewidths=0.6)
        axes[1, place + 1].set_title(f"detector: a {int(shares.argmax())}")
    axes[1, 4].bar(range(10), shares.numpy(), color="#0072B2")
    axes[1, 4].set(xticks=range(10), xlabel="digit", ylabel="share of the light")
    axes[1, 4].set_title(f"second digit; {accuracy:.1%} right")
    for axis in (*axes[0], *axes[1, :4]):
        axis.set(xticks=[], yticks=[])
    save(figure, out)


if __name__ == "__main__":
    main()
