"""A folder of one's own images: a sub-folder for every class, with splits or without."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from partition.data.dataset import Samples
from partition.data.decode import SUFFIXES, require_pillow
from partition.data.files import ImageFiles
from partition.errors import InputError, nearest
from partition.progress import Progress, Report

_HELD = ("validation", "val")
"""Names of a folder of validation images beside ``train`` and ``test``."""
_SPLITS = ("train", "test", *_HELD)
STEP = "images"
"""Name of the step in progress reports."""
_MOST_NAMED = 20
"""Files that a report names; of damaged ones the manifest lists more."""


@dataclass(slots=True)
class LeftOut:
    """Files of an image folder that are not read, by the reason; hidden ones do not count.

    Attributes:
        by_name: number of files whose names are not of images, by the end of the name.
        first: the first of them.
        not_files: paths with the name of an image that are no files: pipes, devices, folders that
            a link names, links to nothing.
    """

    by_name: Counter[str] = field(default_factory=Counter)
    first: Path | None = None
    not_files: list[Path] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Count a path."""
        if path.name.startswith("."):
            return
        if path.suffix.lower() in SUFFIXES and not path.is_file():
            self.not_files.append(path)
        else:
            self.by_name[path.suffix.lower() or "without a suffix"] += 1
            self.first = self.first or path

    def report(self, progress: Progress) -> None:
        """Report what is left out, and why."""
        if self.by_name:
            ends = ", ".join(f"{count} {end}" for end, count in sorted(self.by_name.items()))
            note = f"left out, as their names are not of images: {ends}; the first is {self.first}"
            progress(Report(step=STEP, done=0.0, note=note))
        if self.not_files:
            note = (
                "left out, as they are no files (pipes, devices, or links to folders or to "
                f"nothing): {_named(self.not_files)}"
            )
            progress(Report(step=STEP, done=0.0, note=note))


def _named(paths: Sequence[Path]) -> str:
    """Return the names of the first files of many, and how many more there are."""
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    return ", ".join(map(str, paths[:_MOST_NAMED])) + more


@dataclass(slots=True)
class Folder:
    """The images of a folder, not yet decoded.

    Attributes:
        classes: class names, by label: the names of the sub-folders in their order.
        train: images to train on, or all of them.
        validation: images of ``validation/`` or ``val/``; None without such a folder.
        test: images of ``test/``; None without such a folder.
        left_out: files that are not read.
    """

    classes: tuple[str, ...]
    train: Samples
    validation: Samples | None
    test: Samples | None
    left_out: LeftOut = field(default_factory=LeftOut)


@dataclass(slots=True)
class _Finder:
    """Collects the image files of class folders."""

    paths: list[Path] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)

    def find(self, folder: Path, classes: Sequence[str]) -> range:
        """Collect the images of every class, those of folders in it too; return their places.

        Raises:
            InputError: a class has no images.
        """
        before = len(self.paths)
        for entry in sorted(folder.iterdir()):
            if not entry.is_dir():
                self.left_out.add(entry)
        for label, name in enumerate(classes):
            files = sorted(self._images(folder / name))
            if not files:
                raise InputError(
                    f"class folder {folder / name} has no images ({', '.join(SUFFIXES)}); put some "
                    "in it, or remove it"
                )
            self.paths += files
            self.labels += [label] * len(files)
        return range(before, len(self.paths))

    def _images(self, folder: Path) -> list[Path]:
        found = []
        for place, folders, names in os.walk(folder, onerror=_refuse):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in [*names, *(one for one in folders if Path(place, one).is_symlink())]:
                path = Path(place, name)
                if path.suffix.lower() in SUFFIXES and path.is_file():
                    found.append(path)
                else:
                    self.left_out.add(path)
        return found


def _refuse(error: OSError) -> None:
    raise InputError(f"cannot read {error.filename}: {error.strerror or error}") from error


def find_folder(folder: Path | None, size: tuple[int, int], channels: int) -> Folder:
    """Return the images of a folder, found by name; nothing is decoded.

    Where ``train/`` and ``test/`` are there, each holds a folder for every class, and so does
    ``validation/`` or ``val/``. Else the folder itself does, to be split.

    Args:
        folder: the folder.
        size: height and width that images are brought to, in pixels.
        channels: channels of an image.

    Raises:
        InputError: the folder, its classes or their images are missing, the splits have different
            classes, or Pillow is not installed.
    """
    require_pillow()
    if folder is None or not folder.is_dir():
        raise InputError(f"no image folder at {folder}: name one with a sub-folder for every class")
    try:
        return _find(folder, size, channels)
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror or error}") from error


