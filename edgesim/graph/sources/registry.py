"""Where models come from: a source for each key of `SourceKeys` that names one."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.extras import require
from edgesim.common.files import check_file
from edgesim.graph.sources.archive import model_text
from edgesim.graph.sources.cache import digest
from edgesim.graph.sources.keys import SourceKeys
from edgesim.version import __version__

Job = dict[str, Any]
"""What a process that traces is asked for; plain data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """One place that models come from.

    Attributes:
        noun: what it is, in messages.
        spec: how it is named on the command line.
        takes: keys that go with it.
        needs: modules that it needs.
        extra: extra of the package that brings them.
        job: what a process of its own is asked for; None where this one reads it.
        identity: what a trace of it depends on beside the job and versions, as text.
    """

    noun: str
    spec: str
    takes: tuple[str, ...]
    needs: tuple[str, ...] = ()
    extra: str = "zoo"
    job: Callable[[SourceKeys, Path], Job] | None = None
    identity: Callable[[Job], str] = lambda job: ""


def _timm(keys: SourceKeys, folder: Path) -> Job:
    return {"name": keys.timm, "classes": keys.classes}


def _torch(keys: SourceKeys, folder: Path) -> Job:
    assert keys.torch is not None
    place, _, name = keys.torch.rpartition(":")
    if place.endswith(".py") or "/" in place:
        place = _existing(folder / place, "a Python file")
    if keys.input is None:
        raise InputError(
            "a torch module needs 'input' (--input): the shape of one sample without the batch, "
            "such as [3, 224, 224]"
        )
    return {"place": place, "callable": name, "folder": os.path.realpath(folder)}


def _exported(keys: SourceKeys, folder: Path) -> Job:
    assert keys.exported is not None
    return {"file": _existing(folder / keys.exported, "an exported program")}


def _onnx(keys: SourceKeys, folder: Path) -> Job:
    assert keys.onnx is not None
    return {"file": _existing(folder / keys.onnx, "an ONNX file")}


def _existing(file: Path, expected: str) -> str:
    """Return the real path of a file, as the process that traces gets it."""
    check_file(file, expected)
    return os.path.realpath(file)


def _content(job: Job) -> str:
    return digest(job["file"]) or ""


def _program(job: Job) -> str:
    return model_text(Path(job["file"]))


SOURCES: Mapping[str, SourceKind] = {
    "name": SourceKind(
        noun="a model of the catalog",
        spec="NAME",
        takes=("classes", "image_size", "channels", "patch_size", "width", "depth", "heads",
               "head_width", "mlp_width"),
    ),
    "timm": SourceKind(
        noun="a model of timm",
        spec="timm:NAME",
        takes=("arguments", "input", "classes", "reparameterize"),
        needs=("timm", "torch"),
        job=_timm,
    ),
    "torch": SourceKind(
        noun="a torch module",
        spec="torch:FILE.py:CALLABLE",
        takes=("arguments", "input", "reparameterize"),
        needs=("torch",),
        job=_torch,
    ),
    "exported": SourceKind(
        noun="an exported program",
        spec="exported:FILE.pt2",
        takes=("input",),
        needs=("torch",),
        job=_exported,
        identity=_program,
    ),
    "onnx": SourceKind(
        noun="an ONNX model",
        spec="onnx:FILE.onnx",
        takes=("input",),
        needs=("onnx",),
        extra="onnx",
        job=_onnx,
        identity=_content,
    ),
    "graph": SourceKind(noun="a graph file", spec="graph:FILE.graph.json", takes=()),
}  # fmt: skip
"""The sources, by key."""


def job_of(kind: str, keys: SourceKeys, folder: Path) -> Job:
    """Return what a process is asked for to trace a model.

    Raises:
        InputError: a file is missing, or what the source needs is not installed.
    """
    source = SOURCES[kind]
    assert source.job is not None
    job = {"kind": kind, **source.job(keys, folder), "arguments": keys.arguments or {}}
    job["input"] = keys.input
    job["reparameterize"] = "auto" if keys.reparameterize is None else keys.reparameterize
    require(f"`{source.spec}`", source.extra, only=source.needs)
    return job


def key_of(job: Job) -> str:
    """Return the SHA-256 of all that a trace depends on, but the files that the code itself reads.

    Raises:
        InputError: a file cannot be read.
    """
    source = SOURCES[job["kind"]]
    versions = {name: metadata.version(name) for name in source.needs}
    versions |= {"edgesim": __version__, "rules": _rules(), "python": platform.python_version()}
    text = json.dumps([job, versions, source.identity(job)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _rules() -> str:
    """Return the SHA-256 of the code that traces."""
    folder = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
