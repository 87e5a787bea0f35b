"""Which sub-model, how large, on which device: greedy with restarts, and exactly.

A sub-model that keeps more heads is larger, slower and better. Every device takes at most one
sub-model, and has to hold its weights and keep its time and energy. Both ways maximise the heads
kept in all, so their difference is the price of being greedy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from partition.config import ViTConfig, scaled
from partition.cost import ModelCost, vit_cost
from partition.errors import InfeasibleError, InputError
from partition.recipe import Budget, Recipe
from partition.split import PartClasses


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Head count and device of every sub-model.

    Attributes:
        heads: heads kept of each sub-model.
        devices: index of each sub-model's device in the list of budgets.
        restarts: restarts of the greedy assignment; 0 for the exact one.
    """

    heads: tuple[int, ...]
    devices: tuple[int, ...]
    restarts: int = 0

    @property
    def total_heads(self) -> int:
        """What both ways of assigning maximise."""
        return sum(self.heads)


Costs = Sequence[Sequence[ModelCost]]
"""Of every sub-model, by heads kept, from 1 up; only bytes and MACs count."""


def fits(sizes: Costs, budgets: Sequence[Budget]) -> np.ndarray:
    """Return bool (sub-models, heads, devices): the sub-model with k + 1 heads fits the device."""
    return np.array([
        [[budget.refusal(size.bytes, size.macs) is None for budget in budgets] for size in row]
        for row in sizes
    ]).reshape(len(sizes), -1, len(budgets))  # fmt: skip


def greedy(sizes: Costs, budgets: Sequence[Budget], tighten: str = "all") -> Assignment:
    """Assign by EC-SNN's greedy restart, with an end.

    All sub-models start at the most heads. In order of size, the largest first, each takes the free
    device with the most memory that it fits. Where one finds none, heads are taken away and the
    assignment starts again: one from every sub-model (``all``, EC-SNN's one threshold) or one from
    the sub-model that found no device (``stuck``). Every restart lowers the heads in all, so
    there are at most as many restarts as heads.

    Args:
        sizes: sizes by sub-model, then by heads kept, from 1 up.
        budgets: budgets of the devices.
        tighten: ``all`` or ``stuck``.

    Raises:
        InfeasibleError: not even one head each fits; the message names the device and the bytes.
    """
    _check(sizes, budgets)
    if tighten not in ("all", "stuck"):
        raise InputError(f"tighten must be 'all' or 'stuck', not '{tighten}'")
    heads = [len(row) for row in sizes]
    possible = fits(sizes, budgets)
    by_memory = sorted(range(len(budgets)), key=lambda d: (-budgets[d].room, d))
    restarts = 0
    while True:
        chosen: dict[int, int] = {}
        stuck: int | None = None
        for part in sorted(range(len(sizes)), key=lambda p: (-sizes[p][heads[p] - 1].bytes, p)):
            free = (d for d in by_memory if d not in chosen.values())
            device = next((d for d in free if possible[part, heads[part] - 1, d]), None)
            if device is None:
                stuck = part
                break
            chosen[part] = device
        if stuck is None:
            devices = tuple(chosen[part] for part in range(len(sizes)))
            return Assignment(heads=tuple(heads), devices=devices, restarts=restarts)
        if heads[stuck] == 1:
            raise _infeasible(stuck, sizes, budgets, set(chosen.values()))
        heads = [
            max(1, count - 1) if tighten == "all" or part == stuck else count
            for part, count in enumerate(heads)
        ]
        restarts += 1