def find_images(
    folder: Path, classes: Sequence[str], size: tuple[int, int], channels: int
) -> Folder:
    """Return images of known classes, as ``train``; not each class need be there.

    Args:
        folder: holds a sub-folder for each class, or a folder ``test`` that does.
        classes: names of the classes, by label.
        size: height and width that images are brought to, in pixels.
        channels: channels of an image.

    Raises:
        InputError: the folder or its images are missing, or one of its classes is unknown.
    """
    require_pillow()
    if not folder.is_dir():
        raise InputError(f"no image folder at {folder}: name one with a sub-folder for every class")
    place = folder / "test" if (folder / "test").is_dir() and "test" not in classes else folder
    try:
        there = _classes(place)
        for name in there:
            if name not in classes:
                known = ", ".join(classes[:20]) + (", …" if len(classes) > 20 else "")
                raise InputError(
                    f"class {name!r} of {place} is none of the artifact's"
                    f"{nearest(name, list(classes))}; its classes are {known}"
                )
        finder = _Finder()
        finder.find(place, [name for name in classes if name in there])
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror or error}") from error
    labels = [label for label, name in enumerate(classes) if name in there]
    samples = Samples(
        ImageFiles(finder.paths, size, channels),
        torch.tensor([labels[label] for label in finder.labels]),
    )
    return Folder(
        classes=tuple(classes),
        train=samples,
        validation=None,
        test=None,
        left_out=finder.left_out,
    )


def _find(folder: Path, size: tuple[int, int], channels: int) -> Folder:
    places = _splits(folder)
    classes = _classes(places["train"])
    finder = _Finder()
    if len(places) > 1:
        for entry in sorted(folder.iterdir()):
            if entry not in places.values():
                finder.left_out.add(entry)
    ranges = {}
    for split, place in places.items():
        _check_classes(classes, _classes(place), places["train"], place)
        ranges[split] = finder.find(place, classes)
    images = ImageFiles(finder.paths, size, channels)
    everything = Samples(images, torch.tensor(finder.labels))
    samples = {split: everything.take(torch.tensor(list(one))) for split, one in ranges.items()}
    return Folder(
        classes=classes,
        train=samples["train"],
        validation=samples.get("validation"),
        test=samples.get("test"),
        left_out=finder.left_out,
    )


def _splits(folder: Path) -> dict[str, Path]:
    """Return the folders of the splits; the folder itself as ``train`` where it has none."""
    there = {name for name in _SPLITS if (folder / name).is_dir()}
    if {"train", "test"} <= there:
        held = [name for name in _HELD if name in there]
        if len(held) > 1:
            raise InputError(f"{folder} has validation/ and val/; keep one of them")
        splits = {"train": folder / "train", "test": folder / "test"}
        return splits | ({"validation": folder / held[0]} if held else {})
    if there and "train" in there:
        others = ", ".join(f"{name}/" for name in sorted(there))
        raise InputError(
            f"{folder} has {others} and no test/; add test/ with a sub-folder for every class, or "
            "name the folder whose sub-folders are the classes"
        )
    return {"train": folder}


def _classes(folder: Path) -> tuple[str, ...]:
    names = sorted(
        entry.name for entry in folder.iterdir() if entry.is_dir() and not _hidden(entry)
    )
    if not names:
        raise InputError(f"{folder} has no sub-folders; put the images of every class in one")
    return tuple(names)


def _hidden(entry: Path) -> bool:
    return entry.name.startswith(".")


def _check_classes(classes: Sequence[str], found: Sequence[str], train: Path, place: Path) -> None:
    """Refuse a split that has other classes than the training images."""
    for name in found:
        if name not in classes:
            raise InputError(
                f"class {name!r} is in {place} and not in {train}{nearest(name, list(classes))}: "
                "what is never seen in training cannot be recognised; add training images, or "
                "remove it"
            )
    for name in classes:
        if name not in found:
            raise InputError(f"class {name!r} is in {train} and not in {place}; add images of it")


def check_images(
    splits: Sequence[Samples], skip: bool, progress: Progress
) -> tuple[list[Samples], tuple[Path, ...]]:
    """Decode every image in a file once; return the splits without damaged ones, and those.

    Images in memory are what they are.

    Args:
        splits: samples of every split.
        skip: whether damaged files are left out; else the first is an error.
        progress: called with the share that is done, and with what was left out.

    Raises:
        InputError: a file is damaged; the message names it.
    """
    total = sum(len(samples) for samples in splits if isinstance(samples.images, ImageFiles))
    if not total:
        return list(splits), ()
    done, damaged = 0, list[Path]()

    def count() -> None:
        nonlocal done
        done += 1
        if done % 100 == 0 or done == total:
            progress(Report(step=STEP, done=done / total))

    progress(Report(step=STEP, done=0.0))
    checked = [_checked(samples, count, damaged.append if skip else None) for samples in splits]
    damaged.sort()
    if damaged:
        note = f"{len(damaged)} of {total} images are damaged and left out: {_named(damaged)}"
        progress(Report(step=STEP, done=1.0, note=note))
    return checked, tuple(damaged)


def _checked(
    samples: Samples, count: Callable[[], None], on_damaged: Callable[[Path], None] | None
) -> Samples:
    if not isinstance(samples.images, ImageFiles):
        return samples
    return samples.take(samples.images.check(count, on_damaged))
