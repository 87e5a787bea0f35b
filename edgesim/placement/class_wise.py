"""``class-wise``: sub-models for subsets of the classes, fused by a small MLP (ED-ViT)."""

from __future__ import annotations

from collections.abc import Callable

from edgesim.errors import InputError, PlanError
from edgesim.graph import BYTES_PER_ELEMENT, Graph
from edgesim.graph.mlp import mlp
from edgesim.hardware import Node
from edgesim.placement.check import lacking
from edgesim.placement.plan import Branch, Plan, Task, Transfer
from edgesim.placement.request import Model, PlacementRequest
from edgesim.placement.whole import candidates, graph_of, held_bytes

Shrink = Callable[[int, int], Graph]
"""Makes the sub-model that keeps so many heads and answers for so many classes."""


def class_wise(request: PlacementRequest) -> Plan:
    """Split the model by classes into sub-models, one task each (ED-ViT, arXiv 2410.11650).

    A sub-model of k of h heads has all its widths scaled by k / h: residual channels, attention
    dimensions and feed-forward neurons, as ED-ViT's three pruning stages leave it. Each sends the
    features of its class token to the fusion node, where an MLP of two layers (the concatenated
    features, half as many, the classes) gives the answer. Sub-models are optional: without some,
    the answer is degraded.

    Options:
        submodels: how many; the number of candidate nodes unless given.
        heads: that each keeps; the largest number that fits unless given.
        memory_budget: bytes that one sub-model may hold; its node's memory unless given.

    Classes are spread evenly over the sub-models, and sub-models over the nodes: the first
    ``count % N`` take one more.

    Raises:
        InputError: the model has no heads or cannot be rebuilt, or an option is out of range.
        PlanError: not even one head fits; the message says which node lacks how many bytes.
    """
    graph_of(request, "class-wise")
    model = request.model
    shrink, all_heads = _shrinker(model)
    nodes = candidates(request)
    count = _count(request, len(nodes))
    if count > model.classes:
        raise InputError(
            f"placement.submodels: {count} sub-models cannot share {model.classes} classes; "
            f"expected at most {model.classes}"
        )
    subsets = spread(tuple(range(model.classes)), count)
    homes = [
        node for node, share in zip(nodes, spread(tuple(range(count)), len(nodes)), strict=True)
        for _ in share
    ]  # fmt: skip
    fusion_node = request.cluster.nodes[request.fusion_node or request.input_node or homes[0].name]
    heads = _heads(request, shrink, all_heads, homes, subsets, fusion_node)
    precision = model.precision
    width = BYTES_PER_ELEMENT[precision]
    tasks = []
    transfers = []
    features = 0
    for index, (home, classes) in enumerate(zip(homes, subsets, strict=True)):
        graph = shrink(heads, len(classes))
        task = Task(
            name=f"part-{index}",
            node=home.name,
            graph=graph,
            memory_bytes=held_bytes(graph, home, precision),
            optional=True,
            classes=classes,
        )
        tasks.append(task)
        size = _features(model, heads, all_heads)
        features += size
        if request.input_node is not None:
            entering = graph.input_elements * width
            transfers.append(Transfer(source=None, target=task.name, bytes=entering))
        transfers.append(Transfer(source=task.name, target="fusion", bytes=size * width))
    fusion = mlp("fusion", (features, max(1, features // 2), model.classes))
    tasks.append(
        Task(
            name="fusion",
            node=fusion_node.name,
            kind="fusion",
            graph=fusion,
            memory_bytes=held_bytes(fusion, fusion_node, precision),
        )
    )
    if request.input_node is not None:
        transfers.append(Transfer(source="fusion", target=None, bytes=model.classes * width))
    part = shrink(heads, len(subsets[0]))
    return Plan(
        strategy="class-wise",
        precision=precision,
        branches=(Branch(tasks=tuple(tasks), transfers=tuple(transfers)),),
        input_node=request.input_node,
        output_node=request.input_node,
        details={
            "submodels": count,
            "heads": heads,
            "heads_unsplit": all_heads,
            "part_bytes": part.weight_bytes(precision),
            "part_macs": part.macs,
        },
    )


def spread(items: tuple[int, ...], count: int) -> list[tuple[int, ...]]:
    """Return ``count`` runs of consecutive items whose lengths differ by at most one."""
    size, more = divmod(len(items), count)
    runs = []
    start = 0
    for index in range(count):
        stop = start + size + (index < more)
        runs.append(items[start:stop])
        start = stop
    return runs


def _shrinker(model: Model) -> tuple[Shrink, int]:
    if (
        model.rebuild is None
        or model.heads is None
        or model.width is None
        or model.mlp_width is None
    ):
        raise InputError(
            f"placement.strategy 'class-wise' needs a Vision Transformer whose widths can be "
            f"scaled; '{model.name}' is none"
        )
    rebuild, heads, width, mlp_width = model.rebuild, model.heads, model.width, model.mlp_width
    graphs: dict[tuple[int, int], Graph] = {}

    def shrink(kept: int, classes: int) -> Graph:
        if (kept, classes) not in graphs:
            graphs[kept, classes] = rebuild(
                classes=classes,
                heads=kept,
                width=width * kept // heads,
                mlp_width=mlp_width * kept // heads,
            )
        return graphs[kept, classes]

    return shrink, heads


def _features(model: Model, kept: int, heads: int) -> int:
    assert model.width is not None
    return model.width * kept // heads


def _count(request: PlacementRequest, nodes: int) -> int:
    count = request.options.get("submodels")
    if count is None:
        return min(nodes, request.model.classes)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(f"placement.submodels: expected a positive integer, got {count!r}")
    return count


def _heads(
    request: PlacementRequest,
    shrink: Shrink,
    all_heads: int,
    homes: list[Node],
    subsets: list[tuple[int, ...]],
    fusion_node: Node,
) -> int:
    """Return the heads that each sub-model keeps."""
    asked = request.options.get("heads")
    if asked is not None:
        if isinstance(asked, bool) or not isinstance(asked, int) or not 1 <= asked <= all_heads:
            raise InputError(
                f"placement.heads: expected an integer from 1 to {all_heads}, got {asked!r}"
            )
        return asked
    precision = request.model.precision
    budget = request.options.get("memory_budget")

    def misfit(kept: int) -> str | None:
        """Return what does not fit, or None."""
        held: dict[str, float] = {}
        for home, classes in zip(homes, subsets, strict=True):
            needed = held_bytes(shrink(kept, len(classes)), home, precision)
            held[home.name] = held.get(home.name, 0.0) + needed
            if isinstance(budget, int | float) and needed > budget:
                return (
                    f"placement.memory_budget: a sub-model of {kept} of {all_heads} heads takes "
                    f"{needed:,.0f} bytes, {needed - budget:,.0f} more than the budget"
                )
        features = len(homes) * _features(request.model, kept, all_heads)
        fusion = mlp("fusion", (features, max(1, features // 2), request.model.classes))
        name = fusion_node.name
        held[name] = held.get(name, 0.0) + held_bytes(fusion, fusion_node, precision)
        for name, needed in held.items():
            device = request.cluster.nodes[name].device
            if needed > device.memory_capacity_bytes:
                return lacking(name, device.name, needed, device.memory_capacity_bytes)
        return None

    for kept in range(all_heads, 0, -1):
        if misfit(kept) is None:
            return kept
    raise PlanError(f"not even one head fits: {misfit(1)}")
