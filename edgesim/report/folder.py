"""The result folder: written whole under a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.files import from_json, read_document, write_text
from edgesim.common.folders import whole_folder
from edgesim.report.html import page
from edgesim.report.page.plan_document import SCHEMA, plan_document
from edgesim.results import tables_csv
from edgesim.results.faults import events_csv
from edgesim.results.result import Result
from edgesim.results.trace_event import trace_json
from edgesim.scenario.dump import dump

SUMMARY = "summary.json"
COMPARISON = "comparison.json"
"""Of a folder that holds predicted and measured results, at several loads."""
STUDY = "study.json"
"""Of a folder that holds the points of a study."""
SIDES = ("predicted", "measured")
"""Names of the result folders of one load."""
FAULTS = "faults.csv"
"""What failed and when; of a run in which something could."""
PLAN = "plan.json"
"""The plan and the figures of its devices, which the page shows."""
FILES = (
    SUMMARY, "requests.csv", "tasks.csv", "trace.json", PLAN, "scenario.yaml", "report.html",
)  # fmt: skip


def prepare(directory: Path) -> None:
    """Check, before a run, that its result can be written to ``directory``; make nothing yet.

    Raises:
        InputError: something else stands there.
        EdgesimError: its parent cannot be made or written to.
    """
    _check_free(directory)
    with _told(directory):
        parent = directory.parent
        while not parent.exists() and parent != parent.parent:
            parent = parent.parent
        if not parent.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{parent} is no folder")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _check_free(directory: Path) -> None:
    with _told(directory):
        if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
            raise InputError(f"{directory} is no folder; name another with --out")
        if directory.is_mount() or Path.cwd().is_relative_to(directory.absolute().resolve()):
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
    if not present or (SUMMARY in present and present <= {*FILES, FAULTS}):
        return True
    loads = present - {COMPARISON, "report.html"}
    return COMPARISON in present and all(_of_a_load(directory / name) for name in loads)


def _of_a_load(directory: Path) -> bool:
    return directory.is_dir() and all(
        side.name in SIDES and side.is_dir() and _ours(side) for side in directory.iterdir()
    )


def write(result: Result, directory: Path) -> Path:
    """Write the files of a result; return the folder.

    An older result there is replaced once the new one is whole.

    Raises:
        InputError: something else stands there.
        EdgesimError: it cannot be written; nothing is left behind, and an older result stays.
    """
    return put(files_of(result), directory)


def put(files: Mapping[str, Callable[[], str]], directory: Path) -> Path:
    """Write the files of a folder; return it. An older result there is replaced at the end.

    Args:
        files: what makes the text of each, by its path in the folder.
        directory: where to.

    Raises:
        InputError: something else stands there.
        EdgesimError: it cannot be written; nothing is left behind, and an older result stays.
    """
    _check_free(directory)
    with _told(directory), whole_folder(directory, check=_check_free) as building:
        for name, make in files.items():
            path = building / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(make(), encoding="utf-8", newline="\n")
    return directory


def files_of(result: Result) -> dict[str, Callable[[], str]]:
    """Return what makes the text of each file of a result."""
    recording = result.recordings[0]
    plan = cache(lambda: plan_document(result.scenario, result.plan))
    scenario = cache(lambda: dump(result.scenario.document))
    records = [one.faults for one in result.recordings]
    faults = {FAULTS: lambda: events_csv(records)} if any(records) else {}
    return {
        **faults,
        "requests.csv": lambda: tables_csv.requests(result.recordings),
        "tasks.csv": lambda: tables_csv.tasks(recording),
        "trace.json": lambda: trace_json(recording, result.scenario.cluster),
        PLAN: lambda: json.dumps(plan(), allow_nan=False) + "\n",
        "scenario.yaml": scenario,
        "report.html": lambda: page(
            result.summary,
            tables_csv.columns(result.recordings),
            tables_csv.in_order(recording.spans),
            plan(),
            scenario(),
        ),
        SUMMARY: lambda: json.dumps(result.summary, indent=2, allow_nan=False) + "\n",
    }


@contextlib.contextmanager
def _told(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EdgesimError(
            f"cannot write the result to {directory}: {error.strerror or error}"
        ) from None


def read_summary(directory: Path) -> dict[str, Any]:
    """Return the summary of a result folder.

    Raises:
        InputError: it is none, or of another version of the schema.
    """
    return read_document(directory / SUMMARY, "summary", "result folder")


def rewrite_report(directory: Path) -> Path:
    """Write ``report.html`` anew from the other files of a result folder; return its path.

    Raises:
        InputError: the folder is no result, or one of its files is damaged.
        EdgesimError: the page cannot be written.
    """
    if (directory / COMPARISON).exists():
        from edgesim.report import both_folder

        return both_folder.rewrite_report(directory)
    if (directory / STUDY).exists():
        return rewrite_study(directory)
    summary = read_summary(directory)
    requests = tables_csv.read_columns(directory / "requests.csv")
    spans = tables_csv.read_spans(directory / "tasks.csv")
    plan = _read_plan(directory / PLAN)
    path = directory / "report.html"
    try:
        scenario = (directory / "scenario.yaml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        scenario = ""
    try:
        text = page(summary, requests, spans, plan, scenario)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{directory / SUMMARY}: not a whole summary ({error!r})") from None
    write_text(path, text)
    return path


def rewrite_study(directory: Path) -> Path:
    """Write ``report.html`` of a study's folder; return its path.

    Raises:
        InputError: the folder is no study, or it is damaged.
        EdgesimError: the page cannot be written.
    """
    from edgesim.report.page import study_page
    from edgesim.sweep import store

    meta = store.read_meta(directory)
    path = directory / "report.html"
    write_text(path, study_page.page(store.table(directory, meta), meta.study))
    return path


def _read_plan(path: Path) -> dict[str, Any] | None:
    """Return a ``plan.json``; None where there is none, as in results of older versions."""
    if not path.exists():
        return None
    try:
        plan = from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is no JSON") from None
    if not isinstance(plan, dict) or plan.get("schema") != SCHEMA:
        raise InputError(f"{path}: expected a plan of schema {SCHEMA}")
    return plan
