"""The artifact folder: what a split model is on disk, whole and verified, or not at all.

``manifest.json`` says everything that can be said without reading weights; one safetensors file a
part and one for the fusion hold those. The manifest carries the SHA-256 of every file and its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from partition.config import ViTConfig
from partition.data import to_input
from partition.errors import InputError, PartitionError
from partition.fusion import Fusion
from partition.model import VisionTransformer
from partition.store import load_tensors, save_tensors, sha256, to_json, write_atomic
from partition.weights import load_vit, save_vit

FORMAT = "edgesim-partition"
SCHEMA = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A loaded artifact.

    Attributes:
        folder: where it lies.
        manifest: see :func:`read_manifest`.
        parts: the sub-models, in evaluation mode.
        fusion: over their features.
    """

    folder: Path
    manifest: Mapping[str, Any]
    parts: tuple[VisionTransformer, ...]
    fusion: Fusion

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names by label."""
        return tuple(self.manifest["data"]["classes"])

    def to_input(self, images: Tensor) -> Tensor:
        """Return float inputs of uint8 images (batch, channels, height, width)."""
        data = self.manifest["data"]
        return to_input(images, data["image"], tuple(data["mean"]), tuple(data["std"]))

    @torch.no_grad()
    def answer(self, inputs: Tensor, present: tuple[int, ...] | None = None) -> Tensor:
        """Return logits (batch, classes) from the parts that are ``present`` (all by default)."""
        chosen = range(len(self.parts)) if present is None else present
        return self.fusion.combine({part: self.parts[part].features(inputs) for part in chosen})


def manifest_hash(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest without its own ``sha256`` key."""
    bare = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(to_json(bare).encode()).hexdigest()


def write_artifact(
    folder: Path,
    manifest: Mapping[str, Any],
    parts: tuple[VisionTransformer, ...],
    fusion: Fusion,
) -> None:
    """Write a whole artifact, or nothing; one that is already there is replaced.

    ``manifest`` comes with ``parts[i].file`` and ``fusion.file``; ``files`` and ``sha256`` are
    filled in here.

    Raises:
        InputError: ``folder`` is there and is not an artifact.
        PartitionError: the disk is full or the folder cannot be written.
    """
    check_replaceable(folder)
    building = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        for model, entry in zip(parts, manifest["parts"], strict=True):
            save_vit(building / entry["file"], model)
        state = {"part_widths": list(fusion.part_widths), "widths": list(fusion.widths)}
        save_tensors(building / manifest["fusion"]["file"], fusion.state_dict(), state)
        files = {entry.name: sha256(entry) for entry in sorted(building.iterdir())}
        whole = {**manifest, "format": FORMAT, "schema": SCHEMA, "files": files}
        write_atomic(
            building / MANIFEST, to_json({**whole, "sha256": manifest_hash(whole)}).encode()
        )
        _replace(building, folder)
    except OSError as error:
        raise PartitionError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def check_replaceable(folder: Path) -> None:
    """Refuse a folder whose contents are not ours to replace.

    Raises:
        InputError: ``folder`` is a file, or a folder with something in it that is no artifact.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder for the artifact")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} has files but no {MANIFEST}: choose another folder")


def _replace(building: Path, folder: Path) -> None:
    """Give the finished folder its name; the old one steps aside first and goes last."""
    if folder.exists():
        aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.old")
        os.replace(folder, aside)
        os.replace(building, folder)
        shutil.rmtree(aside)
    else:
        os.replace(building, folder)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of an artifact, its hash and the presence of its files checked.

    This reads no weights and is enough to simulate the artifact. Its keys:

    - ``name``, ``seed``, ``recipe`` (see :class:`~partition.recipe.Recipe`), ``versions``;
    - ``data``: ``name``, ``classes`` (names by label), ``images`` (how many, by split), and what
      makes inputs of images: ``image`` (side), ``channels``, ``mean``, ``std``;
    - ``unsplit``: ``config`` (see :class:`~partition.config.ViTConfig`), ``parameters``, ``bytes``
      and ``macs``, ``accuracy``, ``worst_class``, ``worst_class_accuracy``, ``class_accuracies``;
    - ``parts``, a list: ``file``, ``classes`` (labels by output), ``class_names``, ``other``,
      ``heads_kept``, ``device`` or null, ``accuracy`` at its own task, ``training``, and shape and
      cost as above with ``feature_bytes``, what it sends to the fusion for one image;
    - ``fusion``: ``file``, ``widths`` of its layers, ``part_widths``, cost and accuracies as above;
    - ``survivors``: ``accuracy`` of the fusion by which parts are there (``"1011"`` lacks part 1),
      and whether every subset is ``exhaustive``-ly listed;
    - ``fit``: the exact and the greedy assignment and their ``gap``, or null without devices;
    - ``files``: SHA-256 by file name, and ``sha256`` of the manifest without that key.

    Accuracies are on the test images, 0 to 1; bytes are of fp32 weights; one multiply-accumulate
    is one of ``macs``.

    Raises:
        InputError: it is missing, damaged, changed, or of another version.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
    except OSError as error:
        raise InputError(
            f"{folder} is not an artifact: cannot read {MANIFEST} ({error.strerror or error}); "
            "make one with 'edgesim partition FILE -o DIR'"
        ) from error
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); make the artifact again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{path} is not the manifest of a partition artifact")
    if manifest.get("schema") != SCHEMA:
        raise InputError(f"{path} has schema {manifest.get('schema')}; this version reads {SCHEMA}")
    if manifest.get("sha256") != manifest_hash(manifest):
        raise InputError(f"{path} was changed after it was written; make the artifact again")
    for name in manifest["files"]:
        if not (folder / name).is_file():
            raise InputError(f"{folder} lacks {name}; copy or make the artifact again")
    result: dict[str, Any] = manifest
    return result


def load_artifact(folder: Path) -> Artifact:
    """Return an artifact with its weights, every hash and shape verified.

    Raises:
        InputError: a file is missing, truncated or changed, or shapes contradict the manifest.
    """
    manifest = read_manifest(folder)
    for name, expected in manifest["files"].items():
        found = sha256(folder / name)
        if found != expected:
            raise InputError(
                f"{folder / name} has SHA-256 {found[:12]}…, the manifest says {expected[:12]}…: "
                "it is truncated or was changed; copy or make the artifact again"
            )
    parts = tuple(load_part(folder, manifest, number) for number in range(len(manifest["parts"])))
    entry = manifest["fusion"]
    weights, state = load_tensors(folder / entry["file"])
    widths = [part.config.prefix_tokens * part.config.width for part in parts]
    if state.get("part_widths") != widths or state.get("widths") != entry["widths"]:
        raise InputError(f"{folder / entry['file']} does not fit the parts' features {widths}")
    fusion = Fusion(widths, entry["widths"][1:-1], entry["widths"][-1])
    try:
        fusion.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{folder / entry['file']} does not hold the fusion: {error}") from error
    return Artifact(folder, manifest, parts, fusion.eval())


def load_part(folder: Path, manifest: Mapping[str, Any], number: int) -> VisionTransformer:
    """Return one sub-model, its hash and shape verified; a node needs no other.

    Raises:
        InputError: the file is truncated or changed, or is of another shape than the manifest says.
    """
    entry = manifest["parts"][number]
    path = folder / entry["file"]
    if not path.is_file() or sha256(path) != manifest["files"][entry["file"]]:
        raise InputError(f"{path} is missing, truncated or changed; copy it again")
    return load_vit(path, ViTConfig.from_dict(entry["config"]))
