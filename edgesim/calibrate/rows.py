"""Published rows made ready to fit: what a model computes and moves, kernel by kernel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edgesim.graph import BYTES_PER_ELEMENT, Graph, OpKind, zoo
from edgesim.hardware import catalog
from edgesim.hardware.fusion import kernels
from edgesim.hardware.processor import Processor
from edgesim.hardware.processor_spec import Published

KINDS = (OpKind.LINEAR, OpKind.ATTENTION, OpKind.CONV, OpKind.DEPTHWISE)
"""Operator kinds that have an efficiency; the others are bound by memory."""


@dataclass(frozen=True, slots=True)
class Row:
    """One published figure of a model that can be built.

    Attributes:
        device: catalog name.
        published: the figure.
        architecture: models of the same graph share it (ViT-B and DeiT-B do).
        flop: (kernels, kinds) of the whole batch.
        bytes: (kernels,) moved for the whole batch.
    """

    device: str
    published: Published
    architecture: str
    flop: NDArray[np.float64]
    bytes: NDArray[np.float64]


def graph_of(published: Published) -> Graph | None:
    """Return the graph of a published row's model, or None where the zoo does not have it."""
    if published.model not in zoo.names():
        return None
    options = {} if published.image_size is None else {"image_size": published.image_size}
    return zoo.build(published.model, **options)


@cache
def rows(device: str) -> tuple[Row, ...]:
    """Return the rows of a device whose models can be built, unfit ones included."""
    processor = catalog.from_mapping(device, catalog.written(device))
    assert isinstance(processor, Processor)
    found = []
    for published in catalog.published(device):
        graph = graph_of(published)
        if graph is None:
            continue
        parts = kernels(graph, processor.fused)
        batch = published.batch
        flop = np.zeros((len(parts), len(KINDS)))
        for index, part in enumerate(parts):
            for kind, macs in part.macs:
                flop[index, KINDS.index(kind)] = 2.0 * macs * batch
        moved = np.array(
            [part.weight_elements + batch * part.activation_elements for part in parts]
        )
        found.append(
            Row(
                device=device,
                published=published,
                architecture=f"{graph.params} weights, {graph.macs} MAC",
                flop=flop,
                bytes=moved * BYTES_PER_ELEMENT[published.precision],
            )
        )
    return tuple(found)
