"""Grows a graph from tensors and what operators compute on them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from edgesim.common.errors import InputError
from edgesim.graph.graph import Graph
from edgesim.graph.op import ConvGeometry, MatmulGeometry, Op, OpKind
from edgesim.graph.trace_rules import Shape, Work
from edgesim.graph.trace_values import Storage, Value, elements


class Emitter:
    """Collects operators; knows which parameters are counted and what a sample's share is.

    Args:
        name: name of the graph.
        layers: paths of the modules that are one operator each.
        batch: samples in the example.
    """

    def __init__(self, name: str, layers: Collection[str], batch: int) -> None:
        self.name = name
        self.batch = batch
        self._layers = layers
        self._ops: list[Op] = []
        self._position: dict[str, int] = {}
        self._edges: list[tuple[str, str]] = []
        self._input_readers: list[str] = []
        # Elements of each parameter and buffer that no operator has counted yet.
        self._left: dict[str, int] = {}
        self._whole: dict[str, int] = {}
        self._buffers: set[str] = set()

    def input(self, shape: Shape, batched: bool) -> Value:
        """Return a tensor of the input sample."""
        numbers = _share(elements(shape), self.batch if batched else 1)
        return Value(Storage(numbers, is_input=True), shape, batched)

    def weight(self, label: str, shape: Shape, *, buffer: bool = False) -> Value:
        """Return a parameter or buffer."""
        self._left[label] = self._whole[label] = elements(shape)
        if buffer:
            self._buffers.add(label)
        return Value(Storage(elements(shape), fixed=True, labels=(label,)), shape, False)

    def constant(self, shape: Shape, like: Value | None = None) -> Value:
        """Return a tensor made of nothing but numbers, for each sample where ``like`` is."""
        spread = self.batch > 1 and bool(shape) and shape[0] == self.batch
        spread = spread or (like is not None and like.batched)
        samples = self.batch if spread else 1
        return Value(Storage(_share(elements(shape), samples), fixed=True), shape, spread)

    def view(self, source: Value, shape: Shape) -> Value:
        """Return a view; one that spreads a single value over the batch holds a part for each."""
        grows = elements(shape) > source.numel and shape[0] == self.batch > 1
        return Value(source.storage, shape, source.batched or grows)

    def folded(self, operands: Iterable[Value], shapes: Iterable[Shape]) -> list[Value]:
        """Return what depends on no input: made before the first sample, as runtimes do."""
        operands = list(operands)
        held = (label for value in operands for label in value.storage.labels)
        labels = tuple(dict.fromkeys(held))
        batched = any(value.batched for value in operands)
        return [
            Value(
                Storage(elements(shape), True, labels=tuple(labels), derived=True), shape, batched
            )
            for shape in shapes
        ]

    def emit(
        self,
        work: Work,
        operands: Iterable[Value],
        shapes: Sequence[Shape],
        *,
        path: str,
        operation: str,
        storage: Storage | None = None,
        read: Collection[int] | None = None,
    ) -> list[Value]:
        """Add an operator; return its outputs.

        Args:
            work: work on the whole batch.
            operands: values that it reads.
            shapes: shapes of its outputs.
            path: path of the module that it belongs to.
            operation: name of the operation inside its module.
            storage: storage that it writes to, if it works in place.
            read: places of the outputs that are read; None for all.
        """
        distinct = list(dict.fromkeys(operands))
        batched = any(value.batched for value in distinct)
        samples = self.batch if batched else 1
        name = self._unique(self._base(path, operation, work.kind, distinct))
        stores = [value.storage for value in distinct]
        fixed = all(held.fixed for held in stores)
        moving = [v for v in distinct if v.storage.op is not None or v.storage.is_input]
        if storage is None:
            written = sum(
                _share(elements(shape), samples)
                for place, shape in enumerate(shapes)
                if read is None or place in read
            )
            storage = Storage(written, fixed=True)
        self._ops.append(
            Op(
                name=name,
                kind=work.kind,
                macs=_share(work.macs, samples),
                params=self._claim(distinct, work.kind),
                input_elements=sum(self._read(value) for value in moving),
                output_elements=storage.elements,
                geometry=_of_sample(work, samples),
                other_flop=_share(work.other_flop, samples),
                weight_bits=work.weight_bits,
                activation_bits=work.activation_bits,
            )
        )
        self._position[name] = len(self._position)
        sources = {value.storage.op for value in distinct if value.storage.op is not None}
        latest_first = sorted(sources, key=self._position.__getitem__, reverse=True)
        self._edges.extend((source, name) for source in latest_first)
        if any(held.is_input for held in stores):
            self._input_readers.append(name)
        storage.op, storage.is_input, storage.labels = name, False, ()
        storage.fixed = storage.fixed and fixed
        return [Value(storage, shape, batched) for shape in shapes]

    def is_last_linear(self, value: Value) -> bool:
        """Return whether a value is what the operator before has computed with a weight matrix."""
        last = self._ops[-1] if self._ops else None
        return last is not None and last.kind is OpKind.LINEAR and value.storage.op == last.name

    def add_bias(self, operands: Sequence[Value], shape: Shape) -> Value:
        """Count the parameters of a sum at the product before it, which one of ``operands`` is."""
        bias, product = sorted(operands, key=lambda one: one.storage.op is not None)
        last = self._ops[-1]
        self._ops[-1] = replace(last, params=last.params + self._claim([bias], last.kind))
        return self.view(product, shape)

    def unread(self) -> list[tuple[str, int]]:
        """Return the parameters that no operator has read any of, and the elements of each."""
        return [
            (label, left)
            for label, left in self._left.items()
            if left and left == self._whole[label] and label not in self._buffers
        ]

    def graph(self, outputs: Iterable[Value], input_shape: Shape) -> Graph:
        """Return the graph whose outputs are the values in ``outputs``.

        Raises:
            InputError: nothing is computed.
        """
        if not self._ops:
            raise InputError(f"model '{self.name}' computes nothing: it has no operator to place")
        writers = {value.storage.op for value in outputs}
        return Graph(
            self.name,
            self._ops,
            self._edges,
            input_shape,
            input_readers=self._input_readers,
            outputs=[name for name in self._position if name in writers],
        )

    def _read(self, value: Value) -> int:
        """Return one sample's elements of a value; those that are broadcast count once."""
        numbers = _share(value.numel, self.batch if value.batched else 1)
        return min(numbers, value.storage.elements)

    def _claim(self, values: Sequence[Value], kind: OpKind) -> int:
        """Return the parameters in some values that no operator has read before.

        A buffer is a weight only where a product has no other: beside a parameter it is data.
        """
        own = {label for value in values for label in value.storage.labels} - self._buffers
        buffers = kind.has_weights and not own
        taken = 0
        for value in values:
            for label in value.storage.labels:
                if label in self._buffers and not buffers:
                    continue
                left = self._left[label]
                # A view of a part claims that part; the rest is for who reads it.
                part = left if value.storage.derived else min(left, value.numel)
                self._left[label] = left - part
                taken += part
        return taken

    def _base(self, path: str, operation: str, kind: OpKind, operands: Iterable[Value]) -> str:
        """Return the path of the operator's layer or weight, or of its module and operation."""
        if path in self._layers:
            return path
        if kind.has_weights or kind in (OpKind.NORM, OpKind.BATCHNORM):
            for value in operands:
                if value.storage.labels and not value.storage.derived:
                    owner = re.sub(r"[._]?(weight|bias)$", "", value.storage.labels[0])
                    if owner:
                        return owner
        return f"{path}.{operation}" if path else operation

    def _unique(self, base: str) -> str:
        name, count = base, 0
        while name in self._position:
            count += 1
            name = f"{base}_{count}"
        return name


def _share(total: int, samples: int) -> int:
    """Return one sample's part, rounded up."""
    return -(-total // samples)


def _of_sample(work: Work, samples: int) -> ConvGeometry | MatmulGeometry | None:
    geometry = work.geometry
    if geometry is None or samples == 1:
        return geometry
    if isinstance(geometry, ConvGeometry):
        return replace(geometry, images=_share(geometry.images, samples))
    # Samples share a weight as rows of one product; products of activations are each their own.
    if not work.kind.has_weights and geometry.count % samples == 0:
        return replace(geometry, count=geometry.count // samples)
    return replace(geometry, rows=_share(geometry.rows, samples))
