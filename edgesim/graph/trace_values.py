"""Tensors of an exported program: what holds them, and how they nest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from edgesim.graph.trace_rules import ComplexShape, Shape


def shape_of(tensor: Any) -> Shape:
    """Return the shape of a torch tensor."""
    shape = tuple(tensor.shape)
    return ComplexShape(shape) if tensor.is_complex() else shape


def elements(shape: Shape) -> int:
    """Return the number of elements of a shape; a complex one counts as two."""
    return prod(shape) * (2 if isinstance(shape, ComplexShape) else 1)


@dataclass(slots=True, eq=False)
class Storage:
    """Where a tensor and all its views live.

    Attributes:
        elements: number of elements of the whole, for one sample.
        fixed: made of parameters, buffers and constants only.
        op: operator that wrote it last; None for inputs, parameters and constants.
        is_input: part of the input sample.
        labels: names of the parameters and buffers that it is made of.
        derived: made of them rather than one of them.
    """

    elements: int
    fixed: bool = False
    op: str | None = None
    is_input: bool = False
    labels: tuple[str, ...] = ()
    derived: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor of the program: a view of a storage.

    Attributes:
        storage: storage that holds it.
        shape: shape with the batch.
        batched: holds a part for each sample, so that a sample's share is the batch's part.
    """

    storage: Storage
    shape: Shape
    batched: bool

    @property
    def numel(self) -> int:
        """Elements, of the whole batch; a complex one counts as two."""
        return elements(self.shape)


def flat(items: Any) -> Iterator[Value]:
    """Iterate over the tensors in nested containers."""
    if isinstance(items, Value):
        yield items
    elif isinstance(items, Mapping):
        yield from flat(items.values())
    elif isinstance(items, Iterable) and not isinstance(items, str):
        for item in items:
            yield from flat(item)


def each(shapes: Any) -> Iterator[Shape]:
    """Iterate over nested shapes: tuples are shapes, lists hold them."""
    if isinstance(shapes, tuple):
        yield shapes
    elif isinstance(shapes, list):
        for shape in shapes:
            yield from each(shape)


def like(shapes: Any, values: Iterable[Value]) -> Any:
    """Return the values nested as their shapes are."""
    remaining = iter(values)

    def fill(shape: Any) -> Any:
        if isinstance(shape, list):
            return [fill(item) for item in shape]
        return None if shape is None else next(remaining)

    return fill(shapes)
