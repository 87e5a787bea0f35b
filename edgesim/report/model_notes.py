"""What a user should know of a model that was read: what was merged, left out or never fitted."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

from edgesim.graph import Graph, OpKind, zoo
from edgesim.graph.sources import Source
from edgesim.hardware import catalog

_MOST_NAMES = 3


def notes_on(source: Source) -> list[str]:
    """Return sentences on a model: what its trace says, and how far times of it can be trusted."""
    found = list(source.notes)
    found += _without_rule(source.graph)
    found += _resembling(source.graph)
    family = _family(source.graph.name)
    named = source.kind in ("name", "timm") or source.graph.source.startswith("timm:")
    if named and family not in _fitted_families():
        found.append(
            f"no time of a model of the family '{family}' was published for a device here: times "
            "follow from its operators alone, and may be off by more than those that `edgesim "
            "devices NAME` lists"
        )
    return found


def _without_rule(graph: Graph) -> list[str]:
    names = [op.name for op in graph if op.kind is OpKind.GENERIC and not op.macs]
    if not names:
        return []
    listed = ", ".join(names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return [f"no rule says what these operators compute; their bytes alone count: {listed}{more}"]


def _resembling(graph: Graph) -> list[str]:
    """Return a sentence for each kind that takes the efficiency of another one."""
    kinds = Counter(op.kind for op in graph if op.kind.like is not None)
    return [
        f"no device here was fitted to the kind {kind} ({_operators(number)}): it takes the "
        f"efficiency of {kind.like}"
        for kind, number in kinds.items()
    ]


def _operators(number: int) -> str:
    return "1 operator" if number == 1 else f"{number:,} operators"


def _family(name: str) -> str:
    """Return the family that a name says: its letters up to the first that is none."""
    found = re.match(r"[a-z]+", name.lower())
    return found[0] if found else name


@cache
def _fitted_families() -> frozenset[str]:
    """Return the families of the models that devices of the catalog have published times of."""
    models = {one.model for device in catalog.names() for one in catalog.published(device)}
    return frozenset(_family(model) for model in models & set(zoo.names()))
