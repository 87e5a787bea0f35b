"""The model of a scenario: of the catalog, from elsewhere, or an explicit task graph."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path as FilePath

from edgesim import artifact
from edgesim.common.errors import InputError, nearest
from edgesim.common.ordering import CycleError, in_order
from edgesim.common.validation import Path, Problem, values
from edgesim.graph import sources, zoo
from edgesim.graph.sources import BUILD_OPTIONS, SOURCES
from edgesim.hardware import Network, Node
from edgesim.placement import Model, Task
from edgesim.placement.plan import ExplicitTask
from edgesim.scenario.findings import Findings
from edgesim.scenario.schema import ModelSpec

UNTRAINED = Problem(
    ("model", "training"),
    "this model is yet to be trained: run `edgesim partition FILE -o DIR` with this file "
    "first, then run it with `model: {artifact: DIR}` in place of this section, or "
    "`--set model.training= --set model.artifact=DIR` (DIR is relative to this file)",
    True,
)
"""What keeps a scenario from being simulated whose model is still a recipe."""


def resolve_model(
    findings: Findings,
    spec: ModelSpec,
    title: str,
    nodes: Mapping[str, Node],
    network: Network | None,
    folder: FilePath,
) -> Model | None:
    """Return the model.

    Args:
        findings: gets what is wrong.
        spec: the section.
        title: name of an explicit task graph.
        nodes: nodes that tasks are placed on.
        network: network that transfers need routes over.
        folder: folder of the scenario's file, to which an artifact's path is relative.
    """
    given = [key for key in _KINDS if getattr(spec, key) is not None]
    if len(given) != 1:
        came = " and ".join(f"'{key}'" for key in given) or "none"
        findings.wrong(
            ("model",),
            f"expected one of 'name' (of the catalog), {_ELSEWHERE}, 'artifact' or 'tasks', got "
            f"{came}",
        )
        return None
    if spec.training is not None:
        findings.problems.append(UNTRAINED)
        return None
    if spec.tasks is not None:
        return _tasks(findings, spec, spec.tasks, title, nodes, network)
    if spec.transfers:
        findings.wrong(("model", "transfers"), "belong to 'tasks', which are not given", True)
    if spec.artifact is not None:
        return _of_artifact(findings, spec, folder / spec.artifact)
    for key, message in sources.foreign(given[0], spec):
        if given[0] != "name" or key not in BUILD_OPTIONS:
            findings.wrong(("model", key), message, True)
    if spec.name is not None:
        return _of_catalog(findings, spec, spec.name)
    return _of_source(findings, spec, given[0], folder)


_KINDS = (*SOURCES, "artifact", "training", "tasks")
_ELSEWHERE = ", ".join(f"'{kind}'" for kind in SOURCES if kind != "name")
_OF_SOURCES = (*BUILD_OPTIONS, "arguments", "input", "up_to", "compress")


def _of_source(findings: Findings, spec: ModelSpec, kind: str, folder: FilePath) -> Model | None:
    """Return a model from elsewhere, as it was traced or read."""
    if findings.problems:
        # To trace takes a while, and runs code: only for what is else right.
        return None
    try:
        found = sources.read(spec, folder)
    except sources.SourceError as error:
        for key, message in error.problems:
            findings.wrong(("model", key or kind), message)
        return None
    except InputError as error:
        findings.wrong(("model", kind), str(error))
        return None
    return Model.of_graph(found.graph, spec.precision, found.how)


def _of_artifact(findings: Findings, spec: ModelSpec, folder: FilePath) -> Model | None:
    """Return what ``edgesim partition`` wrote as a model, every file verified."""
    for key in _OF_SOURCES:
        if getattr(spec, key) is not None:
            findings.wrong(("model", key), f"'{key}' is fixed by the artifact", True)
    loaded = findings.attempt(("model", "artifact"), lambda: artifact.load(folder))
    if loaded is None:
        return None
    return Model(
        name=loaded.name,
        precision=spec.precision,
        graph=loaded.unsplit,
        classes=loaded.classes,
        artifact=loaded,
    )


def _of_catalog(findings: Findings, spec: ModelSpec, name: str) -> Model | None:
    info = findings.attempt(("model", "name"), lambda: zoo.info(name))
    if info is None:
        return None
    options = spec.options()
    foreign = [key for key in options if key not in info.options]
    for key in foreign:
        message = f"'{name}' has no '{key}'; it takes {', '.join(info.options)}"
        findings.wrong(("model", key), message, True)
    if foreign:
        return None
    graph = findings.attempt(("model", "name"), lambda: zoo.build(name, **options))
    if graph is None:
        return None
    if spec.up_to is not None or spec.compress is not None:
        return _of_source(findings, spec, "name", FilePath())
    width = options.get("width", info.width)
    heads = options.get("heads", info.heads)
    bound = dict(options)
    if "head_width" in info.options and width and heads:
        # A variant with fewer heads of a narrower width keeps the width of each head.
        bound.setdefault("head_width", width // heads)
    own_mlp_width = 4 * width if width is not None and info.mlp_width is not None else None
    return Model(
        name=name,
        precision=spec.precision,
        graph=graph,
        rebuild=partial(zoo.build, name, **bound),
        heads=heads,
        width=width,
        mlp_width=options.get("mlp_width", own_mlp_width),
        classes=options.get("classes", info.classes),
    )


def _tasks(
    findings: Findings,
    spec: ModelSpec,
    tasks: Mapping[str, ExplicitTask],
    title: str,
    nodes: Mapping[str, Node],
    network: Network | None,
) -> Model:
    """Return the explicit task graph as a model."""
    for key in _OF_SOURCES:
        if getattr(spec, key) is not None:
            message = f"'{key}' belongs to a model of the catalog, not to 'tasks'"
            findings.wrong(("model", key), message, True)
    placed = []
    for name, task in tasks.items():
        _check_task(findings, name, task, spec.precision, nodes)
        placed.append(Task(name=name, **values(task, ExplicitTask)))
    _check_transfers(findings, spec, tasks, nodes, network)
    return Model(
        name=title, precision=spec.precision, tasks=tuple(placed), transfers=spec.transfers
    )


def _check_task(
    findings: Findings, name: str, task: ExplicitTask, precision: str, nodes: Mapping[str, Node]
) -> None:
    path: Path = ("model", "tasks", name)
    if not findings.known_node((*path, "node"), task.node, nodes):
        return
    device = nodes[task.node].device
    if task.cores is not None and task.cores > device.cores:
        message = f"expected at most {device.cores}, the cores of '{task.node}', got {task.cores}"
        findings.wrong((*path, "cores"), message)
    if precision not in device.precisions():
        findings.wrong(
            (*path, "node"),
            f"'{task.node}' does not compute in the model's precision, {precision}; "
            f"it has {', '.join(device.precisions())}",
        )


def _check_transfers(
    findings: Findings,
    spec: ModelSpec,
    tasks: Mapping[str, ExplicitTask],
    nodes: Mapping[str, Node],
    network: Network | None,
) -> None:
    """Check that transfers join tasks, once each, over a route, and form no cycle."""
    edges: dict[tuple[str, str], int] = {}
    for index, one in enumerate(spec.transfers):
        path: Path = ("model", "transfers", index)
        ends = one.source or "", one.target or ""
        for key, end in zip(("from", "to"), ends, strict=True):
            if end not in tasks:
                message = f"no task is named '{end}'{nearest(end, list(tasks))}"
                findings.wrong((*path, key), message)
        if not tasks.keys() >= set(ends):
            continue
        if ends in edges:
            message = f"a second transfer from '{one.source}' to '{one.target}'; add up their bytes"
            findings.wrong(path, message)
        edges[ends] = index
        start, end = (tasks[end].node for end in ends)
        reachable = network is None or network.route(start, end) is not None
        if start in nodes and end in nodes and not reachable:
            findings.wrong(
                path,
                f"node '{start}' has no route to node '{end}'; "
                "add a link or a route between them to 'network'",
            )
    try:
        in_order(tasks, edges)
    except CycleError as error:
        names = " → ".join([*error.cycle, error.cycle[0]])
        last = edges[error.cycle[-1], error.cycle[0]]
        findings.wrong(("model", "transfers", last), f"tasks wait for each other: cycle {names}")
