"""Pictures of the grid: accuracy against attention score, and maps of attention.

    python examples/convshare/grid_pictures.py

draws the first picture from the stored figures, and the second from the work folder of ``grid.py``
where there is one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from grid import EXAMPLES, STORED, WORK
from grid_experiments import ATTENTION, EXPERIMENTS, MLP, REFERENCE, UNTRAINED, setting
from grid_run import Run
from grid_table import load
from torch import Tensor

from partition.data import Data, open_data
from partition.errors import PartitionError
from partition.store import load_tensors

sys.path.append(str(EXAMPLES / "optics"))
from drawing import COLOURS, plt, save

FIGURES = Path(__file__).parent / "figures"
MARKERS = ("o", "s", "^")
SHOWN = ("trouser", "sneaker", "bag", "coat")
"""Classes of Fashion-MNIST of which one image is shown."""


def draw_scores(gathered: dict[str, Any], path: Path) -> None:
    """Draw accuracy against attention score, a point for each run, with upper and lower bound."""
    figure, panel = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
    for name, experiment in EXPERIMENTS.items():
        runs = [run for run in gathered["runs"] if run["experiment"] == name]
        runs = [run for run in runs if run["score"] is not None]
        if not runs or experiment is UNTRAINED:  # its answers are chance, far below the others
            continue
        plain = experiment is REFERENCE
        panel.scatter(
            [run["score"] for run in runs], [100 * run["accuracy"] for run in runs],
            s=90 if plain else 34, alpha=0.8, linewidths=1.2,
            color="#000000" if plain else COLOURS[ATTENTION.index(experiment.attention)],
            marker="*" if plain else MARKERS[MLP.index(experiment.mlp)],
        )  # fmt: skip
    for name, style in ((REFERENCE.name, "--"), (UNTRAINED.name, ":")):
        scores = [run["score"] for run in gathered["runs"] if run["experiment"] == name]
        if scores and None not in scores:
            panel.axvline(mean(scores), color="#000000", linestyle=style, linewidth=0.8)
    handles = [
        plt.Line2D([], [], color=colour, marker="D", linestyle="", label=f"attention {attention}")
        for attention, colour in zip(ATTENTION, COLOURS, strict=False)
    ]
    handles += [
        plt.Line2D([], [], color="#777777", marker=marker, linestyle="", label=f"MLP {mlp}")
        for mlp, marker in zip(MLP, MARKERS, strict=True)
    ]
    handles += [
        plt.Line2D([], [], color="#000000", marker="*", markersize=9, linestyle="--",
                   label="ViT (against the other seeds)"),
        plt.Line2D([], [], color="#000000", linestyle=":", label="ViT, untrained"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside right center")
    panel.set(xlabel="attention score: concordance with a trained ViT", ylabel="accuracy, %")
    panel.grid(alpha=0.3)
    save(figure, path)


def draw_maps(gathered: dict[str, Any], work: Path, folder: str | None, path: Path) -> None:
    """Draw the attention of the class token in some images, by variant, of the first seed.

    Raises:
        PartitionError: runs are missing in the work folder.
    """
    name = gathered["setting"]["data"]["name"]
    common = setting(name, full=False, folder=folder, images=None, epochs=None)
    data = open_data(common.data)
    seed = gathered["runs"][0]["seed"]
    columns = [(REFERENCE.name, "ViT"), (UNTRAINED.name, "ViT,\nuntrained")]
    columns += [(f"{attention}+{MLP[0]}", attention.replace("-", "\n")) for attention in ATTENTION]
    maps = []
    for experiment, _ in columns:
        chosen = EXPERIMENTS[experiment]
        run = Run(chosen, seed, common.key(chosen, seed, data))
        maps.append(load_tensors(run.file(work))[0]["maps"])
    indices = _shown(data)
    _panels(data, indices, maps, [title for _, title in columns], path)


def _shown(data: Data) -> list[int]:
    """Return the first test image of every shown class, or the first ones."""
    labels = [data.classes.index(name) for name in SHOWN if name in data.classes]
    firsts = [int((data.test.labels == label).nonzero()[0]) for label in labels]
    return firsts or list(range(len(SHOWN)))


def _panels(
    data: Data, indices: Sequence[int], maps: Sequence[Tensor], titles: Sequence[str], path: Path
) -> None:
    """Draw a row for each image, a column for each model, in multiples of uniform attention."""
    rows, columns = len(indices), len(maps) + 1
    figure, panels = plt.subplots(
        rows, columns, figsize=(1.25 * columns + 0.9, 1.25 * rows + 0.6), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    tokens = maps[0].shape[1]
    side = round(tokens**0.5)
    highest = max(float(each[list(indices)].max()) for each in maps) * tokens
    drawn = None
    for row, index in zip(panels, indices, strict=True):
        picture = data.test.images[index].permute(1, 2, 0).squeeze(-1).numpy()
        row[0].imshow(picture, cmap="gray")
        for panel, each in zip(row[1:], maps, strict=True):
            attention = each[index].view(side, side) * tokens
            drawn = panel.imshow(attention.numpy(), vmin=0, vmax=highest)
        for panel in row:
            panel.set(xticks=[], yticks=[])
    for panel, title in zip(panels[0], ["image", *titles], strict=True):
        panel.set_title(title, fontsize=9)
    assert drawn is not None
    bar = figure.colorbar(drawn, ax=panels, shrink=0.8, pad=0.01)
    bar.set_label("attention over uniform", fontsize=8)
    save(figure, path)


def main(arguments: list[str] | None = None) -> int:
    """Draw both pictures; exit status 2 for wrong input."""
    parser = argparse.ArgumentParser(description="Draw the results of the grid.")
    parser.add_argument("--table", type=Path, default=STORED, help="file of the stored figures")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of finished runs")
    parser.add_argument("--folder", help="folder of the images, where no system package has them")
    parser.add_argument("--out", type=Path, default=FIGURES, help="folder of the pictures")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        gathered = load(chosen.table)
        draw_scores(gathered, chosen.out / "accuracy-score.png")
        if chosen.work.exists():
            draw_maps(gathered, chosen.work, chosen.folder, chosen.out / "attention-maps.png")
        else:
            print(f"{chosen.work} does not exist: attention-maps.png is not drawn")
    except PartitionError as error:
        print(f"grid_pictures: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
