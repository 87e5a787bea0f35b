"""Pictures of the curves: accuracy on light against each limit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from light_knobs import KNOBS
from light_statistics import wilson
from light_table import NAMES, Point

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

COLOURS = {"trained": "#0072B2", "tuned": "#D55E00"}
"""Colours of Okabe and Ito's palette, which colour-blind people can distinguish."""

MARKS = {"trained": "o-", "tuned": "s--"}


def draw(points: Sequence[Point], path: Path) -> None:
    """Draw a panel for each knob with several values, and write the picture atomically.

    Bars are 95 % intervals; dotted lines are the same images without light, and chance.

    Args:
        points: points of one or both models.
        path: file of the picture, PNG.
    """
    knobs = [knob for knob in KNOBS.values()
             if len({point.value for point in points if point.knob == knob.name}) > 1]  # fmt: skip
    rows = max(1, -(-len(knobs) // 3))
    size = {"figsize": (10.5, 3.3 * rows), "layout": "constrained"}
    with plt.rc_context({"axes.labelsize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8}):
        figure, panels = plt.subplots(rows, 3, squeeze=False, sharey=True, **size)
        for panel, knob in zip(panels.flat, knobs, strict=False):
            _panel(panel, [point for point in points if point.knob == knob.name])
            panel.set_xlabel(knob.label)
            if knob.logarithmic:
                panel.set_xscale("log")
        for panel in list(panels.flat)[len(knobs) :]:
            panel.set_visible(False)
        for row in panels:
            row[0].set_ylabel("right answers (%)")
            row[0].set_ylim(0, 100)
        if knobs:
            panels[0, 0].legend(fontsize=8, frameon=False, loc="lower right")
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.png")
        figure.savefig(unfinished, dpi=100)
        plt.close(figure)
    os.replace(unfinished, path)


def _panel(panel: Axes, points: Sequence[Point]) -> None:
    for model, name in NAMES.items():
        mine = sorted((point for point in points if point.model == model), key=lambda p: p.value)
        if not mine:
            continue
        values = [point.value for point in mine]
        shares = [100 * point.right / point.images for point in mine]
        ends = [wilson(point.right, point.images) for point in mine]
        bars = [
            [share - 100 * low for share, (low, _) in zip(shares, ends, strict=True)],
            [100 * high - share for share, (_, high) in zip(shares, ends, strict=True)],
        ]
        panel.errorbar(
            values, shares, bars, fmt=MARKS[model], color=COLOURS[model], markersize=4,
            linewidth=1.2, capsize=2, label=name,
        )  # fmt: skip
        without = 100 * mine[-1].electronic / mine[-1].images
        panel.axhline(without, color=COLOURS[model], linewidth=0.7, linestyle=":")
    panel.axhline(10, color="black", linewidth=0.6, linestyle=":")
    panel.grid(alpha=0.3)
