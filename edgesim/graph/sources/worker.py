"""The process that traces one model: it runs the user's code, and answers with a graph.

The job comes as a line of JSON on stdin, the answer goes as a line of JSON to where stdout was:
``{"graph", "notes", "files", "versions"}`` or ``{"error"}``.
"""

from __future__ import annotations

import importlib
import json
import os
from threading import Thread
from typing import IO, Any, NoReturn

from edgesim.common.errors import InputError
from edgesim.graph import file
from edgesim.graph.graph import Graph
from edgesim.graph.sources import inputs
from edgesim.graph.sources.cache import version
from edgesim.graph.sources.watch import NetworkError, Watch


def main() -> NoReturn:
    """Answer the one job, and end; also when the process that asks ends."""
    asked = os.fdopen(os.dup(0), "rb")
    answered = os.fdopen(os.dup(1), "wb")
    # What the user's code prints and reads is not what is said and asked here.
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    job = json.loads(asked.readline())
    Thread(target=_end_with, args=(asked,), daemon=True).start()
    answer = _answer(job)
    answered.write(json.dumps(answer).encode() + b"\n")
    answered.flush()
    os._exit(0)


def _end_with(asked: IO[bytes]) -> None:
    asked.read()
    os._exit(1)


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    watch = Watch()
    try:
        graph, notes = _graph(job, watch)
    except InputError as error:
        return {"error": watch.refused_address or str(error)}
    except NetworkError as error:
        return {"error": str(error)}
    except Exception as error:
        # Such as a package that is installed and cannot be imported.
        return {"error": f"{type(error).__name__}: {str(error)[:500]}"}
    return {
        "graph": file.to_text(graph.content()),
        "notes": notes,
        "files": watch.files(),
        "versions": watch.versions(),
    }


def _of_onnx(job: dict[str, Any]) -> Graph:
    from edgesim.graph import onnx

    found = onnx.read(job["file"], inputs.by_name(job["input"]))
    found.source = f"onnx:{os.path.basename(job['file'])}, onnx {version('onnx')}"
    return found


def _graph(job: dict[str, Any], watch: Watch) -> tuple[Graph, tuple[str, ...]]:
    """Return the graph, and sentences on what was done to the module and what is left out."""
    # Imported here: torch before the watch begins, so that its own files are not the user's.
    if job["kind"] == "exported":
        from edgesim.graph.sources import exported

        return exported.graph(job), ()
    if job["kind"] == "onnx":
        return _of_onnx(job), ()
    from edgesim.graph.sources import modules

    if job["kind"] == "timm":
        importlib.import_module("timm")
        watch.begin()
        found = modules.of_timm(job)
    else:
        watch.begin()
        found = modules.of_user(job)
    return found.graph, found.notes
