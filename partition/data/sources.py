"""Data sets by name, as recipes name them: digits, MNIST, CIFAR, or a folder of images."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import torch

from partition.config import height_and_width
from partition.data.cifar import CIFAR10, CIFAR100, load_cifar
from partition.data.dataset import Data, Samples, statistics, stratified
from partition.data.folder import check_images, find_folder
from partition.data.mnist import FASHION_MNIST, MNIST, load_idx
from partition.errors import InputError
from partition.progress import Progress, silent
from partition.recipe import DataSpec

SPLIT_SEED = 20_240_001
"""Seed of splits that a data set does not have: the same for every run, so that test images
of one run are never training images of another."""


def open_data(spec: DataSpec, progress: Progress = silent) -> Data:
    """Load a data set and split it; the same spec gives the same samples in the same order.

    The images of a folder stay in their files. Each that is used is decoded once here, to find
    damaged ones, and again when a batch needs it.

    Args:
        spec: which data.
        progress: called with how many images were checked, and with what is left out.

    Raises:
        InputError: files are missing or damaged (the message says how to get them), fewer than
            two classes are found, or no training or test images are left.
    """
    folder = Path(spec.folder).expanduser() if spec.folder else None
    name = _folder_name(folder) if spec.name == "folder" and folder else spec.name
    test: Samples | None = None
    validation: Samples | None = None
    if spec.name == "digits":
        train, classes = _digits()
    elif spec.name in ("fashion-mnist", "mnist"):
        source = FASHION_MNIST if spec.name == "fashion-mnist" else MNIST
        train, test = load_idx(source, folder, spec.download)
        classes = source.classes
    elif spec.name == "folder":
        found = find_folder(folder, height_and_width(spec.image or 224), spec.channels)
        found.left_out.report(progress)
        train, validation, test = found.train, found.validation, found.test
        classes = found.classes
    else:
        train, test, classes = load_cifar(CIFAR10 if spec.name == "cifar-10" else CIFAR100, folder)
    if len(classes) < 2:
        raise InputError(f"{name} has one class, {classes[0]!r}; a classifier needs at least two")
    generator = torch.Generator().manual_seed(SPLIT_SEED)
    if test is None:
        rest, held = stratified(train.labels, spec.test, generator)
        train, test = train.take(rest), train.take(held)
    if validation is None:
        rest, held = stratified(train.labels, spec.validation, generator)
        train, validation = train.take(rest), train.take(held)
    if spec.limit:
        train = train.take(_first_of_each(train.labels, spec.limit))
    splits, skipped = check_images((train, validation, test), spec.skip_damaged, progress)
    train, validation, test = splits
    _check_splits(name, classes, train, test)
    mean, std = statistics(train)
    height, width = train.images.shape[-2:]
    side = spec.image or (height if height == width else (height, width))
    inside = tuple(path.relative_to(folder) for path in skipped) if folder else ()
    return Data(name, classes, train, validation, test, mean, std, side, inside)


def _folder_name(folder: Path) -> str:
    """Return what the images of a folder are called: its own name, as text on one line."""
    name = folder.resolve().name.encode("utf-8", "backslashreplace").decode()
    return "".join(one if one.isprintable() else "?" for one in name)[:200] or "folder"


def _check_splits(name: str, classes: Sequence[str], train: Samples, test: Samples) -> None:
    """Refuse data without test images, or with a class that has no training images."""
    for what, samples in (("training", train), ("test", test)):
        if not len(samples):
            raise InputError(f"{name} leaves no {what} images: set data.test to a fair share")
    counts = torch.bincount(train.labels, minlength=len(classes)).tolist()
    for label, count in zip(classes, counts, strict=True):
        if not count:
            raise InputError(
                f"{name}: no training images of class {label!r} are left; add some, or remove it"
            )


def _first_of_each(labels: torch.Tensor, count: int) -> torch.Tensor:
    firsts = [
        (labels == label).nonzero().flatten()[:count] for label in range(int(labels.max()) + 1)
    ]
    return torch.cat(firsts).sort().values


def _digits() -> tuple[Samples, tuple[str, ...]]:
    """Return scikit-learn's 1,797 digits of 8 by 8; levels 0…16 become 0…240, exactly."""
    try:
        datasets = import_module("sklearn.datasets")
    except ImportError as error:
        raise InputError("the digits come with scikit-learn: pip install scikit-learn") from error
    bunch = datasets.load_digits()
    images = torch.from_numpy(bunch.images).mul(15).to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(bunch.target).long()
    return Samples(images, labels), tuple(str(digit) for digit in range(10))
