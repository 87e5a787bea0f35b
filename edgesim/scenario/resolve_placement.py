"""The placement of a scenario: keys that belong to the strategy, nodes that exist."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from edgesim.common.errors import nearest
from edgesim.common.validation import Path
from edgesim.hardware import Node
from edgesim.placement import Model, strategy_names
from edgesim.placement.parts import check_options
from edgesim.scenario.findings import Findings
from edgesim.scenario.schema import PlacementSpec

_ROLES = ("input", "nodes")
KEYS = {
    "single": _ROLES,
    "replicate": _ROLES,
    "pipeline": (*_ROLES, "objective"),
    "class-wise": (*_ROLES, "fusion", "submodels", "heads", "memory_budget"),
    "manual": (),
}
"""Keys of ``placement`` that each built-in strategy takes, beside ``strategy``."""

_OPTIONS = ("objective", "submodels", "heads", "memory_budget")


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
        told = f"expected one of {', '.join(known)}, got '{given}'{nearest(given, known)}"
        findings.wrong(path, told)
    elif given == "manual" and not tasks and not unsure:
        findings.wrong(path, "'manual' places 'model.tasks', which are not given")
    elif given in KEYS and given != "manual" and tasks:
        findings.wrong(path, f"'model.tasks' need 'manual', got '{given}'")
    return given


def resolve_placement(
    findings: Findings, spec: PlacementSpec, strategy: str, nodes: Mapping[str, Node]
) -> tuple[str, ...]:
    """Return the nodes to place on; check that keys belong to the strategy and nodes exist."""
    if strategy in KEYS:
        _check_keys(findings, spec, strategy)
    for key, name in (("input", spec.input), ("fusion", spec.fusion)):
        if name is not None:
            findings.known_node(("placement", key), name, nodes)
    found: dict[str, None] = {}
    sections = findings.spec.nodes if findings.spec is not None else {}
    for index, name in enumerate(spec.nodes):
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


def check_sizes(findings: Findings, spec: PlacementSpec, strategy: str, model: Model) -> None:
    """Check the placement against the model: whether it can be split so, and into so many."""
    if model.artifact is not None:
        for key in ("heads", "submodels"):
            given = {"heads": None, "submodels": None, key: getattr(spec, key)}
            findings.told(("placement", key), partial(check_options, model.artifact, **given))
        return
    if strategy == "class-wise" and model.heads is None:
        told = "class-wise needs a Vision Transformer, whose heads and widths can be scaled; "
        findings.wrong(("placement", "strategy"), f"{told}'{model.name}' is none")
        return
    if spec.heads is not None and model.heads is not None and spec.heads > model.heads:
        told = f"expected at most {model.heads}, which '{model.name}' has, got {spec.heads}"
        findings.wrong(("placement", "heads"), told)
    if spec.submodels is not None and spec.submodels > model.classes:
        told = f"expected at most {model.classes}, one for each class, got {spec.submodels}"
        findings.wrong(("placement", "submodels"), told)


def options(spec: PlacementSpec) -> dict[str, object]:
    """Return the strategy's own keys that are given."""
    given = {key: getattr(spec, key) for key in _OPTIONS}
    given = {key: value for key, value in given.items() if value is not None}
    return {**given, **(spec.model_extra or {})}


def _check_keys(findings: Findings, spec: PlacementSpec, strategy: str) -> None:
    known = ["strategy", *KEYS[strategy]]
    given = [key for key in (*_ROLES, "fusion", *_OPTIONS) if getattr(spec, key)]
    for key in (*given, *(spec.model_extra or {})):
        if key in KEYS[strategy]:
            continue
        others = [name for name, keys in KEYS.items() if key in keys]
        if others:
            told = " or ".join((", ".join(others[:-1]), others[-1]) if others[1:] else others)
            message = f"'{key}' belongs to {told}, not to {strategy}"
        else:
            message = f"unknown key '{key}'{nearest(key, known)}"
            message += f"; {strategy} takes {', '.join(known)}"
        findings.wrong(("placement", key), message, True)
