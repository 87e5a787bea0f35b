"""A trained ConvShareViT on the physical optical model: which limit costs accuracy?

    OMP_NUM_THREADS=1 python examples/convshare/light.py

puts every convolution of the model (all matrices of its blocks and the patches) on a simulated 4f
system, varies one limit of one part at a time (bits of the modulators, photons, bits of the camera,
pupil, shift, flicker), and counts correct answers on the first test images; then the same for the
model after training with noise as large as that of the light; then for systems of commercial parts.
It writes the table and the picture. Finished points are stored in the work folder: an interrupted
command continues when it is given again. ``--table`` makes table and picture from stored points.

The folder light-models beside this file holds the weights; missing ones are trained first (ten
minutes on one core for each of the two models).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import torch
from light_evaluate import BATCH, answers, electronic
from light_knobs import KNOBS, SIDE, knob_of
from light_model import RECIPES, Recipe, load_model, recipe_of, store_model, trained
from light_statistics import changed
from light_table import NAMES, Point, load, markdown, save
from light_tune import noise_by_layer, tuned

from edgesim.common.progress import StepBar
from optics.convshare import ConvShareViT
from optics.errors import InputError as OpticsError
from optics.layers.operating import HEADROOM
from partition.data import Data, open_data
from partition.errors import InputError, PartitionError
from partition.files import fingerprint
from partition.progress import Progress, Report, silent
from partition.train import seed_of

HERE = Path(__file__).parent
POINTS = HERE.parent / "results" / "convshare-light.csv"
MODELS = HERE / "light-models"
WORK = HERE.parents[1] / "runs" / "convshare-light"


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="A ConvShareViT through the physical road.")
    parser.add_argument("--data", default="fashion-mnist", help=f"one of {', '.join(RECIPES)}")
    parser.add_argument("--images", type=int, default=200, help="test images at each point")
    parser.add_argument("--batch", type=int, default=BATCH, help="images evaluated together")
    parser.add_argument("--knob", nargs="+", default=list(KNOBS), metavar="NAME",
                        help=f"of {', '.join(KNOBS)}")  # fmt: skip
    parser.add_argument("--model", nargs="+", default=list(NAMES), choices=list(NAMES))
    parser.add_argument("--side", type=int, default=SIDE, help="pixels of the ideal planes")
    parser.add_argument("--seed", type=int, default=1, help="seed of noise and flicker")
    parser.add_argument("--models", type=Path, default=MODELS, help="folder of weights")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of finished points")
    parser.add_argument("--points", type=Path, help="file of the points (WORK/points.csv)")
    parser.add_argument("--picture", type=Path, help="file of the picture (WORK/light.png)")
    parser.add_argument("--table", type=Path, nargs="?", const=POINTS, metavar="FILE",
                        help="only print the table of stored points, and draw them")  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser.parse_args(arguments)


def model_of(
    name: str, recipe: Recipe, data: Data, chosen: argparse.Namespace, progress: Progress
) -> tuple[ConvShareViT, dict[str, Any]]:
    """Return a model and its manifest; train it first where it is not stored."""
    called = f"{chosen.data}-{name}"
    checkpoint = chosen.work / f"{called}.checkpoint"
    if not any((chosen.models / f"{called}{end}").exists() for end in (".safetensors", ".json")):
        notes: dict[str, Any] = {}
        if name == "trained":
            model, state = trained(recipe, data, checkpoint, progress)
        else:
            model, before = model_of("trained", recipe, data, chosen, progress)
            setup = KNOBS["photons"].setup(recipe.photons, chosen.side)
            images = data.to_input(data.validation.images[:BATCH])
            noise = noise_by_layer(model, setup, images, seed_of(recipe.seed, 3))
            notes = {"noise": noise, "from": before["sha256"]}
            state = tuned(model, noise, recipe, data, checkpoint, progress, before["sha256"])
        notes |= {
            "epochs": state.epoch, "best_epoch": state.best_epoch,
            "validation_accuracy": state.best_accuracy,
        }  # fmt: skip
        store_model(chosen.models, called, model, recipe, data, notes)
    return load_model(chosen.models, called, recipe)


def points_of(
    name: str, model: ConvShareViT, sha256: str, data: Data, chosen: argparse.Namespace,
    progress: Progress,
) -> list[Point]:  # fmt: skip
    """Return the points of one model in the order of the knobs; missing ones are computed."""
    truth, found = data.test.labels.tolist(), []
    own = electronic(model, data, chosen.images).tolist()
    for knob in map(knob_of, chosen.knob):
        images = max(1, round(chosen.images * knob.share))
        batch = min(chosen.batch, images)
        for value in knob.values:
            setup = knob.setup(value, chosen.side)
            key = fingerprint(
                sha256, repr(setup), chosen.seed, HEADROOM, batch, data.name, knob.name
            )
            step = f"{NAMES[name]}: {knob.label}" + (f" {value:g}" if value else "")

            def report_progress(done: int, step: str = step, images: int = images) -> None:
                progress(Report(step=step, done=min(1.0, done / images)))

            stored = chosen.work / "points" / f"{key}.json"
            light = answers(
                model, key, setup, data, images, batch=batch,
                seed=seed_of(chosen.seed, 1), stored=stored, progress=report_progress,
            )  # fmt: skip
            seen = light.predicted[:images]
            right = [says == is_ for says, is_ in zip(seen, truth, strict=False)]
            was = [says == is_ for says, is_ in zip(own[:images], truth, strict=False)]
            lost, won = changed(was, right)
            found.append(Point(
                model=name, knob=knob.name, value=value, images=images, right=sum(right),
                electronic=sum(was), lost=lost, won=won,
                same=sum(a == b for a, b in zip(seen, own, strict=False)), off=light.off,
                saturated=int(light.total("saturated")),
                exposures=int(light.total("exposures")), process_s=light.total("process_s"),
            ))  # fmt: skip
    return found


def evaluated(chosen: argparse.Namespace, progress: Progress) -> list[Point]:
    """Return all points that the command line names.

    Raises:
        InputError: a name or number is wrong, or images or weights are missing or damaged.
    """
    recipe = recipe_of(chosen.data)
    for name in chosen.knob:
        knob_of(name)
    data = open_data(recipe.data)
    if not 1 <= chosen.batch <= len(data.test):
        raise InputError(f"--batch is from 1 to {len(data.test)}; got {chosen.batch}")
    most = len(data.test) // chosen.batch * chosen.batch
    if not 1 <= chosen.images <= most:
        raise InputError(
            f"--images is from 1 to {most}, the test images of {chosen.data} in whole batches of "
            f"{chosen.batch}; got {chosen.images}"
        )
    if chosen.side < 1:
        raise InputError(f"--side is a number of pixels of at least 1; got {chosen.side}")
    found = []
    for name in chosen.model:
        model, manifest = model_of(name, recipe, data, chosen, progress)
        found += points_of(name, model, manifest["sha256"], data, chosen, progress)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0 done, 1 the run failed, 2 wrong input."""
    chosen = parsed(arguments)
    # With one thread the bytes are the same on every machine with the same processor.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    try:
        if chosen.table is not None:
            points = load(chosen.table)
        elif chosen.quiet:
            points = evaluated(chosen, silent)
        else:
            with StepBar() as progress:
                points = evaluated(chosen, progress)
        if chosen.table is None:
            save(chosen.points or chosen.work / "points.csv", points)
        print(markdown(points), end="")
        from light_figures import draw

        draw(points, chosen.picture or chosen.work / "light.png")
    except (PartitionError, OpticsError) as error:
        print(f"light: {error}", file=sys.stderr)
        return getattr(error, "exit_status", 2)
    except KeyboardInterrupt:
        print("light: interrupted; the same command continues from here", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
