"""Make one part: keep its outputs of the unsplit model, prune in three stages, tune after each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from partition.classify import TrainingSet, note_few_validation_images, train_classifier
from partition.config import ViTConfig
from partition.data import Data, Samples
from partition.files import fingerprint
from partition.importance import ReportShare, importance
from partition.losses import collapse, smooth_targets
from partition.model import VisionTransformer
from partition.progress import LONG_S, Report, time_text
from partition.recipe import PruneSpec, Recipe, Stage, TrainConfig
from partition.split import PartClasses, part_indices, part_samples
from partition.steps import Notes, StepStore
from partition.surgery import PRUNED_FIELDS, check_target, cut, keep_outputs, with_weights
from partition.train import TrainRun, generator_of, seed_of
from partition.unsplit import Unsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One sub-model and what it is for.

    Attributes:
        model: pruned and tuned, in evaluation mode.
        classes: classes of the part's outputs.
        stages: how its training went, stage by stage.
        key: fingerprint of everything it depends on.
    """

    model: VisionTransformer
    classes: PartClasses
    stages: Sequence[Mapping[str, Any]]
    key: str


def proxy_samples(samples: Samples, count: int, generator: torch.Generator) -> Samples:
    """Return ``count`` samples (or all), shared out over the labels as evenly as can be."""
    queues = []
    for label in range(int(samples.labels.max()) + 1):
        members = (samples.labels == label).nonzero().flatten()
        queues.append(members[torch.randperm(len(members), generator=generator)].tolist())
    chosen: list[int] = []
    depth = 0
    while len(chosen) < min(count, len(samples)):
        for queue in queues:
            if depth < len(queue) and len(chosen) < count:
                chosen.append(queue[depth])
        depth += 1
    return samples.take(torch.tensor(sorted(chosen)))


def make_part(
    recipe: Recipe,
    unsplit: Unsplit,
    data: Data,
    classes: PartClasses,
    number: int,
    target: ViTConfig,
    store: StepStore,
) -> Part:
    """Return the part of ``classes`` in the shape ``target``, computed or as it was stored.

    Importance is measured on the part's own images (its classes, and the negatives that "other" is
    learnt from, evenly by output), the distilled probabilities are the unsplit model's summed over
    foreign classes, and the part's last weights are its best by its own validation accuracy.

    Args:
        recipe: negatives; measure, stages and training of the pruning; seed.
        unsplit: the model to cut from.
        data: all images.
        classes: the part's.
        number: the part's, from 0.
        target: shape to prune to; its ``classes`` are set here.
        store: folder of finished steps, with progress and device.

    Raises:
        InputError: the target cannot be reached by pruning.
        PartitionError: the loss is not finite, or the disk is full.
    """
    pruning, negatives = recipe.pruning, recipe.split.negatives
    seed = seed_of(recipe.seed, 3, number)
    title = f"part {number + 1}/{recipe.split.parts}"
    name = title.replace(" ", "-").replace("/", "-of-")
    target = target.with_(classes=classes.outputs)
    check_target(unsplit.model.config, target)
    training = training_set_of(unsplit.train, data, classes, negatives, seed)
    note_few_validation_images(training, pruning.final, title, store.progress)

    model = keep_outputs(unsplit.model, classes.classes, classes.other)
    key = fingerprint(
        unsplit.key, classes.classes, classes.other, negatives, target.to_dict(), seed
    )
    stages: list[dict[str, Any]] = []
    for index, stage in enumerate(pruning.stages):
        config = pruning.final if index == len(pruning.stages) - 1 else pruning.tuning
        key = fingerprint(key, stage, pruning.importance, pruning.images, asdict(config))

        def prune_and_tune(
            run: TrainRun,
            unpruned: VisionTransformer = model,
            stage: Stage = stage,
            config: TrainConfig = config,
            index: int = index,
        ) -> tuple[dict[str, Tensor], Notes]:
            def report(done: float) -> None:
                run.progress(Report(step=f"{title}: {stage} importance", done=done))

            def expect(seconds: float) -> None:
                if seconds >= LONG_S:
                    note = f"{title}: {stage} importance takes about {time_text(seconds)}"
                    run.progress(Report(step=f"{title}: {stage} importance", done=0.0, note=note))

            report(0.0)
            smaller = _cut_by_importance(
                unpruned, data, training.samples, stage, target, pruning, seed_of(seed, 3, index),
                store.device, report, expect,
            )  # fmt: skip
            report(1.0)
            tuning_seed = seed_of(seed, 4, index)
            state = train_classifier(smaller, training, data, config, tuning_seed, run)
            return smaller.state_dict(), state.notes

        weights, notes = store.tensors(name, key, prune_and_tune, f"{title}: {stage}")
        sizes = {field: getattr(target, field) for field in PRUNED_FIELDS[stage]}
        model = with_weights(VisionTransformer(model.config.with_(**sizes)), weights).eval()
        stages.append({"stage": stage, **notes})
    if pruning.polish.epochs:
        negatives = pruning.polish_negatives or negatives
        key = fingerprint(key, "polish", negatives, asdict(pruning.polish))
        training = training_set_of(unsplit.train, data, classes, negatives, seed)
        notes = store.train(
            name, key, model, training, data, pruning.polish, seed_of(seed, 5), f"{title}: polish"
        )
        stages.append({"stage": "polish", **notes})
    return Part(model=model, classes=classes, stages=stages, key=key)


def training_set_of(
    teacher: Tensor, data: Data, classes: PartClasses, negatives: float, seed: int
) -> TrainingSet:
    """Return what a part is trained on: its images and a share of every foreign class's.

    Args:
        teacher: (training images, classes) log-probabilities of the unsplit model.
        data: all images.
        classes: the part's.
        negatives: share of every foreign class's images.
        seed: seed of the choice.
    """
    chosen = part_indices(data.train.labels, classes, negatives, generator_of(seed, 1))
    held = torch.empty(0, dtype=torch.int64)
    if len(data.validation):
        held = part_indices(data.validation.labels, classes, negatives, generator_of(seed, 2))
    return TrainingSet(
        samples=part_samples(data.train, chosen, classes),
        validation=part_samples(data.validation, held, classes),
        outputs=classes.outputs,
        teacher=collapse(teacher[chosen], classes.classes, classes.other),
    )


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
    expect: ReportShare,
) -> VisionTransformer:
    """Measure one stage's units on a few of the part's images and cut."""
    draw = generator_of(seed)
    proxy = proxy_samples(samples, pruning.images, draw)
    inputs = data.to_input(proxy.images[:]).to(device)
    targets = smooth_targets(proxy.labels, model.config.classes, 0.0).to(device)
    model = model.to(device).eval()
    kept = math.prod(getattr(target, field) for field in PRUNED_FIELDS[stage])
    scores = importance(
        model, inputs, targets, stage, pruning.importance, draw, report, kept=kept, expect=expect
    )
    return cut(model.cpu(), stage, scores, target)
