"""The order in which things that wait for each other can go."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError as _CycleError
from graphlib import TopologicalSorter
from heapq import heappop, heappush


class CycleError(Exception):
    """Some wait for each other.

    Attributes:
        cycle: their names, each before the one that waits for it; the earliest given comes first.
    """

    def __init__(self, cycle: list[str]) -> None:
        self.cycle = cycle
        super().__init__(" → ".join(cycle))


def in_order(names: Iterable[str], edges: Iterable[tuple[str, str]]) -> list[str]:
    """Return ``names`` in topological order; of those that could come next, the earliest given.

    Args:
        names: each once.
        edges: (before, after) pairs of names.

    Raises:
        CycleError: there is no such order.
    """
    known = list(names)
    position = {name: index for index, name in enumerate(known)}
    sorter = TopologicalSorter[str](dict.fromkeys(known, ()))
    for before, after in edges:
        sorter.add(after, before)
    try:
        sorter.prepare()
    except _CycleError as error:
        cycle: list[str] = error.args[1][:-1]
        first = cycle.index(min(cycle, key=position.__getitem__))
        raise CycleError(cycle[first:] + cycle[:first]) from None
    order: list[str] = []
    ready: list[int] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, position[name])
        order.append(known[heappop(ready)])
        sorter.done(order[-1])
    return order
