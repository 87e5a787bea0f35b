"""What lies in the folder of a result and of a comparison, and the pages made from such folders."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.files import open_inside, read_document, write_text
from edgesim.common.progress import Progress
from edgesim.graph import file
from edgesim.report.page import both_page, run_page
from edgesim.report.page.both_page import Latencies
from edgesim.report.page.plan_document import plan_document
from edgesim.results import tables_csv
from edgesim.results.folder import (
    COMPARISON,
    FAULTS,
    GRAPH,
    PAGE,
    PLAN,
    SIDES,
    STUDY,
    SUMMARY,
    put,
    read_summary,
)
from edgesim.results.result import Result
from edgesim.results.trace_event import trace_json
from edgesim.scenario.dump import document_of, dump

Files = dict[str, Callable[[], str | Iterable[str]]]
"""What makes the text of each file, by its path in the folder."""


def write(result: Result, directory: Path) -> Path:
    """Write the files of a result; return the folder.

    An older result there is replaced once the new one is whole.

    Raises:
        InputError: something else stands there.
        EdgesimError: it cannot be written; nothing is left behind, and an older result stays.
    """
    return put(files_of(result), directory)


def files_of(result: Result) -> Files:
    """Return what makes the text of each file of a result."""
    recording = result.recordings[0]
    plan = cache(lambda: plan_document(result.scenario, result.plan))
    model = result.scenario.placement.model
    scenario = cache(lambda: dump(document_of(result.scenario, GRAPH)))
    records = [one.faults for one in result.recordings]
    faults = {FAULTS: lambda: tables_csv.faults(records)} if any(records) else {}
    graph = {}
    if model.graph is not None and not model.is_catalog:
        content = model.graph.content()
        graph[GRAPH] = lambda: file.to_text(content)
    return {
        **faults,
        **graph,
        "requests.csv": lambda: tables_csv.requests(result.recordings),
        "tasks.csv": lambda: tables_csv.tasks(recording),
        "trace.json": lambda: trace_json(recording, result.scenario.cluster),
        PLAN: lambda: json.dumps(plan(), allow_nan=False) + "\n",
        "scenario.yaml": scenario,
        PAGE: lambda: run_page.page(
            result.summary,
            tables_csv.columns(result.recordings),
            tables_csv.in_order(recording.spans),
            plan(),
            scenario(),
        ),
        SUMMARY: lambda: json.dumps(result.summary, indent=2, allow_nan=False) + "\n",
    }


def write_comparison(
    document: Mapping[str, Any], results: Sequence[tuple[str, Result, Result]], directory: Path
) -> Path:
    """Write a comparison; return the folder.

    An older result there is replaced once the new one is whole.

    Args:
        document: of `edgesim.serve.both.compare.document`.
        results: folder, predicted and measured of every load.
        directory: where to.

    Raises:
        InputError: something else stands there.
        EdgesimError: it cannot be written; nothing is left behind, and an older result stays.
    """
    files: Files = {}
    latencies: dict[str, Latencies] = {}
    for folder, *sides in results:
        for side, result in zip(SIDES, sides, strict=True):
            for name, make in files_of(result).items():
                files[f"{folder}/{side}/{name}"] = make
        latencies[folder] = Latencies(
            *(tables_csv.answered_s(tables_csv.columns(one.recordings)) for one in sides)
        )
    files[PAGE] = partial(both_page.page, document, latencies)
    files[COMPARISON] = lambda: json.dumps(document, indent=2, allow_nan=False) + "\n"
    return put(files, directory)


def rewrite_report(directory: Path, progress: Progress = lambda label, done, total: None) -> Path:
    """Write ``report.html`` anew from the other files of a folder; return its path.

    The folder is that of a result, of a comparison or of a study.

    Args:
        directory: path of the folder.
        progress: called with what is read, and how many bytes of how many.

    Raises:
        InputError: the folder is none of these, or one of its files is damaged.
        EdgesimError: the page cannot be written.
    """
    pages = {COMPARISON: _page_of_comparison, STUDY: _page_of_study, SUMMARY: _page_of_result}
    name = next((name for name in pages if (directory / name).exists()), None)
    if name is None:
        raise InputError(
            f"{directory} is no result folder; name one that `edgesim run` or `edgesim sweep` wrote"
        )
    try:
        text = pages[name](directory, progress)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        # The document lacks something, or has something else in its place.
        whole = name.removesuffix(".json")
        raise InputError(f"{directory / name}: not a whole {whole} ({error!r})") from None
    path = directory / PAGE
    write_text(path, text)
    return path


def _page_of_result(directory: Path, progress: Progress) -> str:
    summary = read_summary(directory)
    requests = tables_csv.RequestsFile(directory / "requests.csv", None, progress)
    spans = tables_csv.read_spans(directory / "tasks.csv")
    plan = None
    if os.path.lexists(directory / PLAN):  # results of older versions have none
        plan = read_document(directory / PLAN, "plan", "result folder")
    try:
        with open_inside(directory / "scenario.yaml") as file:
            scenario = file.read().decode("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        scenario = ""
    except OSError as error:
        raise InputError(f"cannot read {directory}/scenario.yaml: {error.strerror}") from None
    return run_page.page(summary, requests, spans, plan, scenario)


def _page_of_comparison(directory: Path, progress: Progress) -> str:
    document = read_comparison(directory)
    names = [str(load["folder"]) for load in document["loads"]]
    if any(Path(name).name != name for name in names):
        raise ValueError("a load's folder is no name")
    latencies = {
        name: Latencies(
            *(
                tables_csv.answered_s(
                    tables_csv.RequestsFile(
                        directory / name / side / "requests.csv", directory, progress
                    )
                )
                for side in SIDES
            )
        )
        for name in names
    }
    return both_page.page(document, latencies)


def _page_of_study(directory: Path, progress: Progress) -> str:
    from edgesim.report.page import study_page
    from edgesim.sweep import store

    meta = store.read_meta(directory)
    return study_page.page(store.table(directory, meta), meta.study)


def read_comparison(directory: Path) -> dict[str, Any]:
    """Return the ``comparison.json`` of a folder.

    Raises:
        InputError: it is none, or of another version of the schema.
    """
    return read_document(directory / COMPARISON, "comparison", "comparison")
