"""Published rows prepared for the fit: what a model computes and moves, kernel by kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edgesim.calibrate.families import fused_by
from edgesim.graph import BYTES_PER_ELEMENT, Graph, OpKind, zoo
from edgesim.hardware import catalog
from edgesim.hardware.device import Published
from edgesim.hardware.fusion import kernels
from edgesim.hardware.processor import Processor

PRODUCTS = tuple(kind for kind in OpKind if kind.is_product and kind.like is None)
"""Operator kinds whose efficiency is a share of the peak."""
MOVES = tuple(
    kind
    for kind in OpKind
    if not kind.is_product and kind.like is None and kind is not OpKind.GENERIC
)
"""Operator kinds whose efficiency is a share of the memory bandwidth."""
KINDS = (*PRODUCTS, *MOVES)

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernels:
    """What the kernels of some graphs compute and move, one graph after another.

    Attributes:
        starts: (graphs,) index of the first kernel of each graph.
        flop: (kernels, products) FLOP of the whole batch.
        depth_flop: (kernels, products) FLOP behind each output element.
        bytes: (kernels,) bytes that are moved for the whole batch.
        moves: (kernels,) index in `MOVES` of kernels without products, -1 for the others.
    """

    starts: NDArray[np.intp]
    flop: Array
    depth_flop: Array
    bytes: Array
    moves: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Row:
    """One published figure of a model that can be built.

    Attributes:
        device: catalog name.
        published: published figure.
        architecture: models of the same layers share it (ViT-B and DeiT-B do), at every image size.
        kernels: kernels of the model's graph.
    """

    device: str
    published: Published
    architecture: str
    kernels: Kernels


def as_written(device: str) -> Processor:
    """Return a device as its entry says, before any fit."""
    mapping = {key: one for key, one in catalog.written(device).items() if key != "clock"}
    processor = catalog.from_mapping(device, mapping)
    assert isinstance(processor, Processor)
    return processor


def graph_of(published: Published) -> Graph | None:
    """Return the graph of a published row's model, or None where the zoo does not have it."""
    if published.model not in zoo.names():
        return None
    options = {"image_size": published.image_size, "classes": published.classes}
    return zoo.build(published.model, **{k: v for k, v in options.items() if v is not None})


@cache
def rows(device: str) -> tuple[Row, ...]:
    """Return the rows of a device whose models can be built, those not to fit included."""
    entry = as_written(device).fused
    found = []
    for published in catalog.published(device):
        graph = graph_of(published)
        if graph is None:
            continue
        fused = fused_by(device, published.runtime, entry)
        # The layers are the same whatever the head and the image: ViT and DeiT of one size are.
        architecture = published.model.replace("deit_", "vit_")
        table = tabulate([(graph, published.batch)], fused, published.precision)
        found.append(Row(device, published, architecture, table))
    return tuple(found)


def tabulate(
    graphs: Iterable[tuple[Graph, int]], fused: frozenset[OpKind], precision: str
) -> Kernels:
    """Return what the kernels of some graphs compute and move.

    Args:
        graphs: graphs, each with the samples of a batch.
        fused: operator kinds that run in the kernel before them.
        precision: precision of what is moved.
    """
    parts = [[(kernel, batch) for kernel in kernels(graph, fused)] for graph, batch in graphs]
    every = [pair for part in parts for pair in part]
    flop = np.zeros((len(every), len(PRODUCTS)))
    depth_flop = np.zeros_like(flop)
    for index, (kernel, batch) in enumerate(every):
        for work in kernel.work:
            at = PRODUCTS.index(work.kind.fitted_as)
            flop[index, at] += 2.0 * work.macs * batch
            depth_flop[index, at] += 2.0 * work.depth
    width = BYTES_PER_ELEMENT[precision]
    return Kernels(
        starts=np.cumsum([0, *map(len, parts[:-1])]),
        flop=flop,
        depth_flop=depth_flop,
        bytes=np.array([one.moved_bytes(width, batch) for one, batch in every]),
        moves=np.array([-1 if one.work else MOVES.index(one.kind.fitted_as) for one, _ in every]),
    )


def joined(parts: Sequence[Kernels]) -> Kernels:
    """Return the kernels of some tables as one table, their graphs one after another."""
    if not parts:
        nothing = np.zeros((0, len(PRODUCTS)))
        none = np.zeros(0, dtype=np.intp)
        return Kernels(starts=none, flop=nothing, depth_flop=nothing, bytes=np.zeros(0), moves=none)
    before = np.cumsum([0, *(len(one.bytes) for one in parts[:-1])])
    return Kernels(
        starts=np.concatenate([one.starts + at for one, at in zip(parts, before, strict=True)]),
        flop=np.concatenate([one.flop for one in parts]),
        depth_flop=np.concatenate([one.depth_flop for one in parts]),
        bytes=np.concatenate([one.bytes for one in parts]),
        moves=np.concatenate([one.moves for one in parts]),
    )


def unused(device: str) -> tuple[tuple[Published, str], ...]:
    """Return the published figures of a device that no fit sees, each with the reason."""
    found = []
    for published in catalog.published(device):
        if published.model not in zoo.names():
            found.append((published, "no builder makes this model"))
        elif not published.fit:
            found.append((published, published.note))
    return tuple(found)
