"""Placement strategies by name, found through the entry points ``edgesim.strategies``."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from edgesim.common.errors import InputError, PlanError, nearest
from edgesim.common.extensions import ExtensionPoint
from edgesim.placement.check import verify
from edgesim.placement.plan import Plan
from edgesim.placement.request import NoKeys, PlacementRequest

STRATEGIES = ExtensionPoint("edgesim.strategies", "strategy")


def strategy_names() -> list[str]:
    """Return the names of the registered strategies."""
    return sorted(STRATEGIES.names())


def keys_of_strategy(name: str) -> type[NoKeys] | None:
    """Return the keys of ``placement`` that a strategy takes.

    None where there is no such strategy, it cannot be loaded, or does not say (`takes`).
    """
    with suppress(InputError):
        keys: type[NoKeys] | None = getattr(STRATEGIES.load(name), "keys", None)
        return keys
    return None


def keys_by_strategy() -> dict[str, type[NoKeys]]:
    """Return the keys of ``placement`` of all strategies that say which they take."""
    found = {name: keys_of_strategy(name) for name in strategy_names()}
    return {name: keys for name, keys in found.items() if keys is not None}


def place(request: PlacementRequest, strategy: str) -> Plan:
    """Return the plan that a strategy makes, checked against the cluster.

    Raises:
        InputError: no such strategy, a plug-in's that cannot be loaded, or its options are wrong.
        PlanError: the model does not fit, or the request names an unknown node; the message names
            the node and how many bytes it lacks.
    """
    if strategy not in STRATEGIES.names():
        known = strategy_names()
        raise InputError(
            f"placement.strategy: expected one of {', '.join(known)}, got '{strategy}'"
            f"{nearest(strategy, known)}"
        )
    _verify_names(request)
    plan = STRATEGIES.load(strategy)(request)
    if not isinstance(plan, Plan):
        raise InputError(
            f"strategy '{strategy}' ({STRATEGIES.origin(strategy)}) returned "
            f"{type(plan).__name__}, expected a Plan"
        )
    if len(request.inputs) > 1:
        plan = replace(plan, inputs=request.inputs)
    verify(plan, request.cluster)
    return plan


def _verify_names(request: PlacementRequest) -> None:
    """Check that the request names nodes of its cluster, and none twice."""
    named = [("input", request.input_node), ("fusion", request.fusion_node)]
    named += [("input", name) for name in request.inputs]
    known = list(request.cluster.nodes)
    for key, name in (*named, *(("nodes", name) for name in request.nodes)):
        if name is not None and name not in request.cluster.nodes:
            raise PlanError(f"placement.{key}: no node is named '{name}'{nearest(name, known)}")
    seen: set[str] = set()
    for name in request.nodes:
        if name in seen:
            raise PlanError(f"placement.nodes: '{name}' is listed twice")
        seen.add(name)
