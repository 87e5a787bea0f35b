"""The result folder: written whole under a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError, write_error
from edgesim.common.files import read_document
from edgesim.common.folders import try_beside, whole_folder

SUMMARY = "summary.json"
COMPARISON = "comparison.json"
"""Of a folder that holds predicted and measured results, at several loads."""
STUDY = "study.json"
"""Of a folder that holds the points of a study."""
SIDES = ("predicted", "measured")
"""Names of the result folders of one load."""
FAULTS = "faults.csv"
"""Failures and their times; of a run with faults."""
PLAN = "plan.json"
"""The plan and the figures of its devices, which the page shows."""
GRAPH = "model.graph.json"
"""The operators of a model that is not of the catalog; ``scenario.yaml`` names it."""
PAGE = "report.html"
FILES = (SUMMARY, "requests.csv", "tasks.csv", "trace.json", PLAN, "scenario.yaml", PAGE)


def prepare(directory: Path) -> None:
    """Check, before a run, that its result can be written to ``directory``; leave nothing there.

    Raises:
        InputError: something else stands there.
        EdgesimError: its parent cannot be made or written to.
    """
    _check_free(directory)
    with _write_errors(directory):
        try_beside(directory)


def _check_free(directory: Path) -> None:
    with _write_errors(directory):
        if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
            raise InputError(f"{directory} is no folder; name another with --out")
        if directory.is_mount() or Path.cwd().is_relative_to(os.path.realpath(directory)):
            raise InputError(f"{directory} cannot be replaced; name a folder in it with --out")
        if directory.is_dir() and not _ours(directory):
            raise InputError(
                f"{directory} holds files that are no result; name another folder with --out"
            )


def _ours(directory: Path) -> bool:
    try:
        present = {entry.name for entry in directory.iterdir()}
    except FileNotFoundError:
        # Another run is just replacing it.
        return True
    if not present or (SUMMARY in present and present <= {*FILES, FAULTS, GRAPH}):
        return True
    loads = present - {COMPARISON, PAGE}
    return COMPARISON in present and all(_of_a_load(directory / name) for name in loads)


def _of_a_load(directory: Path) -> bool:
    return directory.is_dir() and all(
        side.name in SIDES and side.is_dir() and _ours(side) for side in directory.iterdir()
    )


def put(files: Mapping[str, Callable[[], str | Iterable[str]]], directory: Path) -> Path:
    """Write the files of a folder; return it. An older result there is replaced at the end.

    Args:
        files: functions that make the text of each file, whole or in pieces, by its path in the
            folder.
        directory: result folder.

    Raises:
        InputError: something else stands there.
        EdgesimError: it cannot be written; nothing is left behind, and an older result stays.
    """
    _check_free(directory)
    with _write_errors(directory), whole_folder(directory, check=_check_free) as building:
        for name, make in files.items():
            path = building / name
            path.parent.mkdir(parents=True, exist_ok=True)
            made = make()
            with path.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines((made,) if isinstance(made, str) else made)
    return directory


@contextlib.contextmanager
def _write_errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(f"cannot write the result to {directory}", error) from None


def read_summary(directory: Path) -> dict[str, Any]:
    """Return the summary of a result folder.

    Raises:
        InputError: it is none, or of another version of the schema.
    """
    return read_document(directory / SUMMARY, "summary", "result folder")
