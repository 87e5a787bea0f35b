"""Which part hurts most: accuracy over bits, photons, pupil, shift and flicker, as a study.

    python examples/optics/tolerances.py
    edgesim report runs/own-4f-tolerances

trains a small model of digits, and tests it on light at every combination of five limits of the
parts. The results are the folder of a study with an accuracy column: its page has the Sobol indices
of each limit, and `edgesim report` draws it. The picture shows the indices of the accuracy.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import tempfile
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
import own_digits as task
import torch
from drawing import arguments, plt, save
from torch import Tensor, nn

from edgesim.sweep.sensitivity import effects
from edgesim.sweep.store import Meta, Store, read
from edgesim.sweep.table import Column, Table
from optics.detection import TwoShot
from optics.layers import Bench, convert
from optics.system import Alignment, FourF

SIDE = 160
AXES: dict[str, tuple[float, ...]] = {
    "bits": (4, 5, 8),
    "photons": (100, 1000, 10000),
    "pupil": (0.6, 0.8, 1.0),
    "shift": (0.0, 1.0, 3.0),
    "flicker": (0.0, 0.15, 0.4),
}
UNITS = {
    "bits": "bits of displays",
    "photons": "photons a pixel",
    "pupil": "pupil / spectrum",
    "shift": "shift (pixels)",
    "flicker": "flicker (rad)",
}
ACCURACY = "accuracy.top1"
FOLDER = Path("runs/own-4f-tolerances")


@dataclass(frozen=True)
class Limits:
    """One point of the study."""

    bits: float
    photons: float
    pupil: float
    shift: float
    flicker: float

    def bench(self) -> Bench:
        """Return ideal parts with these limits."""
        system = FourF.ideal((SIDE, SIDE))
        power_w = self.photons * SIDE**2 * system.laser.photon_energy_j / system.camera.exposure_s
        shown = {"bits": int(self.bits)}
        lenses = {
            name: replace(getattr(system, name), pupil_m=self.pupil * system.spectrum_m)
            for name in ("lens_1", "lens_2")
        }
        limited = replace(
            system,
            laser=replace(system.laser, power_w=power_w),
            input=replace(system.input, **shown),
            filter=replace(system.filter, **shown, flicker_rad=self.flicker),
            alignment=Alignment(shift_m=(self.shift * system.filter.pitch_m, 0.0)),
            **lenses,
        )
        # Pixels as points are fast, and right for shifts by whole pixels.
        return Bench(limited, scheme=TwoShot(), max_bytes=2**30)


def main() -> None:
    """Write the study's folder and draw its indices."""
    options = arguments("Find the part that hurts most.", "tolerances")
    axes = AXES
    if options.small:
        axes = {name: (values[0], values[-1]) for name, values in AXES.items()}
        axes |= {"pupil": (1.0,), "shift": (0.0,)}
    torch.manual_seed(0)
    digits, model = task.Digits.read(), task.network()
    task.train(model, digits, 20 if options.small else 400, batch=64, rate=0.01)
    images, labels = digits.tested(9 if options.small else 128)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "study" if options.small else FOLDER
        fill(folder, axes, model, images, labels)
        table = read(folder)
    found = effects(table)
    print(f"{len(table)} points; accuracy without light {task.accuracy(model, images, labels):.1%}")
    print("of the variance of accuracy    alone  with others")
    for axis in axes:
        one = found[ACCURACY, axis]
        print(f"{axis:<28} {one.share:>7.1%} {one.total:>12.1%}")
    draw(table, options.out)


def fill(
    folder: Path,
    axes: dict[str, tuple[float, ...]],
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
) -> None:
    """Test the model at every point that the folder does not hold yet."""
    points = [Limits(*values) for values in itertools.product(*axes.values())]
    columns = (
        *(Column(name=name, role="axis") for name in axes),
        Column(name=ACCURACY, role="result"),
        Column(name="rms_error", role="result"),
    )
    text = json.dumps({"axes": axes, "images": len(images)})
    digest = hashlib.sha256(text.encode()).hexdigest()
    about = Meta(
        name="own-4f-tolerances", points=len(points), columns=columns, fingerprint=digest,
        study={"axes": {name: list(values) for name, values in axes.items()}},
    )  # fmt: skip
    with Store(folder, about) as store:
        for number in itertools.chain.from_iterable(store.rows.missing(len(points))):
            point = points[number]
            cells = on_light(model, point.bench(), images, labels)
            store.rows.append([(number, *astuple(point), *cells, None)])
        store.finish()


def on_light(model: nn.Module, bench: Bench, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the model's accuracy on light, and the rms error of its convolution."""
    light = convert(model, bench, road="physical", least_snr_db=-math.inf).model
    with torch.no_grad():
        exact, made = model[0](images), light[0](images)
        error = float((made - exact).norm() / (exact - model[0].bias[:, None, None]).norm())
        found = nn.Sequential(*list(light.children())[1:])(made).argmax(-1)
    return float((found == labels).double().mean()), error


def draw(table: Table, path: Path) -> None:
    """Draw the indices, and the mean accuracy over each limit."""
    found, names = effects(table), [axis.name for axis in table.axes]
    figure, panels = plt.subplots(1, 1 + len(names), figsize=(13, 3), layout="constrained",
                                  width_ratios=(1.8, *[1] * len(names)))  # fmt: skip
    for offset, (label, attribute) in enumerate((("alone", "share"), ("with others", "total"))):
        values = [np.nan_to_num(getattr(found[ACCURACY, name], attribute)) for name in names]
        panels[0].barh(np.arange(len(names)) + 0.4 * offset - 0.2, values, 0.38, label=label)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    panels[0].set(xlabel="share of the variance of accuracy", title="Sobol indices")
    panels[0].legend()
    accuracy = np.asarray(table.values[ACCURACY], dtype=float)
    for panel, name in zip(panels[1:], names, strict=True):
        values = np.asarray(table.values[name], dtype=float)
        levels = np.unique(values)
        panel.plot(range(len(levels)), [accuracy[values == one].mean() for one in levels], "o-")
        panel.set_xticks(range(len(levels)), [f"{one:g}" for one in levels])
        panel.set(title=UNITS[name], ylim=(0, 1.02))
        panel.grid(alpha=0.3)
    panels[1].set_ylabel("mean accuracy")
    save(figure, path)


if __name__ == "__main__":
    main()
