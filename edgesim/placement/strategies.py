"""Placement strategies by name, found through the entry points ``edgesim.strategies``."""

from __future__ import annotations

from importlib.metadata import entry_points

from edgesim.errors import InputError, nearest
from edgesim.placement.check import verify
from edgesim.placement.plan import Plan
from edgesim.placement.request import PlacementRequest, Strategy

GROUP = "edgesim.strategies"


def strategy_names() -> list[str]:
    """Return the names of the registered strategies."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def place(request: PlacementRequest, strategy: str) -> Plan:
    """Return the plan that a strategy makes, checked against the cluster.

    Raises:
        InputError: no such strategy, or its options are wrong.
        PlanError: the model does not fit; the message names the node and how many bytes it lacks.
    """
    for point in entry_points(group=GROUP):
        if point.name == strategy:
            make: Strategy = point.load()
            plan = make(request)
            verify(plan, request.cluster)
            return plan
    known = strategy_names()
    raise InputError(
        f"placement.strategy: expected one of {', '.join(known)}, got '{strategy}'"
        f"{nearest(strategy, known)}"
    )
