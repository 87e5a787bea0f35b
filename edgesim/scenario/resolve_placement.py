"""The placement of a scenario: keys that belong to the strategy, nodes that exist."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from edgesim.common.errors import nearest
from edgesim.common.validation import Path, keys_of
from edgesim.hardware import Node
from edgesim.placement import (
    Model,
    ModelKeys,
    NoKeys,
    keys_by_strategy,
    keys_of_strategy,
    strategy_names,
)
from edgesim.placement.parts import check_options
from edgesim.placement.payload import CHANNELS
from edgesim.scenario.findings import Findings
from edgesim.scenario.schema import PlacementSpec
from edgesim.simulate.arrivals import Mlperf, Trace


def resolve_strategy(findings: Findings, spec: PlacementSpec, tasks: bool) -> str:
    """Return the strategy: as given, or ``manual`` for an explicit task graph (``tasks``)."""
    given, known = spec.strategy, strategy_names()
    path: Path = ("placement", "strategy")
    unsure = "model" in findings.broken
    if given is None:
        if not tasks and not unsure:
            findings.wrong(("placement",), f"expected a 'strategy': one of {', '.join(known)}")
        return "manual"
    if given not in known:
        message = f"expected one of {', '.join(known)}, got '{given}'{nearest(given, known)}"
        findings.wrong(path, message)
    elif given == "manual" and not tasks and not unsure:
        findings.wrong(path, "'manual' places 'model.tasks', which are not given")
    elif tasks and issubclass(keys_of_strategy(given) or NoKeys, ModelKeys):
        findings.wrong(path, f"'model.tasks' need 'manual', got '{given}'")
    return given


def resolve_placement(
    findings: Findings, strategy: str, nodes: Mapping[str, Node]
) -> tuple[str, ...]:
    """Return the nodes to place on; check that keys belong to the strategy and nodes exist."""
    given = findings.placement
    _check_keys(findings, strategy)
    if "fusion" in given:
        findings.known_node(("placement", "fusion"), given["fusion"], nodes)
    _check_inputs(findings, nodes)
    found: dict[str, None] = {}
    sections = findings.spec.nodes if findings.spec is not None else {}
    for index, name in enumerate(given.get("nodes", ())):
        path: Path = ("placement", "nodes", index)
        group = sections.get(name)
        members = [name]
        if name not in findings.declared and group is not None and group.count is not None:
            # Here alone, where many can stand, a counted name stands for all its nodes.
            members = [f"{name}-{number}" for number in range(group.count)]
        elif not findings.known_node(path, name, nodes):
            continue
        again = [member for member in members if member in found]
        if again:
            findings.wrong(path, f"'{again[0]}' is named twice")
        found |= dict.fromkeys(members)
    return tuple(found)


def _check_inputs(findings: Findings, nodes: Mapping[str, Node]) -> None:
    """Check the nodes where requests enter; of several, that the arrival process has streams."""
    inputs, traffic = findings.placement.get("input", ()), findings.traffic
    section = findings.data.get("placement") or {}
    for index, name in enumerate(inputs):
        path: Path = ("placement", "input")
        if not isinstance(section.get("input"), str):
            path = (*path, index)
        if findings.known_node(path, name, nodes) and name in inputs[:index]:
            findings.wrong(path, f"'{name}' is named twice")
    if len(inputs) > 1 and traffic is not None and isinstance(traffic, Trace | Mlperf):
        findings.wrong(
            ("placement", "input"),
            f"'{traffic.arrivals}' is one stream of requests: name one node, or use poisson, "
            "periodic or closed, of which each node has a stream of its own",
        )


def check_sizes(findings: Findings, strategy: str, model: Model) -> None:
    """Check the placement against the model: whether it can be split so, and into so many."""
    heads, submodels = (findings.placement.get(key) for key in ("heads", "submodels"))
    if model.artifact is not None:
        for key in ("heads", "submodels"):
            given = {"heads": None, "submodels": None, key: findings.placement.get(key)}
            findings.attempt(("placement", key), partial(check_options, model.artifact, **given))
        return
    if strategy == "class-wise" and model.heads is None:
        message = "class-wise needs a Vision Transformer, whose heads and widths can be scaled; "
        came = f"'{model.name}' is none"
        if not model.is_catalog:
            came = (
                f"the operators of '{model.name}' are fixed. Name one of the catalog, or an "
                "'artifact' that `edgesim partition` split; single, replicate and pipeline place it"
            )
        findings.wrong(("placement", "strategy"), f"{message}{came}")
        return
    if heads is not None and model.heads is not None and heads > model.heads:
        message = f"expected at most {model.heads}, the heads of '{model.name}', got {heads}"
        findings.wrong(("placement", "heads"), message)
    if submodels is not None and submodels > model.classes:
        message = f"expected at most {model.classes}, one for each class, got {submodels}"
        findings.wrong(("placement", "submodels"), message)


def check_payload(findings: Findings, model: Model | None) -> None:
    """Check that an encoded image can travel in place of the model's input."""
    traffic = findings.traffic
    if traffic is None or traffic.payload is None or model is None:
        return
    path: Path = ("traffic", "payload")
    shape = () if model.graph is None else model.graph.input_shape
    if model.graph is None:
        findings.wrong(path, "belongs to a model of images; of 'model.tasks', give the transfers")
    elif len(shape) != 3 or shape[0] not in CHANNELS:
        size = " x ".join(map(str, shape)) or "nothing"
        message = f"travels in place of an image of 1 or 3 channels; '{model.name}' takes {size}"
        findings.wrong(path, message)
    if not findings.placement.get("input"):
        findings.wrong(path, "travels from where requests enter: give 'placement' an 'input'")


def _check_keys(findings: Findings, strategy: str) -> None:
    own = keys_of_strategy(strategy)
    if own is None:
        return
    known = ["strategy", *keys_of(own)]
    for key in findings.placement:
        if key in known:
            continue
        others = [name for name, keys in keys_by_strategy().items() if key in keys_of(keys)]
        if others:
            findings.foreign(("placement", key), others, strategy)
            continue
        message = f"unknown key '{key}'{nearest(key, known)}; {strategy} takes {', '.join(known)}"
        findings.wrong(("placement", key), message, True)
