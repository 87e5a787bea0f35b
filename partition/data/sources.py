"""Open a data set by name: the one door that the recipe knocks at."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch

from partition.data.cifar import CIFAR10, CIFAR100, load_cifar
from partition.data.dataset import Data, Samples, statistics, stratified
from partition.data.folder import load_folder
from partition.data.mnist import FASHION_MNIST, MNIST, load_idx
from partition.errors import InputError
from partition.recipe import DataSpec

SPLIT_SEED = 20_240_001
"""Seed of splits that a data set does not come with: the same for every run, so that test images
of one run are never training images of another."""


def open_data(spec: DataSpec) -> Data:
    """Load a data set and split it; the same spec gives the same samples in the same order.

    Raises:
        InputError: files are missing or damaged (the message says how to get them), fewer than
            two classes are found, or no training or test images are left.
    """
    folder = Path(spec.folder).expanduser() if spec.folder else None
    generator = torch.Generator().manual_seed(SPLIT_SEED)
    test: Samples | None = None
    if spec.name == "digits":
        train, classes = _digits()
    elif spec.name in ("fashion-mnist", "mnist"):
        source = FASHION_MNIST if spec.name == "fashion-mnist" else MNIST
        train, test = load_idx(source, folder, spec.download)
        classes = source.classes
    elif spec.name == "folder":
        train, test, classes = _folder(folder, spec)
    else:
        train, test, classes = load_cifar(CIFAR10 if spec.name == "cifar-10" else CIFAR100, folder)
    if len(classes) < 2:
        raise InputError(f"{spec.name} has {len(classes)} class; a classifier needs at least two")
    if test is None:
        rest, held = stratified(train.labels, spec.test, generator)
        train, test = train.take(rest), train.take(held)
    rest, held = stratified(train.labels, spec.validation, generator)
    train, validation = train.take(rest), train.take(held)
    if spec.limit:
        train = train.take(_first_of_each(train.labels, spec.limit))
    for what, samples in (("training", train), ("test", test)):
        if not len(samples):
            raise InputError(f"{spec.name} leaves no {what} images: set data.test to a fair share")
    mean, std = statistics(train)
    side = spec.image or max(train.images.shape[-2:])
    return Data(spec.name, classes, train, validation, test, mean, std, side)


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


def _folder(folder: Path | None, spec: DataSpec) -> tuple[Samples, Samples | None, tuple[str, ...]]:
    """Read ``train/`` and ``test/`` where both are there, else one folder to be split."""
    side = spec.image or 224
    if folder is None or not ((folder / "train").is_dir() and (folder / "test").is_dir()):
        samples, classes = load_folder(folder, side, spec.channels)
        return samples, None, classes
    train, classes = load_folder(folder / "train", side, spec.channels)
    test, test_classes = load_folder(folder / "test", side, spec.channels)
    if test_classes != classes:
        raise InputError(f"{folder}: train has classes {classes}, test has {test_classes}")
    return train, test, classes
