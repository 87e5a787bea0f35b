"""Make the Fashion-MNIST artifacts of 1, 2, 3, 5 and 10 parts, in the folder of this file.

    OMP_NUM_THREADS=1 python examples/fashion-artifacts.py

reads the recipe of fashion-partition.yaml, trains the unsplit model once (half an hour on one core)
and then each part (some minutes each). Finished steps are stored in runs/fashion.work, so that an
interrupted command continues when it is given again. Arguments choose numbers of parts:
``fashion-artifacts.py 5 10``.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from edgesim import partitioning
from edgesim.common.progress import StepBar
from partition import run

HERE = Path(__file__).parent
HEADS = {1: 5, 2: 3, 3: 3, 5: 2, 10: 2}
"""Heads' worth, of the unsplit model's eight, that each part keeps, by number of parts."""


def main() -> None:
    """Make the artifacts that the command line names."""
    parser = argparse.ArgumentParser(description="Make the Fashion-MNIST artifacts.")
    parser.add_argument("parts", type=int, nargs="*", default=list(HEADS), help="numbers of parts")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the artifacts")
    parser.add_argument("--work", type=Path, default=HERE.parent / "runs" / "fashion.work")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    recipe = partitioning.load(HERE / "fashion-partition.yaml")
    for parts in chosen.parts:
        named = replace(
            recipe,
            name=f"fashion-{parts}",
            split=replace(recipe.split, parts=parts),
            pruning=replace(recipe.pruning, heads=HEADS[parts]),
        )
        with StepBar() as progress:
            manifest = run(named, chosen.out / f"fashion-{parts}", progress, work_dir=chosen.work)
        print(
            f"{parts} parts: {manifest.fusion.accuracy:.2%}, worst class "
            f"{manifest.fusion.worst_class_accuracy:.1%}; "
            f"unsplit {manifest.unsplit.accuracy:.2%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
