"""The artifact folder: what a split model is on disk, whole and verified, or not at all.

``manifest.json`` says everything that can be said without reading weights; one safetensors file a
part, one for the fusion and one for the unsplit model hold those. The manifest carries the SHA-256
of every file and its own.
"""

from __future__ import annotations

import glob
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from partition.data import to_input
from partition.entries import cost_entry, fusion_cost_entry
from partition.errors import InputError, PartitionError
from partition.files import sha256, to_json, write_atomic
from partition.fusion import Fusion
from partition.manifest import (
    MANIFEST,
    manifest_hash,
    parse_manifest,
    read_trained,
    verify_file,
    verify_files,
)
from partition.model import VisionTransformer
from partition.schema import (
    FORMAT,
    SCHEMA,
    FusionEntry,
    Manifest,
    ModelEntry,
    TrainedManifest,
)
from partition.store import load_tensors, save_tensors
from partition.weights import load_vit, save_vit


@dataclass(frozen=True, slots=True)
class Artifact:
    """A loaded artifact.

    Attributes:
        folder: folder of the artifact.
        manifest: manifest of the artifact.
        parts: the sub-models, in evaluation mode.
        fusion: fusion of their features.
        unsplit: the model that the parts were cut from; None where the artifact does not hold it.
    """

    folder: Path
    manifest: TrainedManifest
    parts: tuple[VisionTransformer, ...]
    fusion: Fusion
    unsplit: VisionTransformer | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names by label."""
        return self.manifest.data.classes

    def to_input(self, images: Tensor) -> Tensor:
        """Return float inputs of uint8 images (batch, channels, height, width)."""
        data = self.manifest.data
        return to_input(images, data.image, data.mean, data.std)

    @torch.no_grad()
    def answer(self, inputs: Tensor, present: tuple[int, ...] | None = None) -> Tensor:
        """Return logits (batch, classes) from the parts that are ``present`` (all by default)."""
        chosen = range(len(self.parts)) if present is None else present
        return self.fusion.combine({part: self.parts[part].features(inputs) for part in chosen})


def write_artifact(
    folder: Path,
    manifest: Mapping[str, Any],
    parts: tuple[VisionTransformer, ...],
    fusion: Fusion,
    unsplit: VisionTransformer | None = None,
) -> None:
    """Write a whole artifact, or nothing; one that is already there is replaced.

    ``manifest`` comes with ``parts[i].file`` and ``fusion.file``, and with ``unsplit.file``, which
    is left out where ``unsplit`` is; ``files`` and ``sha256`` are filled in here.

    Raises:
        InputError: ``folder`` is there and is not an artifact.
        PartitionError: the disk is full or the folder cannot be written.
    """
    restore(folder)
    check_replaceable(folder)
    building = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        for model, entry in zip(parts, manifest["parts"], strict=True):
            save_vit(building / entry["file"], model)
        if unsplit is not None:
            save_vit(building / manifest["unsplit"]["file"], unsplit)
        state = {"part_widths": list(fusion.part_widths), "widths": list(fusion.widths)}
        save_tensors(building / manifest["fusion"]["file"], fusion.state_dict(), state)
        files = {entry.name: sha256(entry) for entry in sorted(building.iterdir())}
        whole = {**manifest, "format": FORMAT, "schema": SCHEMA, "files": files}
        if unsplit is None and "unsplit" in whole:
            whole["unsplit"] = {**whole["unsplit"], "file": None}
        text = to_json({**whole, "sha256": manifest_hash(whole)}).encode()
        parse_manifest(text, f"the manifest for {folder}")
        write_atomic(building / MANIFEST, text)
        _replace(building, folder)
    except OSError as error:
        raise PartitionError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def write_untrained(
    folder: Path, name: str, parts: tuple[VisionTransformer, ...], classes: int
) -> None:
    """Write an artifact of models as they are, under a fusion of zeros: enough to be served.

    Args:
        folder: folder to write; an artifact in it is replaced.
        name: name of the artifact.
        parts: the sub-models.
        classes: classes of the fusion.

    Raises:
        InputError: ``folder`` is there and is not an artifact.
        PartitionError: the disk is full or the folder cannot be written.
    """
    widths = [part.config.feature_tokens * part.config.width for part in parts]
    fusion = Fusion(widths, (), classes)
    entries = [
        {"file": f"part-{number}.safetensors", **cost_entry(part.config)}
        for number, part in enumerate(parts)
    ]
    manifest = {"name": name, "parts": entries, "fusion": fusion_cost_entry(fusion)}
    write_artifact(folder, manifest, parts, fusion)


def check_replaceable(folder: Path) -> None:
    """Refuse a folder whose contents are not ours to replace.

    Raises:
        InputError: ``folder`` is a link, a file, or a folder with something in it that is no
            artifact.
    """
    if folder.is_symlink():
        raise InputError(f"{folder} is a symbolic link; name the folder itself")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder for the artifact")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} has files but no {MANIFEST}: choose another folder")


def restore(folder: Path) -> None:
    """Give an artifact its name back that a kill left between two renames of its replacement."""
    if not folder.exists():
        for aside in sorted(folder.parent.glob(f".{glob.escape(folder.name)}.*.old")):
            if (aside / MANIFEST).is_file():
                os.replace(aside, folder)
                return


def _replace(building: Path, folder: Path) -> None:
    """Give the finished folder its name; the old one is renamed first and removed last."""
    if folder.exists():
        aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.old")
        os.replace(folder, aside)
        os.replace(building, folder)
        shutil.rmtree(aside)
    else:
        os.replace(building, folder)


def load_artifact(folder: Path) -> Artifact:
    """Return an artifact with its weights, every hash and shape verified.

    Raises:
        InputError: a file is missing, truncated or changed, or shapes contradict the manifest.
    """
    manifest = read_trained(folder)
    verify_files(folder, manifest)
    parts = tuple(load_model(folder / entry.file, entry) for entry in manifest.parts)
    fusion = load_fusion(folder / manifest.fusion.file, manifest.fusion)
    entry, unsplit = manifest.unsplit, None
    if entry.file is not None:
        unsplit = load_model(folder / entry.file, entry)
    return Artifact(folder, manifest, parts, fusion, unsplit)


def load_fusion(path: Path, entry: FusionEntry) -> Fusion:
    """Return the fusion of a manifest from its file, whose hash was verified.

    Raises:
        InputError: the file holds another one.
    """
    _check_size(path, entry.bytes)
    weights, state = load_tensors(path)
    if state != {"part_widths": list(entry.part_widths), "widths": list(entry.widths)}:
        raise InputError(f"{path} is not of the parts and layers that the manifest names")
    fusion = Fusion(entry.part_widths, entry.widths[1:-1], entry.widths[-1])
    try:
        fusion.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{path} does not hold the fusion: {error}") from error
    return fusion.eval()


def load_part(folder: Path, manifest: Manifest, number: int) -> VisionTransformer:
    """Return one sub-model, its hash and shape verified; a node needs no other.

    Raises:
        InputError: the file is truncated or changed, or is of another shape than the manifest says.
    """
    entry = manifest.parts[number]
    verify_file(folder, manifest, entry.file)
    return load_model(folder / entry.file, entry)


def load_model(path: Path, entry: ModelEntry) -> VisionTransformer:
    """Return a model of a manifest from its file, whose hash was verified.

    Raises:
        InputError: the file holds another one.
    """
    _check_size(path, entry.bytes)
    return load_vit(path, entry.config)


def _check_size(path: Path, weight_bytes: int) -> None:
    """Refuse a file that cannot hold its weights, before memory is taken for them."""
    if (found := path.stat().st_size) < weight_bytes:
        raise InputError(
            f"{path} has {found:,} bytes, and the manifest says {weight_bytes:,} of weights; make "
            "the artifact again"
        )
