"""Labelled images, and how they become batches of a model's input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from partition.config import ImageSize, height_and_width
from partition.data.files import ImageFiles
from partition.errors import InputError
from partition.recipe import Sampling


@dataclass(frozen=True, slots=True)
class Samples:
    """Images and their labels.

    Attributes:
        images: (samples, channels, height, width), uint8: in memory, or in files that are decoded
            when they are indexed.
        labels: (samples,), int64, from 0 to classes - 1.
    """

    images: Tensor | ImageFiles
    labels: Tensor

    def __post_init__(self) -> None:
        images = self.images
        if isinstance(images, Tensor) and (images.dtype != torch.uint8 or images.ndim != 4):
            raise InputError("images must be uint8 of shape (samples, channels, height, width)")
        if len(self.images) != len(self.labels):
            raise InputError(f"{len(self.images)} images came with {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Tensor) -> Samples:
        """Return the samples at ``indices``, in that order; files are not decoded."""
        images = self.images
        chosen = images.take(indices) if isinstance(images, ImageFiles) else images[indices]
        return Samples(chosen, self.labels[indices])

    def content(self) -> bytes:
        """Return what is the same for the same pixels and labels in the same order."""
        images, labels = self.images, self.labels.numpy().tobytes()
        pixels = images.content() if isinstance(images, ImageFiles) else images.numpy().tobytes()
        return pixels + labels


@dataclass(frozen=True, slots=True)
class Data:
    """A data set, split for training, choosing (validation) and reporting (test).

    Attributes:
        name: name of the data set.
        classes: class names, by label.
        train: images that weights are fitted to.
        validation: held out of training: early stop, grouping of classes; may be empty.
        test: images that accuracies are reported on; nothing is chosen by them.
        mean: mean of each channel, of the training pixels scaled to 0…1.
        std: standard deviation of each channel, likewise.
        image: side of the model's input, or height and width, in pixels; smaller images are padded
            with black, larger ones are resized.
        skipped: damaged files that were left out, in the order of their names; paths in the folder.
    """

    name: str
    classes: tuple[str, ...]
    train: Samples
    validation: Samples
    test: Samples
    mean: tuple[float, ...]
    std: tuple[float, ...]
    image: ImageSize
    skipped: tuple[Path, ...] = ()

    @property
    def splits(self) -> dict[str, Samples]:
        """The samples by name of their split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return self.train.images.shape[1]

    def to_input(self, images: Tensor) -> Tensor:
        """Return float images (batch, channels, height, width), normalised, of uint8 ones."""
        return to_input(images, self.image, self.mean, self.std)


def to_input(
    images: Tensor, image: ImageSize, mean: tuple[float, ...], std: tuple[float, ...]
) -> Tensor:
    """Return ``(pixels / 255 - mean) / std``, padded with black or resized to ``image``.

    Args:
        images: (batch, channels, height, width), uint8.
        image: side of the result, or height and width, in pixels.
        mean: mean of each channel, of pixels scaled to 0…1.
        std: standard deviation of each channel, likewise.
    """
    pixels = images.float() / 255.0
    height, width = images.shape[-2:]
    size = height_and_width(image)
    if height > size[0] or width > size[1]:
        pixels = functional.interpolate(
            pixels, size, mode="bilinear", antialias=True, align_corners=False
        )
    elif (height, width) != size:
        rows, columns = size[0] - height, size[1] - width
        edges = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        pixels = functional.pad(pixels, edges)
    shape = (1, -1, 1, 1)
    return (pixels - pixels.new_tensor(mean).view(shape)) / pixels.new_tensor(std).view(shape)


