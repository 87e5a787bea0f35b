"""The folder of a comparison: both results of every load, their comparison, and its page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.files import read_document, write_text
from edgesim.report.both_page import Latencies, page
from edgesim.report.folder import COMPARISON, SIDES, files_of, put
from edgesim.results import tables_csv
from edgesim.results.result import Result

_PAGE = "report.html"


def write(
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
    files: dict[str, Callable[[], str]] = {}
    latencies: dict[str, Latencies] = {}
    for folder, *sides in results:
        for side, result in zip(SIDES, sides, strict=True):
            for name, make in files_of(result).items():
                files[f"{folder}/{side}/{name}"] = make
        latencies[folder] = Latencies(
            *(tables_csv.latency_column(result.recordings) for result in sides)
        )
    files[_PAGE] = partial(page, document, latencies)
    files[COMPARISON] = lambda: json.dumps(document, indent=2, allow_nan=False) + "\n"
    return put(files, directory)


def read(directory: Path) -> dict[str, Any]:
    """Return the ``comparison.json`` of a folder.

    Raises:
        InputError: it is none, or of another version of the schema.
    """
    return read_document(directory / COMPARISON, "comparison", "comparison")


def rewrite_report(directory: Path) -> Path:
    """Write ``report.html`` anew from the other files of a comparison; return its path.

    Raises:
        InputError: the folder is no comparison, or one of its files is damaged.
        EdgesimError: the page cannot be written.
    """
    document = read(directory)
    path = directory / _PAGE
    try:
        names = [str(load["folder"]) for load in document["loads"]]
        if any(Path(name).name != name for name in names):
            raise ValueError("a load's folder is no name")
        latencies = {
            name: Latencies(
                *(tables_csv.read_latency(directory / name / side / "requests.csv")
                  for side in SIDES)
            )
            for name in names
        }  # fmt: skip
        text = page(document, latencies)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        told = f"{directory / COMPARISON}: not a whole comparison ({error!r})"
        raise InputError(told) from None
    write_text(path, text)
    return path
