"""The schema of an artifact's ``manifest.json``, and its one reader; no torch is needed.

A manifest is enough to simulate an artifact; :mod:`partition.artifact` loads its weights.
Accuracies are on the test images, 0 to 1; bytes are of fp32 weights; one multiply-accumulate is one
of ``macs``.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError

from partition.config import ViTConfig, image_text
from partition.cost import mlp_cost, vit_cost
from partition.errors import InputError, explain
from partition.files import sha256, to_json
from partition.recipe import Image, Name, Recipe

FORMAT = "edgesim-partition"
SCHEMA = 1
MANIFEST = "manifest.json"
FUSION = "fusion"
LARGEST_BYTES = 4 << 20
"""Of a manifest."""
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


def _check_equal(what: str, expected: int, found: int) -> None:
    if expected != found:
        raise ValueError(f"{what}: expected {expected:,}, got {found:,}")


def _check_cost(entry: object, cost: Mapping[str, int]) -> None:
    """Check that the costs of a model are those of its shape."""
    for key, expected in cost.items():
        found = getattr(entry, key, expected)
        if found != expected:
            raise ValueError(f"{key}: expected {expected:,}, which its shape has, got {found:,}")


def manifest_hash(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest without its own ``sha256`` key."""
    bare = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(to_json(bare).encode()).hexdigest()


@cache
def _adapter(kind: type[Manifest]) -> TypeAdapter[Manifest]:
    return TypeAdapter(kind)


def parse_manifest(data: bytes, name: str) -> Manifest:
    """Return the manifest in the bytes of a file; a :class:`TrainedManifest` with a recipe.

    Args:
        data: content of the file.
        name: name of the file in messages.

    Raises:
        InputError: it is damaged, changed, of another version, or says something impossible.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is damaged ({error}); make the artifact again") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f"{name} is not the manifest of a partition artifact")
    if document.get("schema") != SCHEMA:
        version = str(document.get("schema"))[:60]
        raise InputError(f"{name} has schema {version}; this version reads {SCHEMA}")
    try:
        right = document.get("sha256") == manifest_hash(document)
    except (ValueError, RecursionError):
        # No number that JSON has.
        right = False
    if not right:
        raise InputError(f"{name} was changed after it was written; make the artifact again")
    kind = TrainedManifest if "recipe" in document else Manifest
    try:
        return _adapter(kind).validate_json(data)
    except ValidationError as error:
        raise InputError(f"{explain(error, name)}; make the artifact again") from None


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of an artifact, its hash and the presence of its files checked.

    Raises:
        InputError: it is missing, damaged, changed, of another version, or says something
            impossible.
    """
    path = folder / MANIFEST
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path} is damaged (it is no regular file); make the artifact again")
        if status.st_size > LARGEST_BYTES:
            raise InputError(
                f"{path} is damaged (expected at most {LARGEST_BYTES:,} bytes, got "
                f"{status.st_size:,}); make the artifact again"
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{folder} is not an artifact: cannot read {MANIFEST} ({error.strerror or error}); "
            "make one with 'edgesim partition FILE -o DIR'"
        ) from error
    manifest, home = parse_manifest(data, str(path)), folder.resolve()
    for name in manifest.files:
        file = folder / name
        if not file.is_file():
            raise InputError(f"{folder} has no {name}; copy or make the artifact again")
        if file.resolve().parent != home:
            raise InputError(
                f"{file} is a link to another folder; copy the file itself, or make the artifact "
                "again"
            )
    return manifest


def read_trained(folder: Path) -> TrainedManifest:
    """Return the manifest of an artifact that ``edgesim partition`` made.

    Raises:
        InputError: see :func:`read_manifest`; or nothing was trained for it.
    """
    manifest = read_manifest(folder)
    if not isinstance(manifest, TrainedManifest):
        raise InputError(
            f"{folder / MANIFEST}: expected a 'recipe', got none: it can be served only; "
            "make one with 'edgesim partition FILE -o DIR'"
        )
    return manifest


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Check the SHA-256 of every file that a manifest names.

    Raises:
        InputError: one is truncated or was changed.
    """
    for name in manifest.files:
        verify_file(folder, manifest, name)


def verify_file(folder: Path, manifest: Manifest, name: str) -> None:
    """Check the SHA-256 of one file that a manifest names.

    Raises:
        InputError: it is missing, truncated or was changed.
    """
    expected = manifest.files[name]
    try:
        found = sha256(folder / name)
    except OSError as error:
        raise InputError(f"cannot read {folder / name}: {error.strerror or error}") from error
    if found != expected:
        raise InputError(
            f"{folder / name} has SHA-256 {found[:12]}…, the manifest says {expected[:12]}…: "
            "it is truncated or was changed; copy or make the artifact again"
        )