def statistics(samples: Samples) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation by channel of pixels scaled to 0…1.

    A channel without variation gets a deviation of 1, so that it can be divided by.
    """
    if isinstance(samples.images, ImageFiles):
        _, _, height, width = samples.images.shape
        return _moments(samples.images.sums(), len(samples) * height * width)
    planes = samples.images.transpose(0, 1).flatten(1)
    counts = torch.stack([torch.bincount(plane.long(), minlength=256) for plane in planes])
    levels = torch.arange(256, dtype=torch.float64) / 255.0
    total = counts.sum(1).double()
    mean = (counts * levels).sum(1) / total
    variance = (counts * (levels - mean[:, None]).square()).sum(1) / total
    std = torch.where(variance > 0, variance.sqrt(), torch.ones_like(variance))
    return tuple(mean.tolist()), tuple(std.tolist())


def _moments(
    sums: list[tuple[int, int]], count: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return what :func:`statistics` does, of whole sums of ``count`` levels and their squares."""
    mean = tuple(total / (255 * count) for total, _ in sums)
    variances = [(count * squares - total**2) / (255 * count) ** 2 for total, squares in sums]
    return mean, tuple(variance**0.5 or 1.0 for variance in variances)


def stratified(
    labels: Tensor, fraction: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return indices (rest, chosen): of every class the same ``fraction``, rounded, is chosen.

    Both are in rising order. A class of at least two samples keeps at least one in the rest.
    """
    chosen = []
    for label in range(int(labels.max()) + 1 if len(labels) else 0):
        members = (labels == label).nonzero().flatten()
        count = min(round(len(members) * fraction), max(len(members) - 1, 0))
        order = torch.randperm(len(members), generator=generator)
        chosen.append(members[order[:count]])
    picked = torch.cat(chosen).sort().values if chosen else labels.new_empty(0)
    rest = torch.ones(len(labels), dtype=torch.bool)
    rest[picked] = False
    return rest.nonzero().flatten(), picked


def stratified_folds(labels: Tensor, folds: int, generator: torch.Generator) -> Tensor:
    """Return the fold, 0 to ``folds`` - 1, of each sample: every class is shared out evenly."""
    fold_of, first = torch.empty_like(labels), 0
    for label in range(int(labels.max()) + 1):
        members = (labels == label).nonzero().flatten()
        order = torch.randperm(len(members), generator=generator)
        # The next class goes on where this one ended, so that folds differ by one sample at most.
        fold_of[members[order]] = (torch.arange(len(members)) + first) % folds
        first += len(members)
    return fold_of


def batches(samples: Samples, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (images, labels) in order, ``size`` at a time; the last batch may be smaller."""
    for start in range(0, len(samples), size):
        yield samples.images[start : start + size], samples.labels[start : start + size]


def epoch_order(labels: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """Return the places of an epoch's samples, as many as there are labels, in a drawn order.

    ``plain`` has each once. ``balanced`` has as many of every class, up to one: a class with fewer
    samples has each of them several times, one with more has some of them, others every epoch.
    """
    count = len(labels)
    if sampling == "plain":
        return torch.randperm(count, generator=generator)
    classes = sorted(set(labels.tolist()))
    chosen = []
    for place, label in enumerate(classes):
        members = (labels == label).nonzero().flatten()
        wanted = count // len(classes) + (place < count % len(classes))
        rounds = [
            members[torch.randperm(len(members), generator=generator)]
            for _ in range(-(-wanted // len(members)))
        ]
        chosen.append(torch.cat(rounds)[:wanted] if rounds else members[:0])
    places = torch.cat(chosen) if chosen else torch.empty(0, dtype=torch.int64)
    return places[torch.randperm(len(places), generator=generator)]


def shuffled_batches(
    samples: Samples, size: int, generator: torch.Generator, sampling: Sampling = "plain"
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield (images, labels, indices) in an order drawn from ``generator``; see `epoch_order`.

    A last batch smaller than half of ``size`` joins no step of its own: it is left out, unless it
    is all there is, so that no step is taken on a handful of samples.
    """
    order = epoch_order(samples.labels, sampling, generator)
    for start in range(0, len(samples), size):
        chosen = order[start : start + size]
        if start and len(chosen) < size / 2:
            return
        yield samples.images[chosen], samples.labels[chosen], chosen
