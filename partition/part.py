"""Make one part: keep its outputs of the unsplit model, prune in three stages, tune after each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch

from partition.classify import Lesson, train_classifier
from partition.config import ViTConfig
from partition.data import Data, Samples
from partition.files import fingerprint
from partition.importance import ReportShare, importance
from partition.losses import collapse, smooth_targets
from partition.model import VisionTransformer
from partition.progress import Report
from partition.recipe import PruneSpec, SplitSpec, Stage, TrainConfig
from partition.split import PartClasses, part_indices, part_samples
from partition.surgery import check_target, cut, keep_outputs
from partition.train import TrainRun, generator_of, seed_of
from partition.unsplit import Unsplit
from partition.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One sub-model and what it is for.

    Attributes:
        model: pruned and tuned, in evaluation mode.
        classes: classes of the part's outputs.
        notes: history of its training, stage by stage.
        key: fingerprint of everything it depends on.
    """

    model: VisionTransformer
    classes: PartClasses
    notes: Mapping[str, Any]
    key: str


def proxy_indices(labels: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Return ``count`` indices (or all), shared out over the labels as evenly as can be."""
    queues = []
    for label in range(int(labels.max()) + 1):
        members = (labels == label).nonzero().flatten()
        queues.append(members[torch.randperm(len(members), generator=generator)].tolist())
    chosen: list[int] = []
    depth = 0
    while len(chosen) < min(count, len(labels)):
        for queue in queues:
            if depth < len(queue) and len(chosen) < count:
                chosen.append(queue[depth])
        depth += 1
    return torch.tensor(sorted(chosen))


def make_part(
    unsplit: Unsplit,
    data: Data,
    classes: PartClasses,
    target: ViTConfig,
    split: SplitSpec,
    pruning: PruneSpec,
    seed: int,
    workshop: Workshop,
    *,
    name: str = "part",
) -> Part:
    """Return the part of ``classes`` in the shape ``target``, made or as it was filed.

    Importance is measured on the part's own images (its classes, and the negatives that "other" is
    learnt from, evenly by output), the distilled opinions are the unsplit model's summed over
    foreign classes, and the part's last weights are its best by its own validation accuracy.

    Args:
        unsplit: the model to cut from.
        data: all images.
        classes: the part's.
        target: shape to prune to; its ``classes`` are set here.
        split: settings of the split, for the share of negatives.
        pruning: measure, stages and training.
        seed: seed of all random numbers.
        workshop: folder of finished steps, with progress and device.
        name: name of the part, for progress and file names.

    Raises:
        InputError: the target cannot be reached by pruning.
        PartitionError: the loss is not finite, or the disk is full.
    """
    target = target.with_(classes=classes.outputs)
    check_target(unsplit.model.config, target)
    lesson = lesson_of(unsplit.train, data, classes, split.negatives, seed)

    model = keep_outputs(unsplit.model.cpu(), classes.classes, classes.other)
    key = fingerprint(
        unsplit.key, classes.classes, classes.other, split.negatives, target.to_dict(), seed
    )
    trail: list[dict[str, Any]] = []
    for place, stage in enumerate(pruning.stages):
        config = pruning.final if place == len(pruning.stages) - 1 else pruning.tuning
        key = fingerprint(key, stage, pruning.importance, pruning.images, asdict(config))

        def prune_and_tune(
            run: TrainRun, whole: VisionTransformer, stage: Stage, config: TrainConfig, place: int
        ) -> tuple[VisionTransformer, dict[str, Any]]:
            def report(done: float) -> None:
                run.progress(Report(step=f"{name}: {stage} importance", done=done))

            report(0.0)
            smaller = _cut_by_importance(
                whole, data, lesson.samples, stage, target, pruning, seed_of(seed, 3, place),
                workshop.place, report,
            )  # fmt: skip
            report(1.0)
            run = replace(run, name=f"{name}: {stage}")
            state = train_classifier(smaller, lesson, data, config, seed_of(seed, 4, place), run)
            return smaller.cpu(), state.notes

        make = partial(prune_and_tune, whole=model, stage=stage, config=config, place=place)
        model, notes = workshop.model(_file(name), key, make)
        trail.append({"stage": stage, **notes})
    if pruning.polish.epochs:
        negatives = pruning.polish_negatives or split.negatives
        key = fingerprint(key, "polish", negatives, asdict(pruning.polish))

        def polish(run: TrainRun) -> tuple[VisionTransformer, dict[str, Any]]:
            more = lesson_of(unsplit.train, data, classes, negatives, seed)
            run = replace(run, name=f"{name}: polish")
            state = train_classifier(model, more, data, pruning.polish, seed_of(seed, 5), run)
            return model.cpu(), state.notes

        model, notes = workshop.model(_file(name), key, polish)
        trail.append({"stage": "polish", **notes})
    return Part(model=model, classes=classes, notes={"stages": trail}, key=key)


def lesson_of(
    opinions: torch.Tensor, data: Data, classes: PartClasses, negatives: float, seed: int
) -> Lesson:
    """Return the lesson with a share ``negatives`` of every foreign class's images.

    Args:
        opinions: (training images, classes) log-probabilities of the unsplit model.
        data: all images.
        classes: the part's.
        negatives: share of every foreign class's images.
        seed: seed of the choice.
    """
    chosen = part_indices(data.train.labels, classes, negatives, generator_of(seed, 1))
    held = torch.empty(0, dtype=torch.int64)
    if len(data.validation):
        held = part_indices(data.validation.labels, classes, negatives, generator_of(seed, 2))
    return Lesson(
        samples=part_samples(data.train, chosen, classes),
        validation=part_samples(data.validation, held, classes),
        outputs=classes.outputs,
        teacher=collapse(opinions[chosen], classes.classes, classes.other),
    )


def _file(name: str) -> str:
    """Return the name of a part's steps on disk."""
    return name.replace(" ", "-").replace("/", "-of-")


def _cut_by_importance(
    model: VisionTransformer,
    data: Data,
    samples: Samples,
    stage: Stage,
    target: ViTConfig,
    pruning: PruneSpec,
    seed: int,
    device: torch.device,
    report: ReportShare,
) -> VisionTransformer:
    """Measure one stage's units on a few of the part's images and cut."""
    draw = generator_of(seed)
    proxy = samples.take(proxy_indices(samples.labels, pruning.images, draw))
    inputs = data.to_input(proxy.images).to(device)
    targets = smooth_targets(proxy.labels, model.config.classes, 0.0).to(device)
    whole = model.to(device).eval()
    scores = importance(whole, inputs, targets, stage, pruning.importance, draw, report)
    return cut(model.cpu(), stage, scores, target)
