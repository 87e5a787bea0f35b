"""Train and evaluate image classifiers: batches, predictions, accuracies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from partition.checkpoint import TrainState
from partition.config import height_and_width
from partition.data import Data, Samples, augment, batches, shuffled_batches, stratified_folds
from partition.errors import InputError
from partition.losses import smooth_targets
from partition.progress import Progress, Report
from partition.recipe import TrainConfig
from partition.train import EpochBatches, Score, TrainRun, best_epoch, generator_of, train

EVALUATION_BATCH = 500
"""Most images at a time where no gradient is needed."""
_EVALUATION_PIXELS = 5_000_000
"""Most values of their inputs, which bounds the memory for large images."""
FEW_IMAGES = 50
"""Number of validation images under which their choice of an epoch is doubtful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """What an image classifier is trained on.

    Attributes:
        samples: training images, with labels from 0 to ``outputs`` - 1.
        validation: images by which the best epoch is chosen; may be none.
        outputs: outputs of the model.
        teacher: (samples, outputs) logits or log-probabilities of the teacher for the images before
            augmentation, which saves running the teacher in every step. ``None`` has no teacher.
    """

    samples: Samples
    validation: Samples
    outputs: int
    teacher: Tensor | None = None

    @classmethod
    def of(cls, data: Data) -> TrainingSet:
        """Return all classes of a data set, without a teacher."""
        return cls(samples=data.train, validation=data.validation, outputs=len(data.classes))

    def take(self, indices: Tensor) -> TrainingSet:
        """Return the set with only the training images at ``indices``, in that order."""
        teacher = None if self.teacher is None else self.teacher[indices]
        return replace(self, samples=self.samples.take(indices), teacher=teacher)


def note_few_validation_images(
    training: TrainingSet, config: TrainConfig, name: str, progress: Progress
) -> None:
    """Report that the best epoch of a training is chosen by fewer images than tell epochs apart.

    With n images, the standard error of an accuracy a is √(a (1 - a) / n): 5 points at 90 % of 36.
    """
    count = len(training.validation)
    if config.selection != "last" and not config.folds and 0 < count < FEW_IMAGES:
        progress(
            Report(
                step=name,
                done=0.0,
                note=f"{name}: only {count} validation images choose the best epoch; set "
                "data.validation higher, or training.folds, or training.selection: last",
            )
        )


