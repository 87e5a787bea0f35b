"""The schema of an artifact's ``manifest.json``; no torch is needed.

A manifest is enough to simulate an artifact. Accuracies are on the test images, 0 to 1; bytes are
of fp32 weights; one multiply-accumulate is one of ``macs``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, PlainValidator

from partition.config import ViTConfig, image_text
from partition.cost import mlp_cost, vit_cost
from partition.fields import Image, Name
from partition.recipe import Recipe

FORMAT = "edgesim-partition"
SCHEMA = 1
FUSION = "fusion"
MOST_SKIPPED = 1000
"""Damaged files that a manifest lists."""


def _file_name(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text) is None:
        raise ValueError(f"expected names of files in its own folder, got {text[:60]!r}")
    return text


class _Entry:
    """How entries are read: other keys than theirs are ignored, a later version may say more."""

    __pydantic_config__ = ConfigDict(strict=True, allow_inf_nan=False)


Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Size = Annotated[int, Field(ge=1, le=1 << 24)]
Share = Annotated[float, Field(ge=0, le=1)]
FileName = Annotated[str, AfterValidator(_file_name)]
"""Of a file in the artifact's own folder."""
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""SHA-256 in hexadecimal."""
Shape = Annotated[ViTConfig, PlainValidator(ViTConfig.from_dict)]
Widths = Annotated[tuple[Size, ...], Field(min_length=2, max_length=10_000)]


@dataclass(frozen=True, kw_only=True)
class TrainingEntry(_Entry):
    """How one training went.

    Attributes:
        epochs: epochs that were trained.
        best_epoch: epoch whose weights were taken, from 1; 0 for none.
        validation_accuracy: after that epoch; None without validation images.
        validation_loss: in nats, likewise.
        stage: stage of pruning that the training followed; None for none.
    """

    epochs: Count
    best_epoch: Count
    validation_accuracy: Share | None
    validation_loss: Annotated[float, Field(ge=0)] | None = None
    stage: Name | None = None


@dataclass(frozen=True, kw_only=True)
class AccuracyEntry(_Entry):
    """Accuracies of a classifier of all classes.

    Attributes:
        accuracy: share of right answers.
        worst_class: name of the class with the lowest accuracy.
        worst_class_accuracy: its accuracy.
        class_accuracies: accuracy of each label; None for a class without test images.
    """

    accuracy: Share
    worst_class: str
    worst_class_accuracy: Share
    class_accuracies: tuple[Share | None, ...]


@dataclass(frozen=True, kw_only=True)
class CostEntry(_Entry):
    """What a model takes.

    Attributes:
        parameters: weights and biases.
        bytes: bytes of the weights and biases.
        macs: multiply-accumulates of one image.
    """

    parameters: Count
    bytes: Count
    macs: Count


@dataclass(frozen=True, kw_only=True)
class ModelEntry(CostEntry):
    """Shape and cost of a Vision Transformer.

    Attributes:
        config: its shape.
        feature_bytes: bytes that the model sends to the fusion for one image.
    """

    config: Shape
    feature_bytes: Count

    def __post_init__(self) -> None:
        _check_cost(self, asdict(vit_cost(self.config)))


@dataclass(frozen=True, kw_only=True)
class PartEntry(ModelEntry):
    """One sub-model: what it takes to serve it.

    Attributes:
        file: file of its weights.
    """

    file: FileName


@dataclass(frozen=True, kw_only=True)
class FusionEntry(CostEntry):
    """The fusion: what it takes to serve it.

    Attributes:
        file: file of its weights.
        part_widths: features of every part.
        widths: widths of the layers, from all features to the classes.
    """

    file: FileName
    part_widths: tuple[Size, ...]
    widths: Widths

    def __post_init__(self) -> None:
        _check_cost(self, mlp_cost(self.widths))
        if self.widths[0] != sum(self.part_widths):
            raise ValueError(
                f"widths: expected {sum(self.part_widths)} features of all parts first, "
                f"got {self.widths[0]}"
            )


@dataclass(frozen=True, kw_only=True)
class Manifest(_Entry):
    """What it takes to serve an artifact.

    Attributes:
        format: kind of the file.
        schema: its version.
        name: name of the artifact.
        parts: the sub-models.
        fusion: over their features.
        files: SHA-256 by name; every file of the artifact but the manifest.
        sha256: SHA-256 of the manifest without this key.
    """

    format: Literal["edgesim-partition"]
    schema: Literal[1]
    name: Name
    parts: Annotated[tuple[PartEntry, ...], Field(min_length=1)]
    fusion: FusionEntry
    files: dict[FileName, Digest]
    sha256: Digest

    def __post_init__(self) -> None:
        taken = set[str]()
        for name, entry in self.models.items():
            if entry.file not in self.files:
                raise ValueError(f"{name}.file: expected a key of 'files', got '{entry.file}'")
            if entry.file in taken:
                raise ValueError(f"{name}.file: expected one of its own, got '{entry.file}' again")
            taken.add(entry.file)
        features = [part.feature_bytes // 4 for part in self.parts]
        if list(self.fusion.part_widths) != features:
            raise ValueError(
                f"fusion.part_widths: expected what the parts send, {str(features)[:60]}, "
                f"got {str(list(self.fusion.part_widths))[:60]}"
            )

    @property
    def models(self) -> dict[str, PartEntry | FusionEntry]:
        """Parts and fusion by name: ``part-0`` … and ``fusion``."""
        parts = {f"part-{number}": part for number, part in enumerate(self.parts)}
        return {**parts, FUSION: self.fusion}


@dataclass(frozen=True, kw_only=True)
class TrainedPart(PartEntry):
    """One sub-model of an artifact that was trained.

    Attributes:
        classes: labels of its outputs.
        class_names: names of its classes.
        other: whether a last output is for all other classes.
        heads_kept: heads' worth that pruning left.
        device: device that it was fitted to; None without devices.
        accuracy: accuracy at its own task, 0 to 1.
        training: after every stage of pruning.
    """

    classes: Annotated[tuple[Count, ...], Field(min_length=1)]
    class_names: tuple[str, ...]
    other: bool
    heads_kept: Size
    device: Name | None
    accuracy: Share
    training: tuple[TrainingEntry, ...]


@dataclass(frozen=True, kw_only=True)
class TrainedFusion(FusionEntry, AccuracyEntry):
    """The fusion of an artifact that was trained, its accuracies with every part there.

    Attributes:
        training: history of the training.
    """

    training: TrainingEntry


@dataclass(frozen=True, kw_only=True)
class UnsplitEntry(ModelEntry, AccuracyEntry):
    """The model that the parts were cut from.

    Attributes:
        file: file of its weights; None in artifacts of earlier versions, which do not hold them.
    """

    file: FileName | None = None


@dataclass(frozen=True, kw_only=True)
class ImagesEntry(_Entry):
    """How many images there were."""

    train: Count
    validation: Count
    test: Count


@dataclass(frozen=True, kw_only=True)
class DataEntry(_Entry):
    """The data, and what makes inputs of images.

    Attributes:
        name: name of the data set.
        classes: names by label.
        images: number of images of each split.
        image: side of an input, or height and width, in pixels.
        channels: channels of an input.
        mean: mean of every channel, of values from 0 to 1.
        std: standard deviation of every channel, likewise.
        skipped: number of damaged files that were left out.
        skipped_files: the first of them.
    """

    name: Name
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    images: ImagesEntry
    image: Image
    channels: Size
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]
    skipped: Count = 0
    skipped_files: Annotated[tuple[str, ...], Field(max_length=MOST_SKIPPED)] = ()


@dataclass(frozen=True, kw_only=True)
class SurvivorsEntry(_Entry):
    """Accuracies of the fusion by which parts are there.

    Attributes:
        exhaustive: whether every subset was measured.
        accuracy: accuracy of each subset, written with one digit for each part; ``"1011"`` lacks
            part 1.
    """

    exhaustive: bool
    accuracy: Annotated[dict[Annotated[str, Field(pattern="^[01]+$")], Share], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class AssignmentEntry(_Entry):
    """Heads and device of every part, and how often the assignment began again."""

    heads: tuple[Size, ...]
    devices: tuple[Name, ...]
    restarts: Count


@dataclass(frozen=True, kw_only=True)
class FitEntry(_Entry):
    """How the exact and the greedy assignment to devices compare.

    Attributes:
        exact: the one that was taken.
        greedy: None where it found none.
        gap: share of the heads that the greedy one loses.
    """

    exact: AssignmentEntry
    greedy: AssignmentEntry | None
    gap: Share | None


@dataclass(frozen=True, kw_only=True)
class LitEntry(_Entry):
    """Accuracies of a model on light and without it, on the same images.

    Attributes:
        accuracy: share of right answers on light.
        electronic: share of right answers without light.
        same: share of equal answers.
    """

    accuracy: Share
    electronic: Share
    same: Share


@dataclass(frozen=True, kw_only=True)
class LightEntry(_Entry):
    """Accuracies on light at one operating point of a 4f system, by the physical road.

    Attributes:
        bits: bits of both modulators; None shows any value.
        camera_bits: bits of the camera; None counts electrons.
        photons: photons detected per multiply-accumulate; None without noise.
        plane: side of modulators and camera, in pixels.
        images: number of test images, evenly by class.
        saturated: number of readings that were at the camera's limit.
        unsplit: the unsplit model, all of it on light.
        fused: all parts on light, their features fused by electronics.
        survivors: the same when parts are missing.
    """

    bits: Annotated[int, Field(ge=1, le=16)] | None
    camera_bits: Annotated[int, Field(ge=1, le=16)] | None
    photons: Annotated[float, Field(gt=0)] | None
    plane: Size
    images: Size
    saturated: Count
    unsplit: LitEntry
    fused: LitEntry
    survivors: SurvivorsEntry


@dataclass(frozen=True, kw_only=True)
class TrainedManifest(Manifest):
    """What ``edgesim partition`` says of the artifact that it made.

    Attributes:
        seed: seed of all random numbers.
        recipe: recipe that made the artifact.
        versions: versions that results can depend on.
        data: data that it was trained and tested on.
        unsplit: the model before it was split.
        survivors: accuracies when parts are missing.
        fit: assignment to the devices of the recipe; None without any.
        light: accuracies on light; None where they were not measured.
    """

    seed: Annotated[int, Field(ge=0)]
    recipe: Recipe
    versions: dict[str, str]
    data: DataEntry
    unsplit: UnsplitEntry
    parts: Annotated[tuple[TrainedPart, ...], Field(min_length=1)]
    fusion: TrainedFusion
    survivors: SurvivorsEntry
    fit: FitEntry | None
    light: LightEntry | None = None

    def __post_init__(self) -> None:
        Manifest.__post_init__(self)
        names, taken = self.data.classes, set[int]()
        whole = self.unsplit.file
        if whole is not None:
            if whole not in self.files:
                raise ValueError(f"unsplit.file: expected a key of 'files', got '{whole}'")
            if whole in {model.file for model in self.models.values()}:
                raise ValueError(f"unsplit.file: expected one of its own, got '{whole}' again")
        for number, part in enumerate(self.parts):
            where = f"parts.{number}.classes"
            for label in part.classes:
                if label >= len(names):
                    raise ValueError(f"{where}: expected at most {len(names) - 1}, got {label}")
                if label in taken:
                    raise ValueError(f"{where}: expected every class once, got {label} again")
                taken.add(label)
            if part.class_names != tuple(names[label] for label in part.classes):
                raise ValueError(f"parts.{number}.class_names: expected the names of its classes")
            _check_equal(f"{where} and other", part.config.classes, len(part.classes) + part.other)
        for what, entry in (("unsplit", self.unsplit), ("fusion", self.fusion)):
            _check_equal(f"{what}.class_accuracies", len(names), len(entry.class_accuracies))
            if entry.worst_class not in names:
                raise ValueError(f"{what}.worst_class: expected the name of a class")
        _check_equal("fusion.widths", len(names), self.fusion.widths[-1])
        _check_equal("unsplit.config.classes", len(names), self.unsplit.config.classes)
        for model in (self.unsplit, *self.parts):
            if self.data.image != model.config.image:
                expected, found = image_text(self.data.image), image_text(model.config.image)
                raise ValueError(f"config.image: expected {expected}, got {found}")
            _check_equal("config.channels", self.data.channels, model.config.channels)
        for what, values in (("data.mean", self.data.mean), ("data.std", self.data.std)):
            _check_equal(what, self.data.channels, len(values))
        for key in self.survivors.accuracy:
            _check_equal("survivors.accuracy", len(self.parts), len(key))
        if self.light is not None:
            for key in self.light.survivors.accuracy:
                _check_equal("light.survivors.accuracy", len(self.parts), len(key))


def _check_equal(what: str, expected: int, found: int) -> None:
    if expected != found:
        raise ValueError(f"{what}: expected {expected:,}, got {found:,}")


def _check_cost(entry: object, cost: Mapping[str, int]) -> None:
    """Check that the costs of a model are those of its shape."""
    for key, expected in cost.items():
        found = getattr(entry, key, expected)
        if found != expected:
            raise ValueError(f"{key}: expected {expected:,}, which its shape has, got {found:,}")
