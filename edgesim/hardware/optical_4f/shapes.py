"""What of a graph runs on light: its layers between electronic ones, and each as a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from edgesim.graph import Graph, Op, OpKind, once_per_graph
from edgesim.graph.op import ConvGeometry, MatmulGeometry
from optics.errors import InputError
from optics.tiling import ConvShape
from optics.tiling.shape import near_square

Reading = Literal["valid", "pointwise"]
"""How a linear layer becomes a convolution, see :func:`shape_of`."""


@lru_cache(maxsize=4096)
def shape_of(op: Op, batch: int, reading: Reading = "valid") -> ConvShape:
    """Return the convolution that an operator is on a batch.

    A convolution is itself. A linear layer of d features on R rows, Linear(d, d_out), is by
    ``reading``

    - ``valid``: each row is an image of one channel, as nearly square as d divides (24 x 32 for
      768; a prime d makes 1 x d), and each of the d_out kernels is as large as the image, so that
      the valid convolution is one number, the row's product with the kernel. This is how
      ConvShareViT (arXiv 2504.11517) puts a transformer on light; rows and samples are images that
      share the kernels.
    - ``pointwise``: features are channels, rows are pixels, and kernels have one pixel. It takes no
      guard band, but d fields must be summed, in light or after it.

    Products of several matrices at once, each with weights of its own, are groups.

    Raises:
        optics.errors.InputError: the operator has no such shape (a transposed or volumetric
            convolution, a recurrent layer).
    """
    geometry = op.geometry
    if isinstance(geometry, ConvGeometry):
        return _convolution(geometry, batch)
    if isinstance(geometry, MatmulGeometry):
        count, inner, columns = geometry.count, geometry.inner, geometry.columns
        if reading == "valid":
            side = near_square(inner)
            return ConvShape(
                batch=geometry.rows * batch,
                in_channels=count,
                out_channels=count * columns,
                groups=count,
                size=side,
                kernel=side,
            )
        return ConvShape(
            batch=batch,
            in_channels=count * inner,
            out_channels=count * columns,
            groups=count,
            size=near_square(geometry.rows),
            kernel=(1, 1),
        )
    raise InputError(
        f"a {op.kind} operator of this form (transposed, volumetric or recurrent) is no plain "
        "two-dimensional convolution"
    )


def _convolution(geometry: ConvGeometry, batch: int) -> ConvShape:
    (top, bottom), (left, right) = (
        (before, max(before, (out - 1) * step + spread * (kernel - 1) + 1 - size - before))
        for before, out, step, spread, kernel, size in zip(
            geometry.padding,
            geometry.out_size,
            geometry.stride,
            geometry.dilation,
            geometry.kernel,
            geometry.in_size,
            strict=True,
        )
    )
    return ConvShape(
        batch=geometry.images * batch,
        in_channels=geometry.in_channels,
        out_channels=geometry.out_channels,
        size=geometry.in_size,
        kernel=geometry.kernel,
        groups=geometry.groups,
        stride=geometry.stride,
        dilation=geometry.dilation,
        # An even kernel that keeps the size has one zero more behind the image.
        padding=((top, bottom), (left, right)),
    )


_FOLDABLE = frozenset({OpKind.BATCHNORM, OpKind.ACTIVATION})


@dataclass(frozen=True, slots=True)
class OnLight:
    """A layer on light.

    Attributes:
        op: the operator.
        folded: names of operators that come with it at no cost of their own: a batch normalisation
            folds into kernels and bias, a comparison into the loop over detected values.
    """

    op: Op
    folded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OnHost:
    """Operators that electronics run one after another, between two layers on light.

    Attributes:
        graph: graph of these operators alone.
    """

    graph: Graph


Segment = OnLight | OnHost


@once_per_graph
def segments(
    graph: Graph, kinds: frozenset[OpKind], fused: frozenset[OpKind], on_host: frozenset[str]
) -> tuple[Segment, ...]:
    """Return the segments of a graph in execution order.

    Args:
        graph: graph of the model.
        kinds: kinds of operators that run on light.
        fused: kinds that the host's runtime fuses; of these, batch normalisations and comparisons
            fold into a convolution on light, as they do into one on a processor.
        on_host: names of operators that run on the host all the same.
    """
    found: list[OnLight | list[Op]] = []
    owner: dict[str, int] = {}
    for op in graph:
        if op.kind.fitted_as in kinds and op.name not in on_host:
            owner[op.name] = len(found)
            found.append(OnLight(op))
            continue
        sources = graph.predecessors(op.name)
        alone = len(sources) == 1 and graph.successors(sources[0]) == [op.name]
        if op.kind in fused & _FOLDABLE and alone and sources[0] in owner:
            light = found[owner[sources[0]]]
            assert isinstance(light, OnLight)
            if light.op.kind.is_convolution:
                found[owner[sources[0]]] = OnLight(light.op, (*light.folded, op.name))
                owner[op.name] = owner[sources[0]]
                continue
        if not found or isinstance(found[-1], OnLight):
            found.append([])
        run = found[-1]
        assert isinstance(run, list)
        run.append(op)
    return tuple(
        part if isinstance(part, OnLight) else OnHost(_alone(graph, part)) for part in found
    )


def _alone(graph: Graph, ops: Sequence[Op]) -> Graph:
    """Return some operators of a graph as a graph of their own."""
    names = {op.name for op in ops}
    edges = [
        (source, op.name) for op in ops for source in graph.predecessors(op.name) if source in names
    ]
    first, last = ops[0].name, ops[-1].name
    return Graph(f"{graph.name}: {first}" + (f" to {last}" if first != last else ""), ops, edges)
