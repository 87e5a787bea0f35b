"""Accuracies of an artifact on test images: unsplit, parts, fused, any subset, in every form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from partition.artifact import Artifact, load_artifact
from partition.classify import accuracy_of, evaluation_batches, predict
from partition.config import height_and_width
from partition.data import Data, Samples, open_data
from partition.data.folder import check_images, find_images
from partition.entries import accuracy_entry
from partition.errors import InputError
from partition.forms import FORMS, Form, in_form
from partition.fusion import Fusion, spread
from partition.progress import Progress, Report, silent
from partition.split import PartClasses, part_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class FormAccuracies:
    """Accuracies with weights in one form, each from 0 to 1.

    Attributes:
        form: form of the weights.
        unsplit: of the unsplit model: ``accuracy``, ``worst_class`` and by class; None where the
            artifact does not hold its weights.
        parts: of each part at its own task; None where no image is of its task.
        fused: of the fusion with every part, as ``unsplit``.
        subsets: of the fusion with some parts, by one digit for each: ``"101"`` lacks part 1.
    """

    form: Form
    unsplit: Mapping[str, Any] | None
    parts: tuple[float | None, ...]
    fused: Mapping[str, Any]
    subsets: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What an artifact came to on some images.

    Attributes:
        name: name of the artifact.
        dataset: name of the data, or path of the folder.
        samples: number of images.
        skipped: damaged files that were left out.
        forms: accuracies, form by form.
    """

    name: str
    dataset: str
    samples: int
    skipped: tuple[str, ...]
    forms: tuple[FormAccuracies, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values, the forms by name."""
        values = asdict(self)
        values["forms"] = {one.pop("form"): one for one in values["forms"]}
        return values


def evaluate(
    folder: Path,
    images: Path | None = None,
    *,
    subsets: Sequence[Sequence[int]] = (),
    forms: Sequence[Form] = ("fp32",),
    skip_damaged: bool = False,
    progress: Progress = silent,
) -> Evaluation:
    """Return the accuracies of an artifact.

    Args:
        folder: the artifact.
        images: folder of images with a sub-folder for each class, named as in the artifact (or such
            a folder ``test`` in it); by default the test images of the artifact's own data.
        subsets: numbers of the parts that are there; by default every part but one, in turn.
        forms: forms of the weights.
        skip_damaged: whether damaged files are left out; else the first is an error.
        progress: called with how far each step is.

    Raises:
        InputError: the artifact or an image is damaged, the images are missing or of other classes,
            or a subset names a part that is not there.
    """
    artifact = load_artifact(folder)
    rows = _rows(subsets, len(artifact.parts))
    unknown = [form for form in forms if form not in FORMS]
    if unknown:
        raise InputError(f"expected forms {', '.join(FORMS)}, got {unknown[0]}")
    data = _data(artifact, images, skip_damaged, progress)
    return Evaluation(
        name=artifact.manifest.name,
        dataset=data.name,
        samples=len(data.test),
        skipped=tuple(str(path) for path in data.skipped),
        forms=tuple(_in_one_form(artifact, data, form, rows, progress) for form in forms),
    )


def _rows(subsets: Sequence[Sequence[int]], parts: int) -> list[tuple[bool, ...]]:
    if not subsets and parts > 1:
        subsets = [[part for part in range(parts) if part != lost] for lost in range(parts)]
    for subset in subsets:
        wrong = [part for part in subset if not 0 <= part < parts]
        if wrong or not subset:
            got = f"{wrong[0]}" if wrong else "none"
            raise InputError(f"expected numbers of parts from 0 to {parts - 1}, got {got}")
    return [tuple(part in subset for part in range(parts)) for subset in subsets]


def _data(artifact: Artifact, images: Path | None, skip: bool, progress: Progress) -> Data:
    """Return data whose test images are those to measure on, normalised as in training."""
    entry, recipe = artifact.manifest.data, artifact.manifest.recipe
    if images is not None:
        size = height_and_width(entry.image)
        found = find_images(images, entry.classes, size, entry.channels)
        found.left_out.report(progress)
        (test,), skipped = check_images((found.train,), skip, progress)
        if not len(test):
            raise InputError(f"{images}: every image is damaged")
        inside = tuple(path.relative_to(images) for path in skipped)
        nothing = test.take(torch.empty(0, dtype=torch.int64))
        return Data(
            str(images), entry.classes, nothing, nothing, test, entry.mean, entry.std, entry.image,
            inside,
        )  # fmt: skip
    spec = replace(recipe.data, skip_damaged=recipe.data.skip_damaged or skip)
    data = open_data(spec, progress)
    if (data.classes, len(data.test)) != (entry.classes, entry.images.test):
        raise InputError(
            f"{data.name} has {len(data.test):,} test images of {len(data.classes)} classes here, "
            f"and the artifact was tested on {entry.images.test:,} of {len(entry.classes)}; bring "
            "the data back, or name other images with --data"
        )
    return replace(data, mean=entry.mean, std=entry.std, image=entry.image)


@torch.no_grad()
def _in_one_form(
    artifact: Artifact,
    data: Data,
    form: Form,
    rows: Sequence[tuple[bool, ...]],
    progress: Progress,
) -> FormAccuracies:
    test, classes = data.test, data.classes
    steps = len(artifact.parts) + 2

    def report(done: int) -> None:
        progress(Report(step=f"evaluate {form}", done=done / steps))

    report(0)
    unsplit = None
    if artifact.unsplit is not None:
        logits = predict(in_form(artifact.unsplit, form), test, data)
        unsplit = asdict(accuracy_entry(logits, test.labels, classes))
    report(1)
    own, features = [], []
    for number, (model, entry) in enumerate(
        zip(artifact.parts, artifact.manifest.parts, strict=True)
    ):
        part = in_form(model, form)
        pooled = torch.cat([
            part.pool(part.encode(part.embed(inputs))) for inputs in evaluation_batches(test, data)
        ])  # fmt: skip
        task = PartClasses(classes=entry.classes, other=entry.other)
        own.append(_own_accuracy(part.classify(pooled), test, task))
        features.append(pooled.flatten(1))
        report(number + 2)
    fusion, joined = in_form(artifact.fusion, form), torch.cat(features, 1)
    fused = asdict(accuracy_entry(fusion(joined), test.labels, classes))
    found = {
        "".join(str(int(there)) for there in row): _with_some(fusion, joined, row, test.labels)
        for row in rows
    }
    report(steps)
    return FormAccuracies(form=form, unsplit=unsplit, parts=tuple(own), fused=fused, subsets=found)


def _own_accuracy(logits: Tensor, test: Samples, task: PartClasses) -> float | None:
    """Return the accuracy of a part at its own task; None where no image is of it."""
    labels = part_labels(test.labels, task)
    asked = torch.ones_like(labels, dtype=torch.bool)
    if not task.other:
        asked = labels < len(task.classes)
    return accuracy_of(logits[asked], labels[asked]) if asked.any() else None


def _with_some(
    fusion: Fusion, features: Tensor, present: tuple[bool, ...], labels: Tensor
) -> float:
    """Return the accuracy of the fusion without the features of some parts."""
    flags = spread(torch.tensor(present), fusion.part_widths)
    return accuracy_of(fusion(features * flags), labels)
