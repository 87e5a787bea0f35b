"""A model as a directed acyclic graph of operators."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import astuple
from functools import cached_property, wraps
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from edgesim.common.errors import InputError
from edgesim.common.ordering import CycleError, in_order
from edgesim.graph import file
from edgesim.graph.op import BYTES_PER_ELEMENT, Op


class Graph:
    """Operators and the data that flows between them, for one sample.

    Args:
        name: name of the model.
        ops: operators; names must be unique.
        edges: (producer, consumer) pairs of operator names.
        input_shape: shape of one sample, without batch: (channels, height, width).
        input_readers: operators that read the input sample; those without a producer unless given.
        outputs: operators whose output leaves the model; those without a reader unless given.
        source: sentence on where it comes from, for people.

    Raises:
        InputError: two operators share a name, an edge or one of the last two names an unknown
            operator, or there is a cycle.
    """

    def __init__(
        self,
        name: str,
        ops: Iterable[Op],
        edges: Iterable[tuple[str, str]],
        input_shape: tuple[int, ...] = (),
        *,
        input_readers: Iterable[str] | None = None,
        outputs: Iterable[str] | None = None,
        source: str = "",
    ) -> None:
        self.name = name
        self.source = source
        self.is_slice = False
        """Whether it is part of a larger graph, by `slice`."""
        self.input_shape = tuple(input_shape)
        by_name: dict[str, Op] = {}
        for op in ops:
            if op.name in by_name:
                raise InputError(f"graph '{name}': two operators are named '{op.name}'")
            by_name[op.name] = op
        self._by_name = by_name
        self._join(edges)
        try:
            order = in_order(by_name, self.edges)
        except CycleError as error:
            raise InputError(f"graph '{name}' has a cycle: {error}") from None
        self.ops: tuple[Op, ...] = tuple(by_name[key] for key in order)
        """Operators in execution (topological) order."""
        self._input_readers = self._known("input reader", input_readers, self._before)
        self._outputs = self._known("output", outputs, self._after)

    def _join(self, edges: Iterable[tuple[str, str]]) -> None:
        """Note which operators each one reads and is read by, in the order of the edges."""
        self._before: dict[str, dict[str, None]] = {key: {} for key in self._by_name}
        self._after: dict[str, dict[str, None]] = {key: {} for key in self._by_name}
        for source, target in edges:
            for end in (source, target):
                if end not in self._by_name:
                    raise InputError(
                        f"graph '{self.name}': an edge names '{end}', which is no operator"
                    )
            self._before[target][source] = self._after[source][target] = None

    def _known(
        self, role: str, named: Iterable[str] | None, neighbours: Mapping[str, Collection[str]]
    ) -> frozenset[str]:
        if named is None:
            return frozenset(key for key in self._by_name if not neighbours[key])
        chosen = frozenset(named)
        for key in chosen:
            if key not in self._by_name:
                raise InputError(f"graph '{self.name}': {role} '{key}' is no operator")
        return chosen

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
    def input_readers(self) -> list[str]:
        """Names of the operators that read the input sample, in execution order."""
        return [op.name for op in self.ops if op.name in self._input_readers]

    @property
    def outputs(self) -> list[str]:
        """Names of the operators whose output leaves the model, in execution order."""
        return [op.name for op in self.ops if op.name in self._outputs]

    def content(self) -> file.Content:
        """Return what its file holds: the arguments that make it again.

        Raises:
            InputError: it is part of another graph, by `slice`.
        """
        if self.is_slice:
            raise InputError(f"'{self.name}' is a part of a graph; save the whole graph")
        return file.Content(
            name=self.name,
            source=self.source,
            ops=list(self.ops),
            edges=[(source, op.name) for op in self.ops for source in self._before[op.name]],
            input_shape=self.input_shape,
            input_readers=self.input_readers,
            outputs=self.outputs,
        )

    def save(self, path: str | Path) -> None:
        """Write the graph to a file (``NAME.graph.json``), whole or not at all.

        Raises:
            InputError: it is part of another graph, by `slice`.
            EdgesimError: the file cannot be written.
        """
        file.write(Path(path), self.content())

    @classmethod
    def load(cls, path: str | Path) -> Graph:
        """Return the graph that `save` or ``edgesim trace`` wrote; needs no torch.

        Raises:
            InputError: the file cannot be read, is none, or is of another version; or a line for
                each mistake.
        """
        return cls.of(file.read(Path(path)), str(path))

    @classmethod
    def of(cls, content: file.Content, title: str) -> Graph:
        """Return the graph of what a file holds; messages call the file ``title``.

        Raises:
            InputError: operators wait for each other.
        """
        try:
            return cls(**content)
        except InputError as error:
            raise InputError(f"{title}: {error}") from None

    def with_ops(self, ops: Iterable[Op]) -> Graph:
        """Return a graph of the same name and edges with other operators of the same names."""
        return Graph(
            self.name,
            ops,
            [(source, op.name) for op in self.ops for source in self._before[op.name]],
            self.input_shape,
            input_readers=self._input_readers,
            outputs=self._outputs,
            source=self.source,
        )

    @property
    def edges(self) -> list[tuple[str, str]]:
        """(producer, consumer) pairs."""
        return [(source, target) for source, after in self._after.items() for target in after]

    def predecessors(self, name: str) -> list[str]:
        """Names of the operators whose output ``name`` reads, in the order of the edges.

        Builders and `trace` put the one that was computed last first: a runtime that fuses a
        residual sum puts it into the kernel that ends the branch.
        """
        return list(self._before[name])

    def successors(self, name: str) -> list[str]:
        """Names of the operators that read the output of ``name``."""
        return list(self._after[name])

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one sample, attention products included."""
        return sum(op.macs for op in self.ops)

    @property
    def flop(self) -> int:
        """Floating-point operations of one sample; one multiply-accumulate counts as two."""
        return 2 * self.macs + self.other_flop

    @cached_property
    def other_flop(self) -> int:
        """Floating-point operations of one sample that are no multiply-accumulate."""
        return sum(op.other_flop for op in self.ops)

    @cached_property
    def needed_macs(self) -> int:
        """Multiply-accumulates of one sample without those of blocks of weights that are zero."""
        return sum(op.needed_macs for op in self.ops)

    @cached_property
    def params(self) -> int:
        """Weights, in elements."""
        return sum(op.params for op in self.ops)

    @cached_property
    def input_elements(self) -> int:
        """Elements of one input sample."""
        return prod(self.input_shape)

    @cached_property
    def output_elements(self) -> int:
        """Elements that leave the model: all that its outputs hold."""
        return sum(self._by_name[key].output_elements for key in self._outputs)

    @cached_property
    def cut_elements(self) -> tuple[int, ...]:
        """Elements that cross each cut of the execution order.

        Entry ``i`` is what the first ``i`` operators hand to the rest: the distinct outputs that a
        later operator reads or that leave the model, and the input sample while a later operator
        reads it. Entry 0 is the input sample, the last entry is the model's output.
        """
        end = len(self.ops)
        position = {op.name: index for index, op in enumerate(self.ops)}
        # Differences between neighbouring cuts, summed up at the end.
        steps = [0] * (end + 2)
        steps[0] += self.input_elements
        steps[1 + max((position[key] for key in self._input_readers), default=0)] -= (
            self.input_elements
        )
        for index, op in enumerate(self.ops):
            last = max((position[key] for key in self._after[op.name]), default=index)
            if op.name in self._outputs:
                last = end
            steps[index + 1] += op.output_elements
            steps[last + 1] -= op.output_elements
        return tuple(accumulate(steps[: end + 1]))

    @cached_property
    def peak_activation_elements(self) -> int:
        """Largest sum of live activations while the operators run in order, one sample."""
        cuts = self.cut_elements
        return max((cuts[i] + op.output_elements for i, op in enumerate(self.ops)), default=0)

    def weight_bytes(self, precision: str) -> float:
        """Bytes of all weights: of their own bits, or of ``precision``."""
        plain = sum(op.params for op in self.ops if op.weight_bits is None)
        own = sum(op.weight_bytes(precision) for op in self.ops if op.weight_bits is not None)
        return plain * BYTES_PER_ELEMENT[precision] + own

    def memory_bytes(self, precision: str, batch: int = 1) -> float:
        """Bytes that running the graph needs: weights, and the peak of live activations x batch.

        Activations wait at ``precision``, whatever the bits of the operators that read them.
        """
        activations = batch * self.peak_activation_elements * BYTES_PER_ELEMENT[precision]
        return self.weight_bytes(precision) + activations

    def slice(self, start: int, stop: int) -> Graph:
        """Return operators ``start:stop`` of the execution order as a graph of their own.

        Its input is what crosses the cut before ``start``, its output what crosses the cut before
        ``stop``; what only passes through is held meanwhile, as in a pipeline of neighbours.
        """
        # Already checked and in order: what the constructor finds out anew is known here.
        start, stop, _ = slice(start, stop).indices(len(self.ops))
        cuts = self.cut_elements[start : max(start, stop) + 1]
        part = object.__new__(Graph)
        part.name = f"{self.name}[{start}:{stop}]"
        part.source = self.source
        part.is_slice = self.is_slice or (start, stop) != (0, len(self.ops))
        part.input_shape = (cuts[0],)
        part.ops = self.ops[start:stop]
        part._by_name = {op.name: op for op in part.ops}
        part._join(
            (source, op.name)
            for op in part.ops
            for source in self._before[op.name]
            if source in part._by_name
        )
        part._input_readers = frozenset(
            op.name
            for op in part.ops
            if op.name in self._input_readers
            or any(key not in part._by_name for key in self._before[op.name])
        )
        part._outputs = frozenset(
            op.name
            for op in part.ops
            if op.name in self._outputs
            or any(key not in part._by_name for key in self._after[op.name])
        )
        part.__dict__["cut_elements"] = cuts
        part.__dict__["output_elements"] = cuts[-1]
        return part


