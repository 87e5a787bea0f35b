"""Times and memory of all possible stages of a pipeline, on each node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgesim.graph import Graph
from edgesim.hardware import Device, Node

Values = NDArray[np.float64]
Cuts = NDArray[np.int64]

_WINDOW = 8
"""Number of operators on each side of a cut that decide whether it goes through a kernel."""
_MOST_CUTS = 32
"""Cuts that are considered where every stage must be asked for by itself."""
_ROUNDING = 1e-9
"""Share by which equal times may differ: sums of hundreds of terms in another order."""


def stage_times(
    graph: Graph, nodes: Sequence[Node], precision: str, *, full_batch: bool
) -> tuple[Cuts, list[Values]]:
    """Return the cuts to consider, and for each node the seconds of the operators between two.

    Entry ``[a, b]`` of a node's matrix is the time of operators ``cuts[a]:cuts[b]``, infinite
    where that is nothing. With ``full_batch`` it is the time of the node's largest batch over its
    requests, without it that of one request.

    Devices are only known by what they answer for a graph. Where a device's time is a sum over
    kernels, with or without a constant for each graph, cuts fall between kernels, and few answers
    tell all times; that it is such a sum is checked. Where it is not, every stage is asked for by
    itself, over 32 cuts of about equal work between them.
    """
    askers: dict[tuple[int, int], _Asker] = {}
    # Each made once for all devices.
    slices = cache(graph.slice)
    keys = []
    for node in nodes:
        batch = node.batch.max if full_batch else 1
        key = (id(node.device), batch)
        keys.append(key)
        if key not in askers:
            askers[key] = _Asker(slices, len(graph), node.device, precision, batch)
    clean = np.ones(len(graph) + 1, dtype=bool)
    for asker in askers.values():
        clean &= asker.clean_cuts()
    cuts = np.flatnonzero(clean)
    summed = {key: asker.summed(cuts) for key, asker in askers.items()}
    tables = {key: table for key, table in summed.items() if table is not None}
    if len(tables) < len(askers) or (len(cuts) == 2 and len(graph) > 1):
        cuts = _even_cuts(graph)
        tables = {key: asker.asked(cuts) for key, asker in askers.items()}
    return cuts, [tables[key] for key in keys]


def stage_bytes(graph: Graph, cuts: Cuts, batch: int, element_bytes: float) -> Values:
    """Return the bytes that operators ``cuts[a]:cuts[b]`` hold: weights, and peak activations."""
    params = np.concatenate([[0], np.cumsum([op.params for op in graph])])[cuts]
    live = np.array(
        [graph.cut_elements[i] + op.output_elements for i, op in enumerate(graph)],
        dtype=np.float64,
    )
    peak = np.zeros((len(cuts), len(cuts)))
    for a, start in enumerate(cuts[:-1]):
        running = np.maximum.accumulate(live[start:])
        peak[a, a + 1 :] = running[cuts[a + 1 :] - start - 1]
    weights = (params[None, :] - params[:, None]).astype(np.float64)
    return np.asarray((weights + batch * peak) * element_bytes)


@dataclass(eq=False)
class _Asker:
    """Times of slices on one device."""

    slices: Callable[[int, int], Graph]
    length: int
    device: Device
    precision: str
    batch: int
    constant_s: float = 0.0
    """Of each graph, however short."""

    def _time_s(self, start: int, stop: int) -> float:
        part = self.slices(start, stop)
        return self.device.graph_cost(part, self.precision, self.batch).time_s / self.batch

    def clean_cuts(self) -> NDArray[np.bool_]:
        """Return which cuts cost no more than the constant of a graph; both ends are clean."""
        length = self.length
        clean = np.ones(length + 1, dtype=bool)
        if length < 2:
            return clean
        excess = np.empty(length - 1)
        scale = np.empty(length - 1)
        for cut in range(1, length):
            low, high = max(0, cut - _WINDOW), min(length, cut + _WINDOW)
            apart_s = self._time_s(low, cut) + self._time_s(cut, high)
            excess[cut - 1] = apart_s - self._time_s(low, high)
            scale[cut - 1] = apart_s
        near = _ROUNDING * scale
        self.constant_s = float(excess.min())
        if abs(self.constant_s) <= near[excess.argmin()]:
            self.constant_s = 0.0
        clean[1:-1] = np.abs(excess - self.constant_s) <= near
        # A constant that only some cuts show is none.
        if self.constant_s and clean[1:-1].mean() <= 0.5:
            clean[1:-1] = False
        return clean

    def summed(self, cuts: Cuts) -> Values | None:
        """Return the times of all stages as sums over those between neighbours, if they are."""
        constant_s = self.constant_s
        between = [self._time_s(int(a), int(b)) - constant_s for a, b in pairwise(cuts)]
        until = np.concatenate([[0.0], np.cumsum(between)])
        whole_s = self._time_s(0, self.length)
        if abs(until[-1] + constant_s - whole_s) > _ROUNDING * whole_s:
            return None
        return _only_forward(until[None, :] - until[:, None] + constant_s)

    def asked(self, cuts: Cuts) -> Values:
        """Return the times of all stages, each from the device."""
        table = np.zeros((len(cuts), len(cuts)))
        for a, start in enumerate(cuts):
            for b in range(a + 1, len(cuts)):
                table[a, b] = self._time_s(int(start), int(cuts[b]))
        return _only_forward(table)


def _only_forward(table: Values) -> Values:
    table[np.tril_indices(len(table))] = np.inf
    return table


def _even_cuts(graph: Graph) -> Cuts:
    """Return all cuts, or of many the lightest within each of equal shares of the work."""
    length = len(graph)
    if length < _MOST_CUTS:
        return np.arange(length + 1)
    # An operator without arithmetic counts as one operation, so that shares end somewhere.
    work = np.cumsum([op.flop + 1.0 for op in graph])
    share = np.minimum((work / work[-1] * (_MOST_CUTS - 2)).astype(int), _MOST_CUTS - 3)
    lightest: dict[int, int] = {}
    for cut in range(1, length):
        one = int(share[cut - 1])
        if one not in lightest or graph.cut_elements[cut] < graph.cut_elements[lightest[one]]:
            lightest[one] = cut
    return np.array([0, *sorted(lightest.values()), length])