def exact(sizes: Costs, budgets: Sequence[Budget]) -> Assignment:
    """Assign so that the heads kept in all are as many as can be, by integer programming.

    Binary x[p, k, d] says that sub-model p keeps k heads on device d: Σ x = 1 for every p, Σ x ≤ 1
    for every d, x = 0 where it does not fit; maximise Σ k x. Among equals the fewest MACs win.
    Solved to optimality by ``scipy.optimize.milp``.

    Raises:
        InfeasibleError: not even one head each fits; the message names the device and the bytes.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    _check(sizes, budgets)
    parts, devices = len(sizes), len(budgets)
    part, kept, device = np.nonzero(fits(sizes, budgets))
    count = len(part)
    if len(set(part.tolist())) == parts:
        columns = np.arange(count)
        once = csr_array((np.ones(count), (part, columns)), shape=(parts, count))
        at_most = csr_array((np.ones(count), (device, columns)), shape=(devices, count))
        macs = np.array([sizes[int(p)][int(k)].macs for p, k in zip(part, kept, strict=True)])
        tie_break = macs / (1.0 + macs.max()) / (2.0 * parts)
        answer = milp(
            -(kept + 1.0) + tie_break,
            constraints=[LinearConstraint(once, 1, 1), LinearConstraint(at_most, 0, 1)],
            integrality=np.ones(count, dtype=np.int64),
            bounds=Bounds(0, 1),
            options={"mip_rel_gap": 0.0},
        )
        if answer.x is not None:
            picked = np.flatnonzero(np.round(answer.x))
            order = picked[np.argsort(part[picked])]
            return Assignment(
                heads=tuple((kept[order] + 1).tolist()), devices=tuple(device[order].tolist())
            )
    raise _unmatched(sizes, budgets)


def gap(greedy_assignment: Assignment, exact_assignment: Assignment) -> float:
    """Return (exact - greedy) / exact heads in all, from 0 up to 1."""
    best = exact_assignment.total_heads
    return (best - greedy_assignment.total_heads) / best


def _check(sizes: Costs, budgets: Sequence[Budget]) -> None:
    if not sizes or any(not row for row in sizes):
        raise InputError("there are no sub-models to assign")
    if len({len(row) for row in sizes}) != 1:
        raise InputError("every sub-model must be sized for the same head counts")
    if len(budgets) < len(sizes):
        raise InfeasibleError(
            f"{len(sizes)} sub-models need as many devices, but there are {len(budgets)}: "
            "add devices or lower split.parts"
        )


def _unmatched(sizes: Costs, budgets: Sequence[Budget]) -> InfeasibleError:
    """Return the error for smallest sub-models that cannot all have a device.

    A largest matching of one-head sub-models to devices leaves one over; it is named.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    smallest = np.asarray(fits(sizes, budgets).any(axis=1), dtype=np.int8)
    matched = maximum_bipartite_matching(csr_array(smallest), perm_type="column")
    left_over = int(np.flatnonzero(matched < 0)[0])
    return _infeasible(left_over, sizes, budgets, {int(d) for d in matched if d >= 0})


def _infeasible(
    part: int, sizes: Costs, budgets: Sequence[Budget], taken: set[int]
) -> InfeasibleError:
    """Return the error that names the roomiest free device and what sub-model ``part`` needs."""
    free = [d for d in range(len(budgets)) if d not in taken]
    device = max(free, key=lambda d: (budgets[d].room, -d))
    size = sizes[part][0]
    reason = budgets[device].refusal(size.bytes, size.macs)
    return InfeasibleError(
        f"sub-model {part} finds no device even with one head: it {reason}, "
        "the roomiest device that is left; give it more, or prune narrower heads"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Shape and device of every part.

    Attributes:
        heads: heads kept of each part.
        devices: device of each part, or None where the recipe names none.
        notes: greedy and exact assignment side by side, for the manifest.
    """

    heads: tuple[int, ...]
    devices: tuple[str, ...] | None
    notes: Mapping[str, Any] | None


def part_sizes(config: ViTConfig, classes: Sequence[PartClasses]) -> Costs:
    """Return bytes and MACs of every part by heads kept, from 1 to all."""
    shapes = [scaled(config, heads) for heads in range(1, config.heads + 1)]
    return [[vit_cost(shape.with_(classes=part.outputs)) for shape in shapes] for part in classes]


def fit(recipe: Recipe, config: ViTConfig, classes: Sequence[PartClasses]) -> Fitted:
    """Return the heads and device of every part.

    With devices, the exact assignment (a fixed ``pruning.heads`` leaves only the devices to
    choose); the greedy one is in the notes, too. Without devices, ``pruning.heads``, or
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
    best, first = exact(sizes, recipe.devices), None
    # The greedy assignment can find none although there is one.
    with suppress(InfeasibleError):
        first = greedy(sizes, recipe.devices)
    offset = 0 if wanted is None else wanted - 1

    def entry(assignment: Assignment) -> dict[str, Any]:
        return {
            "heads": [heads + offset for heads in assignment.heads],
            "devices": [recipe.devices[device].name for device in assignment.devices],
            "restarts": assignment.restarts,
        }

    notes = {
        "exact": entry(best),
        "greedy": None if first is None else entry(first),
        "gap": None if first is None else gap(first, best),
    }
    return Fitted(
        heads=tuple(heads + offset for heads in best.heads),
        devices=tuple(recipe.devices[device].name for device in best.devices),
        notes=notes,
    )


def _heads_within(limit_bytes: float, sizes: Costs) -> int:
    """Return the most heads with which all parts together take at most ``limit_bytes``, or 1."""
    possible = [
        heads
        for heads in range(1, len(sizes[0]) + 1)
        if sum(row[heads - 1].bytes for row in sizes) <= limit_bytes
    ]
    return max(possible, default=1)
