"""A model as a directed acyclic graph of operators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import networkx as nx

from edgesim.errors import InputError
from edgesim.graph.op import BYTES_PER_ELEMENT, Op


class Graph:
    """Operators and the data that flows between them, for one sample.

    Args:
        name: of the model.
        ops: operators; names must be unique.
        edges: (producer, consumer) pairs of operator names.
        input_shape: of one sample, without batch: (channels, height, width).

    Raises:
        InputError: two operators share a name, an edge names an unknown operator, or there is a
            cycle.
    """

    def __init__(
        self,
        name: str,
        ops: Iterable[Op],
        edges: Iterable[tuple[str, str]],
        input_shape: tuple[int, ...] = (),
    ) -> None:
        self.name = name
        self.input_shape = tuple(input_shape)
        digraph: nx.DiGraph[str] = nx.DiGraph()
        by_name: dict[str, Op] = {}
        for op in ops:
            if op.name in by_name:
                raise InputError(f"graph '{name}': two operators are named '{op.name}'")
            by_name[op.name] = op
            digraph.add_node(op.name)
        for source, target in edges:
            for end in (source, target):
                if end not in by_name:
                    raise InputError(f"graph '{name}': an edge names '{end}', which is no operator")
            digraph.add_edge(source, target)
        position = {key: index for index, key in enumerate(by_name)}
        try:
            order = list(nx.lexicographical_topological_sort(digraph, key=position.__getitem__))
        except nx.NetworkXUnfeasible:
            cycle = " → ".join(edge[0] for edge in nx.find_cycle(digraph))
            raise InputError(f"graph '{name}' has a cycle: {cycle}") from None
        self._digraph = digraph
        self.ops: tuple[Op, ...] = tuple(by_name[key] for key in order)
        """Operators in execution (topological) order."""
        self._by_name = by_name

    def __len__(self) -> int:
        return len(self.ops)

    def __iter__(self) -> Iterator[Op]:
        return iter(self.ops)

    def __getitem__(self, name: str) -> Op:
        return self._by_name[name]

    def __repr__(self) -> str:
        return (
            f"Graph({self.name!r}, ops={len(self)}, params={self.params / 1e6:.2f} M, "
            f"macs={self.macs / 1e9:.3f} G)"
        )

    @property
    def edges(self) -> list[tuple[str, str]]:
        """(producer, consumer) pairs."""
        return list(self._digraph.edges)

    def predecessors(self, name: str) -> list[str]:
        """Names of the operators whose output ``name`` reads."""
        return list(self._digraph.predecessors(name))

    def successors(self, name: str) -> list[str]:
        """Names of the operators that read the output of ``name``."""
        return list(self._digraph.successors(name))

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one sample, attention products included."""
        return sum(op.macs for op in self.ops)

    @property
    def flop(self) -> int:
        """Floating-point operations of one sample; one multiply-accumulate counts as two."""
        return 2 * self.macs

    @cached_property
    def params(self) -> int:
        """Weights, in elements."""
        return sum(op.params for op in self.ops)

    @cached_property
    def input_elements(self) -> int:
        """Elements of one input sample."""
        elements = 1
        for size in self.input_shape:
            elements *= size
        return elements

    @cached_property
    def output_elements(self) -> int:
        """Elements that the operators without a successor write."""
        return sum(op.output_elements for op in self.ops if not self._digraph.out_degree(op.name))

    @cached_property
    def cut_elements(self) -> tuple[int, ...]:
        """Elements that cross each cut of the execution order.

        Entry ``i`` is what the first ``i`` operators hand to the rest: the distinct outputs that a
        later operator reads. Entry 0 is the input sample, the last entry is the model's output.
        """
        position = {op.name: index for index, op in enumerate(self.ops)}
        crossing = [0] * (len(self.ops) + 1)
        crossing[0] = self.input_elements
        for index, op in enumerate(self.ops):
            readers = [position[key] for key in self._digraph.successors(op.name)]
            last = max(readers, default=len(self.ops))
            for cut in range(index + 1, last + 1):
                crossing[cut] += op.output_elements
        return tuple(crossing)

    @cached_property
    def peak_activation_elements(self) -> int:
        """Largest sum of live activations while the operators run in order, one sample."""
        cuts = self.cut_elements
        return max((cuts[i] + op.output_elements for i, op in enumerate(self.ops)), default=0)

    def weight_bytes(self, precision: str) -> float:
        """Bytes of all weights at ``precision``."""
        return self.params * BYTES_PER_ELEMENT[precision]

    def memory_bytes(self, precision: str, batch: int = 1) -> float:
        """Bytes that running the graph needs: weights, and the peak of live activations x batch."""
        elements = self.params + batch * self.peak_activation_elements
        return elements * BYTES_PER_ELEMENT[precision]

    def slice(self, start: int, stop: int) -> Graph:
        """Return operators ``start:stop`` of the execution order as a graph of their own."""
        # Already checked and in order: what the constructor finds out anew is known here.
        part = object.__new__(Graph)
        part.name = f"{self.name}[{start}:{stop}]"
        part.input_shape = (self.cut_elements[start],)
        part.ops = self.ops[start:stop]
        part._by_name = {op.name: op for op in part.ops}
        part._digraph = nx.DiGraph()
        part._digraph.add_nodes_from(part._by_name)
        part._digraph.add_edges_from(
            (source, op.name)
            for op in part.ops
            for source in self._digraph.predecessors(op.name)
            if source in part._by_name
        )
        return part
