"""Shape and device of every part: the budgets of a recipe against the sizes of its sub-models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from partition.config import ViTConfig, scaled
from partition.cost import vit_cost
from partition.errors import InfeasibleError
from partition.fit import Assignment, Size, exact, gap, greedy
from partition.recipe import Recipe
from partition.split import PartClasses


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Shape and device of every part.

    Attributes:
        heads: heads' worth kept, by part.
        devices: by part, or None where the recipe names none.
        notes: how greedy and exact assignment compare, for the manifest.
    """

    heads: tuple[int, ...]
    devices: tuple[str, ...] | None
    notes: Mapping[str, Any] | None


def part_sizes(config: ViTConfig, classes: Sequence[PartClasses]) -> list[list[Size]]:
    """Return bytes and MACs of every part by heads kept, from 1 to all."""
    sizes = []
    for part in classes:
        row = []
        for heads in range(1, config.heads + 1):
            cost = vit_cost(scaled(config, heads).with_(classes=part.outputs))
            row.append(Size(bytes=cost.bytes, macs=cost.macs))
        sizes.append(row)
    return sizes


def fit(recipe: Recipe, config: ViTConfig, classes: Sequence[PartClasses]) -> Fitted:
    """Return the heads and device of every part.

    With devices, the exact assignment (a fixed ``pruning.heads`` leaves only the devices to
    choose); the greedy one stands beside it in the notes. Without devices, ``pruning.heads``, or
    the most heads with which all parts together are no larger than the unsplit model.

    Raises:
        InfeasibleError: no sub-models fit the devices.
    """
    wanted = recipe.pruning.heads
    if wanted is not None:
        scaled(config, wanted)
    sizes = part_sizes(config, classes)
    if not recipe.devices:
        heads = wanted or _heads_within(vit_cost(config).bytes, sizes)
        return Fitted(heads=(heads,) * len(classes), devices=None, notes=None)
    if wanted is not None:
        sizes = [[row[wanted - 1]] for row in sizes]
    best, first = exact(sizes, recipe.devices), _greedy_or_none(recipe, sizes)
    offset = 0 if wanted is None else wanted - 1
    notes = {
        "exact": _assignment_entry(best, recipe, offset),
        "greedy": None if first is None else _assignment_entry(first, recipe, offset),
        "gap": None if first is None else gap(first, best),
    }
    return Fitted(
        heads=tuple(heads + offset for heads in best.heads),
        devices=tuple(recipe.devices[place].name for place in best.devices),
        notes=notes,
    )


def _greedy_or_none(recipe: Recipe, sizes: list[list[Size]]) -> Assignment | None:
    """Return the greedy assignment, or None where it finds none although there is one."""
    try:
        return greedy(sizes, recipe.devices)
    except InfeasibleError:
        return None


def _assignment_entry(found: Assignment, recipe: Recipe, offset: int) -> dict[str, Any]:
    return {
        "heads": [heads + offset for heads in found.heads],
        "devices": [recipe.devices[place].name for place in found.devices],
        "restarts": found.restarts,
    }


def _heads_within(limit_bytes: float, sizes: list[list[Size]]) -> int:
    """Return the most heads with which all parts together take at most ``limit_bytes``, or 1."""
    possible = [
        heads
        for heads in range(1, len(sizes[0]) + 1)
        if sum(row[heads - 1].bytes for row in sizes) <= limit_bytes
    ]
    return max(possible, default=1)
