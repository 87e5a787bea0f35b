"""From own parts to losses, error, frames, time, joules and accuracy.

    python examples/optics/own_parts.py

reads own/own-4f.yaml, trains a small model of digits, puts its convolution on light, calibrates it,
and prints what a designer asks. Then it trains on light for some steps, so that the model learns
the errors of the parts. The picture shows losses, a digit before and behind, and time by stage.
"""

from __future__ import annotations

import copy
import math
import warnings
from pathlib import Path

import own_digits as task
import torch
from drawing import arguments, plt, save
from torch import Tensor, nn

from optics.layers import SaturationWarning, calibrate, convert, time_model
from optics.presets import read_system
from optics.timing import LossBudget, NetworkTiming


def main() -> None:
    """Print and draw."""
    options = arguments("Design a 4f system of own parts.", "own_parts")
    # Kernels that are trained on light may become brighter than those that were calibrated.
    warnings.simplefilter("ignore", SaturationWarning)
    torch.manual_seed(0)
    system, digits = read_system(task.PARTS), task.Digits.read()
    budget = LossBudget.of(system)
    print(budget)

    model = task.network()
    task.train(model, digits, 20 if options.small else 400, batch=64, rate=0.01)
    images, labels = digits.tested(20 if options.small else 360)
    light = convert(model, task.bench(system), road="physical")
    seen = digits.images[: 36 if options.small else 144]
    found = calibrate(light.model, seen, headroom=0.5, least_snr_db=-math.inf)["0"]
    print(f"\nexposure {found.exposure_s * 1e3:.3g} ms, signal to noise {found.snr_db:.1f} dB")

    before, behind = layer_outputs(model, light.model, images)
    error = float((behind - before).norm() / before.norm())
    print(f"rms error of the convolution {error:.1%}")
    timing = time_model(light.model, images)
    print(f"\n{timing}\n")

    print(f"accuracy without light {task.accuracy(model, images, labels):.1%}")
    print(f"on light, as trained   {task.accuracy(light.model, images, labels):.1%}")
    tuned = copy.deepcopy(light.model)
    task.train(tuned, digits, 2 if options.small else 40, batch=64, rate=0.003)
    print(f"on light, tuned on it  {task.accuracy(tuned, images, labels):.1%}")
    draw(budget, images[0, 0], before[0, 0], behind[0, 0], timing, options.out)


def layer_outputs(model: nn.Module, light: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the convolution makes of images, exactly and by light, without its bias."""
    bias = model[0].bias[:, None, None]
    with torch.no_grad():
        return model[0](images) - bias, light[0](images) - bias


def draw(
    budget: LossBudget,
    image: Tensor,
    before: Tensor,
    behind: Tensor,
    timing: NetworkTiming,
    path: Path,
) -> None:
    """Draw losses, a digit, and stages."""
    figure, panels = plt.subplots(
        1, 5, figsize=(13, 3.4), layout="constrained", width_ratios=(2.2, 1, 1, 1, 1.6)
    )
    start = 0.0
    for row, one in enumerate(budget.losses):
        panels[0].barh(row, one.loss_db, left=start, color="C1")
        start += one.loss_db
    panels[0].set_yticks(range(len(budget.losses)), [one.part for one in budget.losses])
    panels[0].invert_yaxis()
    panels[0].set(xlabel="dB", title=f"losses, {budget.loss_db:.1f} dB in all")
    limit = float(before.abs().max())
    for panel, shown, title in (
        (panels[1], image, "a digit"), (panels[2], before, "convolved exactly"),
        (panels[3], behind, "by light"),
    ):  # fmt: skip
        signed = {} if title == "a digit" else {"vmin": -limit, "vmax": limit, "cmap": "RdBu_r"}
        panel.imshow(shown.numpy(), **signed)
        panel.set(title=title, xticks=[], yticks=[])
    alone = {name: s for name, s in timing.layers[0].limits_s.items() if s}
    panels[4].barh(list(alone), [s * 1e3 for s in alone.values()], color="C0")
    panels[4].invert_yaxis()
    panels[4].set(xlabel="ms", title="each stage alone")
    save(figure, path)


if __name__ == "__main__":
    main()
