"""From a recipe to an artifact: train, split, fit, prune, fuse, measure, write."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from partition.artifact import check_replaceable, restore, write_artifact
from partition.config import scaled
from partition.data import Data, open_data
from partition.entries import (
    data_entry,
    fusion_entry,
    part_entries,
    unsplit_entry,
    versions_entry,
)
from partition.errors import InputError
from partition.fit import fit
from partition.fusion import make_fusion, part_features, subsets, survivor_accuracies
from partition.light import Road, Subject, light_entry
from partition.manifest import read_trained
from partition.part import make_part
from partition.progress import Progress, Report, silent
from partition.recipe import Recipe
from partition.schema import TrainedManifest
from partition.split import (
    Groups,
    confusion,
    confusion_groups,
    part_classes,
    random_groups,
)
from partition.steps import StepStore
from partition.train import generator_of, seed_of
from partition.unsplit import Unsplit, unsplit_config, unsplit_model


def run(
    recipe: Recipe,
    out_dir: Path | str,
    progress: Progress | None = None,
    *,
    work_dir: Path | str | None = None,
    device: torch.device | None = None,
    fresh: bool = False,
    road: Road | None = None,
) -> TrainedManifest:
    """Make the artifact of ``recipe`` in ``out_dir`` and return its manifest.

    Finished steps are kept in ``work_dir``: a run that was killed goes on from there, and recipes
    that share one share what they have in common, as long as the code of the steps stays as it is.
    Every reuse is reported. On a CPU the same recipe gives the same bytes.

    Args:
        recipe: recipe of the run.
        out_dir: the artifact folder; an artifact that is there is replaced at the end.
        progress: called with how far each step is.
        work_dir: ``<out_dir>.work`` by default; may be removed when the artifact is there.
        device: device to train on; by default the GPU where there is one.
        fresh: whether finished steps in ``work_dir`` are ignored, and replaced.
        road: puts models on light, for a recipe with a section ``light``.

    Raises:
        InputError: data are missing, the recipe asks for the impossible, or ``out_dir`` holds
            something else.
        InfeasibleError: no sub-models fit the devices.
        PartitionError: the loss is not finite (the last good checkpoint is kept), or the disk is
            full.
    """
    report = progress or silent
    if recipe.light is not None and road is None:
        raise InputError(
            "the recipe has a section 'light', and nothing that computes light was given: "
            "run it by `edgesim partition`, or leave the section out"
        )
    folder = Path(out_dir)
    restore(folder)
    check_replaceable(folder)
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    work = Path(work_dir) if work_dir else folder.with_name(f"{folder.name}.work")
    store = StepStore(work, report, device, fresh)

    data = open_data(recipe.data, report)
    config = unsplit_config(recipe.model, data)
    # Sizes depend on how many classes a part has, not on which: what cannot fit is known at once.
    any_groups = random_groups(len(data.classes), recipe.split.parts, 0)
    fit(recipe, config, part_classes(any_groups, recipe.split.other))
    unsplit = unsplit_model(recipe, data, store)
    classes = part_classes(groups_of(recipe, data, unsplit), recipe.split.other)
    fitted = fit(recipe, config, classes)

    parts = [
        make_part(recipe, unsplit, data, group, number, scaled(config, heads), store)
        for number, (group, heads) in enumerate(zip(classes, fitted.heads, strict=True))
    ]
    widths = [part.model.config.feature_tokens * part.model.config.width for part in parts]
    features = part_features([part.model for part in parts], widths, data, device)
    fusion, fusion_notes = make_fusion(
        features, {"train": data.train.labels, "validation": data.validation.labels},
        widths, len(data.classes), recipe.fusion, seed_of(recipe.seed, 4), store,
        teacher=unsplit.train, part_keys=[part.key for part in parts],
    )  # fmt: skip
    report(Report(step="survivors", done=0.0))
    rows = subsets(len(parts), recipe.fusion.samples, generator_of(recipe.seed, 5))
    survivors = survivor_accuracies(fusion, features["test"], data.test.labels, rows)
    report(Report(step="survivors", done=1.0))
    _note_chance(survivors["1" * len(parts)], data, report)

    light = None
    if recipe.light is not None and road is not None:
        subject = Subject(
            unsplit=unsplit.model,
            parts=[part.model for part in parts],
            fusion=fusion,
            keys=[unsplit.key, *(part.key for part in parts)],
            rows=rows,
        )
        light = light_entry(recipe.light, subject, data, road, store, seed_of(recipe.seed, 7))

    manifest = {
        "name": recipe.name,
        "seed": recipe.seed,
        "recipe": asdict(recipe),
        "versions": versions_entry(),
        "data": data_entry(data),
        "unsplit": unsplit_entry(unsplit, data),
        "parts": part_entries(parts, fitted, data),
        "fusion": fusion_entry(fusion, fusion_notes, features["test"], data),
        "survivors": {"exhaustive": len(rows) == 2 ** len(parts), "accuracy": survivors},
        "fit": fitted.notes,
        "light": light,
    }
    models = tuple(part.model for part in parts)
    write_artifact(folder, manifest, models, fusion, unsplit.model)
    return read_trained(folder)


def _note_chance(accuracy: float, data: Data, report: Progress) -> None:
    """Report that the fused answers are no better than always the most frequent class."""
    share = float(torch.bincount(data.test.labels).max()) / len(data.test)
    if accuracy <= share:
        report(
            Report(
                step="survivors",
                done=1.0,
                note=f"fused answers are right on {accuracy:.1%} of the test images, no more than "
                f"the most frequent class alone ({share:.1%}): nothing useful was learnt; train "
                "for more epochs, at another learning_rate, or on more images",
            )
        )


def groups_of(recipe: Recipe, data: Data, unsplit: Unsplit) -> Groups:
    """Return the classes of every part; confusion is read off images that trained nothing.

    Where no validation images are held out, the training images stand in.
    """
    parts = recipe.split.parts
    if recipe.split.grouping == "random":
        return random_groups(len(data.classes), parts, seed_of(recipe.seed, 6))
    held = len(data.validation) > 0
    predicted = unsplit.validation if held else unsplit.train
    labels = data.validation.labels if held else data.train.labels
    return confusion_groups(confusion(predicted, labels), parts, recipe.split.grouping)
