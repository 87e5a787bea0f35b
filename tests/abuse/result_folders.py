"""Folders of results, comparisons and studies, one file of which was changed."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.abuse import mutations

_SMALL = (
    "{model: {tasks: {a: {flop: 1, node: A}, b: {flop: 2, node: B}}, transfers: [{from: a, "
    "to: b, bytes: 9}]}, nodes: {A: {device: {peak: {fp32: 9}}}, B: {device: {peak: {fp32: 9}}}"
    "}, network: {wifi: {bandwidth: 99 B/s}}, traffic: {arrivals: poisson, rate: 1, requests: "
    "4}}"
)


def _result(directory: Path) -> None:
    from edgesim import api, scenario
    from edgesim.report import folder

    folder.write(api.run(scenario.load_text(_SMALL)), directory)


def _comparison(directory: Path) -> None:
    """Write a comparison at two loads, with a simulation in place of the real nodes."""
    from edgesim import api
    from edgesim.report import folder
    from edgesim.serve.both.run import run
    from edgesim.serve.coordinator.policy import Policy
    from tests.edgesim.command import ROOT

    def measure(scenario: Any, *, trace_requests: int, progress: Any) -> Any:
        return api.run(scenario, trace_requests=trace_requests, progress=progress)

    settings = ["traffic={arrivals: poisson, rate: 1, requests: 4}"]
    scenario = api.load(ROOT / "examples" / "real-nodes.yaml", overrides=settings)
    recovery = Policy.of(scenario.recovery).simulated()
    found = run(scenario, "0.5, scenario", measure, recovery, trace_requests=4,
                progress=lambda label, done, total: None)  # fmt: skip
    sides = [(one.load.folder, one.predicted, one.measured) for one in found.compared]
    folder.write_comparison(found.document, sides, directory)


def _study(directory: Path) -> None:
    from edgesim.sweep.run import run_study
    from tests.edgesim.sweep.studies import grid

    run_study(grid(2, 2), directory)


FOLDERS = {"result": _result, "comparison": _comparison, "study-folder": _study}


@functools.cache
def files(name: str) -> Mapping[str, bytes]:
    """Return the files of a small folder of a kind, by their paths in it."""
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made) / "out"
        FOLDERS[name](directory)
        return {
            path.relative_to(directory).as_posix(): path.read_bytes()
            for path in sorted(directory.rglob("*"))
            if path.is_file() and path.name not in ("report.html", ".lock", "table.csv")
        }


def inputs(name: str) -> st.SearchStrategy[bytes]:
    """Return files of a folder with something changed, each after its path and a line's end."""
    # Played before anything is drawn: modules that load meanwhile use Python's own generator.
    return _changed_file(files(name))


@st.composite
def _changed_file(draw: st.DrawFn, whole: Mapping[str, bytes]) -> bytes:
    path = draw(st.sampled_from(sorted(whole)))
    data = whole[path]
    if path.endswith(".json") and draw(st.integers(0, 3)):
        data = json.dumps(draw(mutations.trees([json.loads(data)]))).encode("utf-8", "replace")
    else:
        data = draw(mutations.texts([data]))
    return path.encode() + b"\n" + data


def take(name: str, data: bytes, folder: Path) -> None:
    """Do what ``edgesim report`` does with a folder one of whose files was changed."""
    from edgesim.report.folder import rewrite_report

    path, _, changed = data.partition(b"\n")
    for other, content in files(name).items():
        (folder / other).parent.mkdir(parents=True, exist_ok=True)
        (folder / other).write_bytes(changed if other.encode() == path else content)
    rewrite_report(folder)
