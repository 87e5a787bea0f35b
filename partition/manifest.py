"""The one reader of an artifact's ``manifest.json``, and of the hashes in it; no torch is needed.

:mod:`partition.schema` says what a manifest holds; :mod:`partition.artifact` loads the weights.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from partition.errors import InputError, explain
from partition.files import sha256, to_json
from partition.schema import FORMAT, SCHEMA, Manifest, TrainedManifest

MANIFEST = "manifest.json"
LARGEST_BYTES = 4 << 20
"""Of a manifest."""


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
    if folder.is_file():
        raise InputError(
            f"{folder} is a file; expected the folder of an artifact, which 'edgesim partition "
            "FILE -o DIR' makes of a recipe or a scenario"
        )
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
