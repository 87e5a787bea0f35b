"""The best way to cut a model's execution order into stages on nodes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgesim.graph import BYTES_PER_ELEMENT, Graph
from edgesim.hardware import Duplex, Node
from edgesim.hardware.message import Passage, passage
from edgesim.placement.request import PlacementRequest
from edgesim.placement.stage_times import Values, stage_bytes, stage_times

OBJECTIVES = ("bottleneck", "latency")
_MOST_STATES = 512
"""Sets of used nodes up to which every order of the nodes is tried."""
_MOST_NODES = 64
"""Nodes that are considered at once."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Operators ``start:stop`` of the execution order on a node."""

    node: Node
    start: int
    stop: int
    memory_bytes: float


class _Solution(NamedTuple):
    """The objective, and the stages that reach it."""

    value: float
    stages: list[Stage]


class _Best(NamedTuple):
    """For each number of operators placed: the objective, the node before, and its cut."""

    value: Values
    previous: NDArray[np.int64]
    cut: NDArray[np.int64]


Used = tuple[int, ...]
"""How many nodes of each class are used."""


def best_cut(
    graph: Graph, nodes: list[Node], request: PlacementRequest, objective: str
) -> list[Stage] | None:
    """Return the stages with the least objective, or None where no cut fits the memories.

    ``latency`` adds compute and travel times of one request on an idle cluster, its input, its
    answer and waits for batches included. ``bottleneck`` takes the largest of the compute
    times (of a node's full batch, for each of its requests) and of the occupations of links: of
    one medium by all transfers together, where all share one, and of other links by each transfer
    that crosses them.

    The optimum is exact over all cuts between kernels (see `stage_times`) and all orders of the
    nodes for clusters of few kinds of nodes: up to 512 sets of used nodes, interchangeable ones
    counted once. In larger ones the stages keep the order in which the nodes are listed, and of
    more than 64 nodes the first 64 are considered, and the 64 of most memory where no cut fits
    those. Not counted together are several transfers of a request in the same direction of one of
    several links.
    """
    for some in _shortlists(nodes):
        problem = _Problem(graph, some, request, objective)
        if objective == "bottleneck" and problem.one_medium():
            stages = problem.solve_on_medium()
        else:
            found = problem.solve()
            stages = None if found is None else found.stages
        if stages is not None:
            return stages
    return None


def _shortlists(nodes: list[Node]) -> list[list[Node]]:
    """Return the nodes to try, and those to try where the first do not fit."""
    if len(nodes) <= _MOST_NODES:
        return [nodes]
    by_memory = sorted(nodes, key=lambda node: -node.model_memory_bytes)
    large = {node.name for node in by_memory[:_MOST_NODES]}
    return [nodes[:_MOST_NODES], [node for node in nodes if node.name in large]]


