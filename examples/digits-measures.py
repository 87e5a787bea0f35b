"""Which importance measure, and which grouping of classes? Measured on the digits, over seeds.

    OMP_NUM_THREADS=1 python examples/digits-measures.py

For each seed it trains one unsplit model. Then it runs the whole recipe of digits-partition.yaml
for each choice: five parts, pruned in three stages, tuned and fused. It takes about one minute for
each line and seed on one core.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory

import torch

from edgesim import partitioning
from partition import Recipe, run
from partition.recipe import GROUPINGS, MEASURES


def choices(recipe: Recipe) -> dict[str, Recipe]:
    """Return the recipe's variants by what is varied."""
    found = {}
    # "taylor-kl" is for models so large that "kl" takes hours.
    for measure in (one for one in MEASURES if one != "taylor-kl"):
        pruning = replace(recipe.pruning, importance=measure)
        found[f"importance {measure}"] = replace(recipe, pruning=pruning)
    for grouping in GROUPINGS:
        split = replace(recipe.split, grouping=grouping)
        found[f"grouping {grouping}"] = replace(recipe, split=split)
    return found


def main() -> None:
    """Print accuracy with all parts, and the mean with one part lost, by choice."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--work", type=Path, help="keep finished steps here")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    recipe = partitioning.load(Path(__file__).parent / "digits-partition.yaml")
    with TemporaryDirectory() as scratch:
        work = chosen.work or Path(scratch) / "work"
        print("| choice | accuracy, by seed | mean ± deviation | one part lost, mean |")
        print("|---|---|---|---|")
        for name, variant in choices(recipe).items():
            whole, lost = [], []
            for seed in chosen.seeds:
                manifest = run(replace(variant, seed=seed), Path(scratch) / "out", work_dir=work)
                whole.append(manifest.fusion.accuracy)
                table = manifest.survivors.accuracy
                lost += [value for key, value in table.items() if key.count("0") == 1]
            spread = stdev(whole) if len(whole) > 1 else 0.0
            each = ", ".join(f"{accuracy:.2%}" for accuracy in whole)
            print(
                f"| {name} | {each} | {mean(whole):.2%} ± {spread:.2%} | {mean(lost):.2%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
