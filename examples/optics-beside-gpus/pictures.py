"""The pictures: where light wins, and the ratio that is published as 3.04."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from accelerators import END_TO_END, LIGHT, PLANE, PRINTED, Accelerator
from claim import CLAIMED
from costs import gpus, model, per_image_s
from crossings import by_rate
from what_ifs import BATCHES, PLANES, RATES_HZ, SYSTEMS, Grid

from edgesim.hardware import catalog

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap

_MARKS = {"LCoS": 60.0, "DMD": 20e3, "print": 1e6}
"""Frame rates of the catalog's accelerators."""
_SHOWN = (540, 2160)
"""Planes of the map."""


def draw_map(grids: list[Grid], path: Path) -> None:
    """Draw how many GPUs light beats: rows of models, columns of systems and planes."""
    columns = [(system, plane) for system in range(len(SYSTEMS)) for plane in _SHOWN]
    figure, axes = plt.subplots(
        len(grids), len(columns), figsize=(11, 2.05 * len(grids) + 1.0), sharex=True, sharey=True,
        layout="constrained", squeeze=False,
    )  # fmt: skip
    many = len(gpus())
    bounds = [0, 1, 2, 4, 7, 10, many, many + 1]
    shades = ListedColormap(
        ["#f2f2f2", *plt.get_cmap("YlGnBu")(np.linspace(0.2, 1.0, len(bounds) - 2))]
    )
    norm = BoundaryNorm(bounds, shades.N)
    x, y = np.log10(RATES_HZ), np.arange(len(BATCHES))
    for row, grid in enumerate(grids):
        for column, (system, plane) in enumerate(columns):
            axis: Axes = axes[row, column]
            counts = grid.beaten[system, PLANES.index(plane)]
            mesh = axis.pcolormesh(x, y, counts.T, cmap=shades, norm=norm, shading="nearest")
            for rate_hz in (_MARKS["DMD"], _MARKS["print"]):
                axis.axvline(np.log10(rate_hz), color="#c03030", linewidth=0.9, linestyle=":")
            if not row:
                axis.set_title(f"{SYSTEMS[system].name}, {plane}²", fontsize=11)
            if not column:
                axis.set_ylabel(f"{grid.model}\nbatch", fontsize=8.5)
                axis.set_yticks(y, [f"{batch:,}" for batch in BATCHES], fontsize=8)
            if row == len(grids) - 1:
                axis.set_xticks([2, 4, 6, 8], ["100", "10 k", "1 M", "100 M"], fontsize=9)
                axis.set_xlabel("frames per second", fontsize=9)
    bar = figure.colorbar(mesh, ax=axes, shrink=0.5, aspect=30, ticks=bounds[:-1])
    labels = [str(one) if one + 1 == end else f"{one} to {end - 1}"
              for one, end in pairwise(bounds)]  # fmt: skip
    bar.ax.set_yticks([(a + b) / 2 for a, b in pairwise(bounds)], labels, fontsize=9)
    bar.ax.tick_params(length=0)
    bar.set_label(f"of the {many} GPUs are slower", fontsize=10)
    figure.suptitle(
        "Where a 4f accelerator is faster (dotted: 20 kHz of mirrors, 1 MHz of print)", fontsize=12
    )
    _write(figure, path)


def draw_claim(path: Path, *, batches: tuple[int, ...] = (1, 16, 256)) -> None:
    """Draw GPU time over accelerator time of both ConvShareViTs by frame rate, plane of print."""
    systems: tuple[Accelerator, ...] = (PRINTED, LIGHT, END_TO_END)
    names = ("convsharevit_72", "convsharevit_same_72")
    cards = [catalog.device(name) for name in gpus() if name.startswith("nvidia-")]
    rates = np.logspace(1, 9, 33)
    figure, axes = plt.subplots(
        len(names), len(systems), figsize=(11, 6.4), sharex=True, sharey=True, layout="constrained"
    )
    for row, name in enumerate(names):
        graph = model(name)
        for column, system in enumerate(systems):
            axis: Axes = axes[row, column]
            for batch, color in zip(batches, ("#1b7837", "#2166ac", "#b2182b"), strict=True):
                time_s = by_rate(system, graph, batch, PLANE)
                light_s = np.array([time_s(float(rate)) for rate in rates])
                ratios = np.array([per_image_s(card, graph, batch) for card in cards])
                ratios = ratios[:, None] / light_s
                axis.fill_between(
                    rates, ratios.min(axis=0), ratios.max(axis=0), color=color, alpha=0.25, lw=0
                )
                middle = np.median(ratios, axis=0)
                axis.plot(rates, middle, color=color, lw=1.6, label=f"batch {batch}")
            axis.axhline(CLAIMED, color="black", lw=1.0, linestyle="--")
            axis.axhline(1.0, color="grey", lw=0.8)
            for mark, rate_hz in _MARKS.items():
                axis.axvline(rate_hz, color="#c03030", lw=0.9, linestyle=":")
                if not row:
                    axis.text(rate_hz, 2.5e3, f" {mark}", color="#c03030", fontsize=9, va="top")
            axis.set(xscale="log", yscale="log", ylim=(1e-5, 4e3), xlim=(rates[0], rates[-1]))
            if not row:
                axis.set_title(system.name, fontsize=12)
            else:
                axis.set_xlabel("frames per second")
            if not column:
                axis.set_ylabel(f"{name}\nGPU time / 4f time")
                axis.text(13, CLAIMED * 1.2, "3.04 claimed", fontsize=9)
    axes[0, 0].legend(loc="lower right", fontsize=9)
    figure.suptitle(
        "How many times faster than graphics cards, 2160 square "
        "(line: median of nine cards; band: all)", fontsize=12,
    )  # fmt: skip
    _write(figure, path)


def _write(figure: plt.Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}")
    figure.savefig(partial, dpi=100, format="png", metadata={"Software": None})
    partial.replace(path)
    plt.close(figure)
