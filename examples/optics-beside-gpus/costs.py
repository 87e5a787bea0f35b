"""Time and joules of an image on a device: what every table and picture asks."""

from __future__ import annotations

import math
from functools import cache

from edgesim.graph import Graph, zoo
from edgesim.hardware import Device, catalog

MODELS = {
    "resnet18_cifar": "ResNet-18, 32 x 32, as FatNet counts it",
    "resnet18": "ResNet-18, 224 x 224",
    "vit_base_patch16_224": "ViT-B/16, 224 x 224, its linear layers as valid convolutions",
    "convsharevit_72": "ConvShareViT, 72 x 72, shared valid convolutions",
    "convsharevit_same_72": "ConvShareViT, 72 x 72, shared same convolutions of 3 x 3",
}
"""The models of the study and what they are."""


@cache
def model(name: str, **options: int) -> Graph:
    """Return a model of the catalog."""
    return zoo.build(name, **options)


@cache
def gpus() -> tuple[str, ...]:
    """Return the catalog's devices with a GPU: graphics cards, and Jetsons after them."""
    names = catalog.names("processor")
    return tuple(
        name for maker in ("nvidia-", "jetson-") for name in names if name.startswith(maker)
    )


@cache
def crossbars() -> tuple[str, ...]:
    """Return the catalog's photonic crossbars of four bits, which are made for transformers."""
    names = catalog.names("photonic-crossbar")
    return tuple(name for name in names if "int4" in catalog.device(name).precisions())


def precision_of(device: Device) -> str:
    """Return what a device computes in here: four bits, else sixteen, else what it has."""
    offered = device.precisions()
    return next((one for one in ("int4", "fp16") if one in offered), offered[0])


def runs_in(device: Device, precision: str) -> bool:
    """Return whether a device computes in a precision."""
    return precision in device.precisions()


def per_image_s(device: Device, graph: Graph, batch: int, precision: str | None = None) -> float:
    """Return seconds of an image, the device busy with batches; infinite where one does not fit."""
    asked = precision or precision_of(device)
    if graph.memory_bytes(asked, batch) > device.memory_capacity_bytes:
        return math.inf
    return device.graph_cost(graph, asked, batch).time_s / batch


def per_image_j(device: Device, graph: Graph, batch: int) -> dict[str, float]:
    """Return joules of an image by part, the device busy; by ``all`` where it tells no parts."""
    cost = device.graph_cost(graph, precision_of(device), batch)
    parts = cost.by_part_j or {"all": cost.power_w * cost.time_s}
    return {part: joules / batch for part, joules in parts.items()}
