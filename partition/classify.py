"""Train and evaluate image classifiers: batches, predictions, accuracies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from partition.checkpoint import TrainState
from partition.data import Data, Samples, augment, batches, shuffled_batches
from partition.errors import InputError
from partition.losses import smooth_targets
from partition.recipe import TrainConfig
from partition.train import EpochBatches, TrainRun, train

EVALUATION_BATCH = 500
"""Images at a time where no gradient is needed."""


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
        for images, labels, indices in shuffled_batches(samples, config.batch, generator):
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


@torch.no_grad()
def predict(
    model: nn.Module, samples: Samples, data: Data, device: torch.device | None = None
) -> Tensor:
    """Return logits (samples, outputs) on the CPU."""
    model.eval()
    device = device or next(model.parameters()).device
    outputs = [model(data.to_input(images).to(device)).float().cpu()
               for images, _ in batches(samples, EVALUATION_BATCH)]  # fmt: skip
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
    epoch, steps = image_batches(training, data, config)
    validation = training.validation

    def evaluate() -> float | None:
        if not len(validation):
            return None
        return accuracy_of(predict(model, validation, data), validation.labels)

    return train(model, epoch, steps, config, seed, run, evaluate=evaluate)
