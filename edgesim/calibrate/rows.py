"""Published rows made ready to fit: what a model computes and moves, kernel by kernel."""

from __future__ import annotations

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

PRODUCTS = (OpKind.LINEAR, OpKind.ATTENTION, OpKind.CONV, OpKind.DEPTHWISE)
"""Operator kinds whose efficiency is a share of the peak."""
MOVES = tuple(kind for kind in OpKind if kind not in (*PRODUCTS, OpKind.GENERIC))
"""Operator kinds whose efficiency is a share of the memory bandwidth."""
KINDS = (*PRODUCTS, *MOVES)

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """One published figure of a model that can be built.

    Attributes:
        device: catalog name.
        published: the figure.
        architecture: models of the same layers share it (ViT-B and DeiT-B do), at every image size.
        flop: (kernels, products) of the whole batch.
        depth_flop: (kernels, products) FLOP behind each output element.
        bytes: (kernels,) moved for the whole batch.
        moves: (kernels,) index in `MOVES` of kernels without products, -1 for the others.
    """

    device: str
    published: Published
    architecture: str
    flop: Array
    depth_flop: Array
    bytes: Array
    moves: NDArray[np.intp]


def as_written(device: str) -> Processor:
    """Return a device as its entry says, before any fit."""
    processor = catalog.from_mapping(device, catalog.written(device))
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
        table = tabulate(graph, fused, published.batch, published.precision)
        found.append(Row(device, published, _architecture(published), *table))
    return tuple(found)


def tabulate(
    graph: Graph, fused: frozenset[OpKind], batch: int, precision: str
) -> tuple[Array, Array, Array, NDArray[np.intp]]:
    """Return what the kernels of a graph compute and move.

    Args:
        graph: of a model.
        fused: kinds that run in the kernel before them.
        batch: samples at once.
        precision: of what is moved.

    Returns:
        `Row.flop`, `Row.depth_flop`, `Row.bytes` and `Row.moves`.
    """
    parts = kernels(graph, fused)
    flop = np.zeros((len(parts), len(PRODUCTS)))
    depth_flop = np.zeros_like(flop)
    for index, part in enumerate(parts):
        for work in part.work:
            flop[index, PRODUCTS.index(work.kind)] = 2.0 * work.macs * batch
            depth_flop[index, PRODUCTS.index(work.kind)] = 2.0 * work.depth
    moved = [part.weight_elements + batch * part.activation_elements for part in parts]
    size = np.array(moved) * BYTES_PER_ELEMENT[precision]
    moves = np.array([-1 if part.work else MOVES.index(part.kind) for part in parts])
    return flop, depth_flop, size, moves


def unused(device: str) -> tuple[tuple[Published, str], ...]:
    """Return the published figures of a device that no fit sees, each with the reason."""
    found = []
    for published in catalog.published(device):
        if published.model not in zoo.names():
            found.append((published, "no builder makes this model"))
        elif not published.fit:
            found.append((published, published.note))
    return tuple(found)


def _architecture(published: Published) -> str:
    """Name what the layers are, whatever head and image: ViT and DeiT of one size are the same."""
    return published.model.replace("deit_", "vit_")