def image_batches(
    training: TrainingSet, data: Data, config: TrainConfig
) -> tuple[EpochBatches, int]:
    """Return the batches of an image classifier, and how many there are in an epoch.

    Args:
        training: images, labels and teacher.
        data: data set, which makes inputs of images.
        config: batch size, smoothing, mixup and augmentation.

    Raises:
        InputError: there are no training images.
    """
    samples, teacher = training.samples, training.teacher
    if not len(samples):
        raise InputError("there are no training images")

    def epoch(generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        shuffled = shuffled_batches(samples, config.batch, generator, config.sampling)
        for images, labels, indices in shuffled:
            inputs = data.to_input(augment(images, config.augmentation, generator))
            targets = smooth_targets(labels, training.outputs, config.label_smoothing)
            taught = None if teacher is None else teacher[indices]
            if config.mixup:
                share = _beta(config.mixup, generator)
                order = torch.randperm(len(labels), generator=generator)
                inputs = share * inputs + (1 - share) * inputs[order]
                targets = share * targets + (1 - share) * targets[order]
                if taught is not None:
                    mixed = share * taught.softmax(-1) + (1 - share) * taught[order].softmax(-1)
                    taught = mixed.clamp_min(1e-30).log()
            yield inputs, targets, taught

    whole, rest = divmod(len(samples), config.batch)
    return epoch, max(1, whole + (rest >= config.batch / 2))


def _beta(alpha: float, generator: torch.Generator) -> float:
    """Draw from Beta(α, α)."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return float(np.random.default_rng(seed).beta(alpha, alpha))


def evaluation_batches(samples: Samples, data: Data) -> Iterator[Tensor]:
    """Yield the inputs of samples in order, as many at a time as their size allows."""
    values = data.channels * prod(height_and_width(data.image))
    size = min(EVALUATION_BATCH, max(1, _EVALUATION_PIXELS // values))
    return (data.to_input(images) for images, _ in batches(samples, size))


@torch.no_grad()
def predict(
    model: nn.Module, samples: Samples, data: Data, device: torch.device | None = None
) -> Tensor:
    """Return logits (samples, outputs) on the CPU."""
    model.eval()
    device = device or next(model.parameters()).device
    outputs = [
        model(inputs.to(device)).float().cpu() for inputs in evaluation_batches(samples, data)
    ]
    return torch.cat(outputs) if outputs else torch.empty(0)


def accuracy_of(logits: Tensor, labels: Tensor) -> float:
    """Return the share of samples whose highest logit is at their label."""
    return float((logits.argmax(-1) == labels).double().mean())


def class_accuracies(predictions: Tensor, labels: Tensor, classes: int) -> list[float | None]:
    """Return for every class the share of its samples that are predicted as it; None if none."""
    found: list[float | None] = []
    for label in range(classes):
        members = labels == label
        found.append(
            float((predictions[members] == label).double().mean()) if members.any() else None
        )
    return found


def train_classifier(
    model: nn.Module,
    training: TrainingSet,
    data: Data,
    config: TrainConfig,
    seed: int,
    run: TrainRun | None = None,
) -> TrainState:
    """Train an image classifier in place; see :func:`train` and :func:`image_batches`.

    With ``config.folds``, as many models are trained first, each on the images outside one fold.
    The epoch of the best mean score on the images inside them is the last of the model itself,
    which is trained on all images.

    Args:
        model: gives logits (images, outputs) of inputs (images, channels, height, width).
        training: images, labels and teacher.
        data: data set, which makes inputs of images.
        config: settings of the training.
        seed: seed of all random numbers.
        run: name, checkpoint, progress and device.

    Raises:
        PartitionError: the loss is not finite; the last good checkpoint is kept.
        InputError: there are no images, or the checkpoint is of another run.
    """
    run = run or TrainRun()
    if not config.folds or not config.epochs:
        return _train(model, training, data, config, seed, run)
    if config.folds > len(training.samples):
        raise InputError(
            f"{run.name}: {config.folds} folds cannot share {len(training.samples)} training images"
        )
    start = {name: value.clone() for name, value in model.state_dict().items()}
    labels = training.samples.labels
    fold_of = stratified_folds(labels, config.folds, generator_of(seed, 1))
    scores = torch.zeros(config.epochs, 2, dtype=torch.float64)
    for fold in range(config.folds):
        rest, held = (fold_of != fold).nonzero().flatten(), (fold_of == fold).nonzero().flatten()
        name = f"{run.name}, fold {fold + 1}/{config.folds}"
        one = replace(training.take(rest), validation=training.samples.take(held))
        path = run.checkpoint and run.checkpoint.with_suffix(f".fold-{fold}.safetensors")
        model.load_state_dict(start)
        state = _train(
            model, one, data, replace(config, patience=0), seed,
            replace(run, name=name, checkpoint=path),
        )  # fmt: skip
        rows = [(row["accuracy"], row["validation_loss"]) for row in state.history]
        scores += len(held) / len(labels) * torch.tensor(rows, dtype=torch.float64)
    model.load_state_dict(start)
    names = ("accuracy", "validation_loss")
    history = [dict(zip(names, row, strict=True)) for row in scores.tolist()]
    chosen = best_epoch(history, config.selection)
    last = replace(config, selection="last", patience=0)
    return _train(model, training, data, last, seed, run, chosen)


def _train(
    model: nn.Module,
    training: TrainingSet,
    data: Data,
    config: TrainConfig,
    seed: int,
    run: TrainRun,
    last_epoch: int | None = None,
) -> TrainState:
    """Train an image classifier in place, without cross-validation."""
    epoch, steps = image_batches(training, data, config)
    validation = training.validation

    def evaluate() -> Score | None:
        if not len(validation):
            return None
        return Score.of(predict(model, validation, data), validation.labels)

    return train(model, epoch, steps, config, seed, run, evaluate=evaluate, last_epoch=last_epoch)