class _Problem:
    def __init__(
        self, graph: Graph, nodes: list[Node], request: PlacementRequest, objective: str
    ) -> None:
        precision = request.model.precision
        self.graph = graph
        self.nodes = nodes
        self.cluster = request.cluster
        self.latency = objective == "latency"
        """Whether times add up, or the largest counts."""
        self.only_flow = not self.latency
        """Whether transfers count with what they occupy of the network alone."""
        self.input_node = request.input_node
        self.width = BYTES_PER_ELEMENT[precision]
        self.sizes = np.array(graph.cut_elements, dtype=np.float64) * self.width
        self.input_bytes = request.input_bytes(graph.input_elements)
        self.cuts, times = stage_times(graph, nodes, precision, full_batch=not self.latency)
        self.memory = [stage_bytes(graph, self.cuts, one.batch.max, self.width) for one in nodes]
        # The first stage decodes the input.
        first = np.zeros((len(self.cuts), 1))
        first[0] = 1.0
        self.stage = [
            np.where(
                held <= node.model_memory_bytes,
                time + self._wait_s(node) + first * request.decoding_s(node),
                np.inf,
            )
            for node, time, held in zip(nodes, times, self.memory, strict=True)
        ]
        self.classes = self._classes()
        members = [self.classes.count(one) for one in range(max(self.classes) + 1)]
        self.members = members
        self.ordered = prod(count + 1 for count in members) > _MOST_STATES

    def _wait_s(self, node: Node) -> float:
        """Return how long one request alone waits on a node for others to batch it with."""
        return node.batch.wait_s if self.latency and node.batch.max > 1 else 0.0

    def one_medium(self) -> bool:
        """Return whether all transfers share one medium, in both directions."""
        names = [node.name for node in self.nodes]
        names += [self.input_node] if self.input_node and self.input_node not in names else []
        network = self.cluster.network
        routes = [network.route(a, b) for a in names for b in names if a != b]
        if None in routes:
            return False
        used = {hop.link for hops in routes for hop in hops or ()}
        return len(used) == 1 and network.links[used.pop()].duplex is not Duplex.FULL

    def solve_on_medium(self) -> list[Stage] | None:
        """Return the stages with the least bottleneck where all transfers add up on one medium.

        The least sum of transfers with no stage longer than T falls as T grows, and the largest
        of the two is least where they cross: bisection over the times that stages can take.
        """
        stage = self.stage
        limits = np.unique(np.concatenate([one[np.isfinite(one)] for one in stage]))
        self.latency, self.only_flow = True, True
        best: _Solution | None = None
        low, high = 0, len(limits)
        while low < high:
            middle = (low + high) // 2
            limit_s = float(limits[middle])
            self.stage = [np.where(one <= limit_s, 0.0, np.inf) for one in stage]
            found = self.solve()
            if found is not None:
                value = max(limit_s, found.value)
                if best is None or value < best.value:
                    best = _Solution(value, found.stages)
            if found is not None and found.value <= limit_s:
                high = middle
            else:
                low = middle + 1
        return None if best is None else best.stages

    def _classes(self) -> list[int]:
        """Return the class of each node; nodes of one class are interchangeable."""
        others = [self.input_node] if self.input_node else []
        seen: dict[object, int] = {}
        classes = []
        passages = {
            passage(self.cluster, a.name, b.name)
            for a in self.nodes
            for b in self.nodes
            if a is not b
        }
        uniform = len(passages) <= 1
        for index, node in enumerate(self.nodes):
            # Only a network that treats all pairs alike makes equal devices interchangeable.
            ends = [
                (passage(self.cluster, one, node.name), passage(self.cluster, node.name, one))
                for one in others
            ]
            own = (id(node.device), node.batch.max, node.batch.wait_s)
            key: object = (own, tuple(ends)) if uniform else index
            classes.append(seen.setdefault(key, len(seen)))
        return classes

    def _transfer_s(self, message: Passage, sizes: Values) -> Values:
        if message.latency_s == np.inf:
            return np.full_like(sizes, np.inf)
        return message.flow_s(sizes) if self.only_flow else message.total_s(sizes)

    def _join(self, a: Values, b: Values) -> Values:
        return np.asarray(a + b if self.latency else np.maximum(a, b))

    def solve(self) -> _Solution | None:
        """Run the programme over sets of used nodes."""
        table: dict[tuple[Used, int], _Best] = {}
        sizes = self.sizes[self.cuts]
        none = (0,) * len(self.members)
        for last, node in enumerate(self.nodes):
            if not self._next_of_class(none, last, -1):
                continue
            message = passage(self.cluster, self.input_node or node.name, node.name)
            enter = self._transfer_s(message, np.array([self.input_bytes]))
            value = self._join(np.broadcast_to(enter, sizes.shape), self.stage[last][0])
            zeros = np.zeros(len(sizes), dtype=np.int64)
            table[self._with(none, last), last] = _Best(value, zeros - 1, zeros)
        # Every state is reached from states before it: by number of nodes used, or by last node.
        pending = sorted(table, key=lambda key: (sum(key[0]), key[1]))
        best: tuple[float, tuple[Used, int]] | None = None
        while pending:
            following: dict[tuple[Used, int], None] = {}
            for key in pending:
                total = self._answer(key, table[key])
                if np.isfinite(total) and (best is None or total < best[0]):
                    best = (total, key)
                following.update(dict.fromkeys(self._extend(key, table, sizes)))
            pending = [] if self.ordered else list(following)
        if best is None:
            return None
        return _Solution(best[0], self._trace(best[1], table))

    def _extend(
        self, key: tuple[Used, int], table: dict[tuple[Used, int], _Best], sizes: Values
    ) -> list[tuple[Used, int]]:
        used, last = key
        reached = []
        for new, node in enumerate(self.nodes):
            if not self._next_of_class(used, new, last):
                continue
            message = passage(self.cluster, self.nodes[last].name, node.name)
            handed = self._join(table[key].value, self._transfer_s(message, sizes))
            matrix = self._join(handed[:, None], self.stage[new])
            cut = np.argmin(matrix, axis=0)
            value = matrix[cut, np.arange(len(sizes))]
            if not np.isfinite(value).any():
                continue
            name = (self._with(used, new), new)
            previous = np.full(len(sizes), last, dtype=np.int64)
            old = table.get(name)
            if old is None:
                table[name] = _Best(value, previous, cut)
            else:
                better = value < old.value
                table[name] = _Best(
                    np.where(better, value, old.value),
                    np.where(better, previous, old.previous),
                    np.where(better, cut, old.cut),
                )
            reached.append(name)
        return reached

    def _next_of_class(self, used: Used, node: int, last: int) -> bool:
        """Return whether ``node`` may come next: unused, and the first unused of its class."""
        if self.ordered:
            return node > last
        own = self.classes[node]
        before = self.classes[:node].count(own)
        return used[own] == before

    def _with(self, used: Used, node: int) -> Used:
        if self.ordered:
            # The last node says it all; one table entry for each.
            return (0,) * len(self.members)
        own = self.classes[node]
        return (*used[:own], used[own] + 1, *used[own + 1 :])

    def _answer(self, key: tuple[Used, int], best: _Best) -> float:
        """Return the objective of the whole model, answer delivered."""
        value = best.value[-1:]
        if self.input_node:
            size = np.array([self.graph.output_elements * self.width])
            message = passage(self.cluster, self.nodes[key[1]].name, self.input_node)
            value = self._join(value, self._transfer_s(message, size))
        return float(value[0])

    def _trace(self, key: tuple[Used, int], table: dict[tuple[Used, int], _Best]) -> list[Stage]:
        stages: list[Stage] = []
        used, last = key
        stop = len(self.cuts) - 1
        while last >= 0:
            best = table[used, last]
            start = int(best.cut[stop])
            memory = self.memory[last][start, stop]
            stages.append(
                Stage(self.nodes[last], int(self.cuts[start]), int(self.cuts[stop]), float(memory))
            )
            previous = int(best.previous[stop])
            if not self.ordered:
                own = self.classes[last]
                used = (*used[:own], used[own] - 1, *used[own + 1 :])
            last, stop = previous, start
        return stages[::-1]
