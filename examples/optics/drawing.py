"""Common parts of the pictures: command line, colours for colour-blind readers, saving."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette."""

MAP = "cividis"
"""Colour map of intensities: uniform in lightness, also for colour-blind readers."""

FIGURES = Path(__file__).parent / "figures"

plt.rcParams.update(
    {
        "axes.prop_cycle": plt.cycler(color=COLOURS),
        "axes.titlesize": 10,
        "axes.labelsize": 9,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "figure.dpi": 100,
        "image.cmap": MAP,
        "image.interpolation": "nearest",
    }
)


def arguments(description: str, name: str) -> argparse.Namespace:
    """Return the command line: ``--out`` for the picture, ``--small`` for a quick, coarse one."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--out", type=Path, default=FIGURES / f"{name}.png", help="file of the picture"
    )
    parser.add_argument("--small", action="store_true", help="coarse and quick")
    return parser.parse_args()


def save(figure: Figure, path: Path) -> None:
    """Write a picture atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.png")
    figure.savefig(unfinished, dpi=100)
    plt.close(figure)
    os.replace(unfinished, path)
    print(f"wrote {path}")