def fingerprint(graph: Graph) -> str:
    """Return the SHA-256 of a graph's operators, their order and the data between them.

    Names do not count: two parts of equal shape have the same, as they take the same time.
    """
    position = {op.name: index for index, op in enumerate(graph.ops)}
    rows = [
        [
            str(op.kind),
            op.macs,
            op.params,
            op.input_elements,
            op.output_elements,
            type(op.geometry).__name__,
            [] if op.geometry is None else astuple(op.geometry),
            [position[name] for name in graph.predecessors(op.name)],
            *_special(op),
        ]
        for op in graph.ops
    ]
    text = json.dumps([list(graph.input_shape), rows], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _special(op: Op) -> list[object]:
    """Return what most operators do not have, so that the fingerprint of those stays."""
    own = (op.other_flop, op.weight_bits, op.activation_bits, op.density, op.block)
    return [] if own == (0, None, None, 1.0, None) else [own]


Result = TypeVar("Result")
Rest = ParamSpec("Rest")


def once_per_graph(
    function: Callable[Concatenate[Graph, Rest], Result],
) -> Callable[Concatenate[Graph, Rest], Result]:
    """Remember what a function of a graph returned, for as long as the graph is there.

    Its other arguments must be hashable.
    """

    @wraps(function)
    def found(graph: Graph, /, *args: Rest.args, **options: Rest.kwargs) -> Result:
        results: dict[Hashable, Result] = graph.__dict__.setdefault(f"_{function.__name__}", {})
        key = args, tuple(options.items())
        if key not in results:
            results[key] = function(graph, *args, **options)
        return results[key]

    return found
