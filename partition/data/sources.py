"""Data sets by name, as recipes name them: digits, MNIST, CIFAR, or a folder of images."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch

from partition.data.cifar import CIFAR10, CIFAR100, load_cifar
from partition.data.dataset import Data, Samples, statistics, stratified
from partition.data.mnist import FASHION_MNIST, MNIST, load_idx
from partition.errors import InputError
from partition.recipe import DataSpec

SPLIT_SEED = 20_240_001
"""Seed of splits that a data set does not have: the same for every run, so that test images
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


SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm")


def load_folder(folder: Path | None, side: int, channels: int) -> tuple[Samples, tuple[str, ...]]:
    """Return samples and class names; images are resized and cropped to ``side`` by ``side``.

    Classes are the sub-folders in the order of their names, files in the order of theirs. The
    shorter side is resized to ``side`` and the middle is cut out.

    Raises:
        InputError: the folder or its classes are missing or empty, an image cannot be decoded, or
            Pillow is not installed.
    """
    try:
        pillow, operations = import_module("PIL.Image"), import_module("PIL.ImageOps")
    except ImportError as error:
        raise InputError(
            "an image folder needs Pillow to decode images: pip install pillow"
        ) from error
    if folder is None or not folder.is_dir():
        raise InputError(f"no image folder at {folder}: name one with a sub-folder for every class")
    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    if not classes:
        raise InputError(f"{folder} has no sub-folders; put the images of every class in one")
    mode = "L" if channels == 1 else "RGB"
    pixels, labels = [], []
    for label, place in enumerate(classes):
        files = sorted(file for file in place.iterdir() if file.suffix.lower() in SUFFIXES)
        if not files:
            raise InputError(f"class folder {place} has no images ({', '.join(SUFFIXES)})")
        for file in files:
            try:
                with pillow.open(file) as image:
                    small = operations.fit(
                        image.convert(mode), (side, side), pillow.Resampling.BICUBIC
                    )
            except OSError as error:
                raise InputError(f"cannot decode {file}: {error}") from error
            flat = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
            pixels.append(flat.reshape(side, side, channels).permute(2, 0, 1))
            labels.append(label)
    samples = Samples(torch.stack(pixels).contiguous(), torch.tensor(labels))
    return samples, tuple(place.name for place in classes)
