"""Small models and clusters to place."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from edgesim.graph import Graph, Op, OpKind
from edgesim.hardware import Cluster, Link, Node
from edgesim.hardware.topology import from_links, star
from edgesim.placement import Model, PlacementRequest
from tests.edgesim.simulate.models import Flops


def chain(macs: Sequence[int], outputs: Sequence[int] | None = None, params: int = 0) -> Graph:
    """A chain of operators; ``outputs`` are the elements that each hands on."""
    outputs = outputs or [1] * len(macs)
    ops = [
        Op(
            name=f"op{i}",
            kind=OpKind.LINEAR,
            macs=m,
            params=params,
            input_elements=outputs[i - 1] if i else 1,
            output_elements=o,
        )
        for i, (m, o) in enumerate(zip(macs, outputs, strict=True))
    ]
    edges = [(a.name, b.name) for a, b in itertools.pairwise(ops)]
    return Graph("chain", ops, edges, (1,))


def node(name: str, rate: float = 1.0, memory: float = float("inf"), **options: Any) -> Node:
    device = Flops(rate=rate, memory_capacity_bytes=memory, **options)
    return Node(name=name, device=device)


def joined(nodes: Sequence[Node], bandwidth: float = 1.0, latency: float = 0.0) -> Cluster:
    """Nodes around one switch."""
    names = [one.name for one in nodes]
    network = star(names, bandwidth_byte_s=bandwidth, latency_s=latency)
    return Cluster(nodes={one.name: one for one in nodes}, network=network)


def meshed(nodes: Sequence[Node], bandwidths: dict[tuple[str, str], float]) -> Cluster:
    """Nodes with a link of its own between each two."""
    links = [
        Link(name=f"{a}{b}", bandwidth_byte_s=bandwidth, ends=(a, b))
        for (a, b), bandwidth in bandwidths.items()
    ]
    network = from_links([one.name for one in nodes], links)
    return Cluster(nodes={one.name: one for one in nodes}, network=network)


def request(graph: Graph, cluster: Cluster, **fields: Any) -> PlacementRequest:
    model = Model(name="chain", graph=graph, classes=10)
    return PlacementRequest(model=model, cluster=cluster, **fields)
