"""Reads what an artifact says of itself, every file verified, without torch.

This is enough to simulate an artifact; :mod:`partition.artifact` loads its weights.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from partition.errors import InputError
from partition.files import sha256, to_json

FORMAT = "edgesim-partition"
SCHEMA = 1
MANIFEST = "manifest.json"
LARGEST_BYTES = 4 << 20
"""Of a manifest."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def manifest_hash(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest without its own ``sha256`` key."""
    bare = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(to_json(bare).encode()).hexdigest()


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
        manifest = json.loads(_read(path))
    except OSError as error:
        raise InputError(
            f"{folder} is not an artifact: cannot read {MANIFEST} ({error.strerror or error}); "
            "make one with 'edgesim partition FILE -o DIR'"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({error}); make the artifact again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{path} is not the manifest of a partition artifact")
    if manifest.get("schema") != SCHEMA:
        raise InputError(f"{path} has schema {manifest.get('schema')}; this version reads {SCHEMA}")
    try:
        right = manifest.get("sha256") == manifest_hash(manifest)
    except (ValueError, RecursionError):
        # No number that JSON has.
        right = False
    if not right:
        raise InputError(f"{path} was changed after it was written; make the artifact again")
    _check_files(folder, manifest.get("files"))
    result: dict[str, Any] = manifest
    return result


def _read(path: Path) -> bytes:
    """Return what a manifest holds, which is no device, no pipe, and not large.

    Raises:
        OSError: it cannot be read.
        ValueError: it is something else.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")
    if status.st_size > LARGEST_BYTES:
        raise ValueError(f"expected at most {LARGEST_BYTES:,} bytes, got {status.st_size:,}")
    return path.read_bytes()


def _check_files(folder: Path, files: object) -> None:
    """Check that a manifest names files of its own folder, and that they are there.

    Raises:
        InputError: one is elsewhere, by its name or by a symbolic link, or missing.
    """
    path = folder / MANIFEST
    if not isinstance(files, dict) or not files:
        raise InputError(f"{path} names no files; make the artifact again")
    home = folder.resolve()
    for name, digest in files.items():
        if _NAME.fullmatch(name) is None or not isinstance(digest, str):
            raise InputError(
                f"{path}: expected names of files in its own folder and their SHA-256, got "
                f"{name[:60]!r}"
            )
        file = folder / name
        if not file.is_file():
            raise InputError(f"{folder} lacks {name}; copy or make the artifact again")
        if file.resolve().parent != home:
            raise InputError(
                f"{file} is a link to another folder; copy the file itself, or make the artifact "
                "again"
            )


def verify_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Check the SHA-256 of every file that a manifest names.

    Raises:
        InputError: one is truncated or was changed.
    """
    for name, expected in manifest["files"].items():
        found = sha256(folder / name)
        if found != expected:
            raise InputError(
                f"{folder / name} has SHA-256 {found[:12]}…, the manifest says {expected[:12]}…: "
                "it is truncated or was changed; copy or make the artifact again"
            )
