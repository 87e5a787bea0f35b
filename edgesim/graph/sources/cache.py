"""Traces that were made before, by the content of what they depend on.

A file for each, JSON only, in the user's cache folder: ``$EDGESIM_CACHE``, else
``$XDG_CACHE_HOME/edgesim``, else ``~/.cache/edgesim``. ``EDGESIM_CACHE=off`` skips it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from edgesim.common.errors import EdgesimError
from edgesim.common.files import read_json, write_text

VARIABLE = "EDGESIM_CACHE"
OFF = "off"
SCHEMA = 1
MOST_FILES = 500
"""Traces that are kept; the oldest go first."""
_LARGEST_HASHED_BYTES = 64_000_000
LIMIT_S = 600.0
"""Longest that a trace may take, in seconds, unless a limit is given."""


@dataclass(frozen=True, slots=True)
class Use:
    """How models are traced.

    Attributes:
        folder: cache of traces; None for none.
        limit_s: longest that a trace may take, in seconds.
    """

    folder: Path | None
    limit_s: float = LIMIT_S

    @classmethod
    def of_environment(cls, named: str | None = None, limit_s: float | None = None) -> Self:
        """Return the use that an option names, else the environment."""
        return cls(folder_of(named), LIMIT_S if limit_s is None else limit_s)


def folder_of(named: str | None = None) -> Path | None:
    """Return the folder of the cache; None where it is off.

    Args:
        named: a folder, or ``off``; that of the environment unless given.
    """
    named = os.environ.get(VARIABLE) if named is None else named
    if named is not None:
        return None if named in ("", OFF) else Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(base).expanduser() / "edgesim"
    except RuntimeError:
        # The user has no home.
        return None


def get(folder: Path | None, key: str) -> Mapping[str, Any] | None:
    """Return what was put under a key; None where nothing was, or it cannot be read."""
    if folder is None:
        return None
    path = _path(folder, key)
    try:
        found = read_json(path, "cache") if path.exists() else None
    except (EdgesimError, OSError):
        return None
    whole = (
        isinstance(found, dict)
        and found.get("schema") == SCHEMA
        and isinstance(found.get("graph"), str)
        and isinstance(found.get("files"), dict)
        and isinstance(found.get("versions"), dict)
    )
    return found if whole else None


def put(folder: Path | None, key: str, answer: Mapping[str, Any]) -> None:
    """Keep an answer of a process that traced; where that fails, it is traced again next time."""
    if folder is None:
        return
    path = _path(folder, key)
    with contextlib.suppress(OSError, EdgesimError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_text(path, json.dumps({"schema": SCHEMA, **answer}))
        _drop_oldest(path.parent)


def _path(folder: Path, key: str) -> Path:
    return folder / "traces" / f"{key}.json"


def _drop_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda one: one.stat().st_mtime)
    for path in files[:-MOST_FILES]:
        path.unlink(missing_ok=True)


def is_current(answer: Mapping[str, Any]) -> bool:
    """Return whether the files that the code read, and the packages, are those of the trace."""
    return all(digest(path) == known for path, known in answer["files"].items()) and all(
        version(name) == known for name, known in answer["versions"].items()
    )


def digest(path: str) -> str | None:
    """Return the SHA-256 of a file, of a large one its size and time; None where there is none."""
    try:
        status = os.stat(path)
        if status.st_size > _LARGEST_HASHED_BYTES:
            return f"{status.st_size} bytes at {status.st_mtime_ns}"
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


@lru_cache(maxsize=1000)
def version(name: str) -> str | None:
    """Return the version of an installed package; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
