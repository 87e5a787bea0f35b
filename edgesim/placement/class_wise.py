"""``class-wise``: sub-models for subsets of the classes, fused by a small MLP (ED-ViT)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

from edgesim.common.errors import InputError, PlanError
from edgesim.common.fields import Count, Name
from edgesim.common.quantities import PositiveBytes
from edgesim.common.validation import spec
from edgesim.graph import Graph
from edgesim.graph.mlp import mlp
from edgesim.hardware import Node
from edgesim.placement.bounds import bottleneck
from edgesim.placement.check import exact_text, lacking, verify
from edgesim.placement.parts import PlacedPart, fused_plan, place_parts, spread, spread_nodes
from edgesim.placement.plan import Plan
from edgesim.placement.request import ModelKeys, PlacementRequest, takes
from edgesim.placement.whole import candidates, graph_of, held_bytes


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class ClassWiseKeys(ModelKeys):
    """Keys of ``placement``.

    Attributes:
        fusion: name of the node where parts are fused.
        submodels: number of sub-models.
        heads: number of heads of each sub-model; the most that fits unless given.
        memory_budget: largest memory of one sub-model, in bytes; its node's unless
            given.
    """

    fusion: Name | None = None
    submodels: Count | None = None
    heads: Count | None = None
    memory_budget: PositiveBytes | None = None


@takes(ClassWiseKeys)
def class_wise(request: PlacementRequest) -> Plan:
    """Split the model by classes into sub-models, one task each (ED-ViT, arXiv 2410.11650).

    A sub-model of k of h heads has all its widths scaled by k / h: residual channels, attention
    dimensions and feed-forward neurons, as ED-ViT's three pruning stages leave it. Each sends the
    features of its class token to the fusion node, where an MLP of two layers (the concatenated
    features, half as many, the classes) gives the answer. Sub-models are optional: without some,
    the answer is degraded.

    Options:
        submodels: how many; the number of candidate nodes unless given.
        heads: number that each keeps; unless given, the largest with which the sub-models of a node
            fit it together, so that unlike nodes may keep different numbers.
        memory_budget: bytes that one sub-model may hold, weights and activations; only its node's
            memory bounds it unless given.

    Classes are spread evenly over the sub-models, and sub-models over the nodes: the first
    ``count % N`` take one more. Each sub-model is sent the input by itself, also where two share a
    node. Where the fusion does not fit its node, sub-models there lose heads first, then those
    with the most.

    An artifact of ``edgesim partition`` is placed by `place_parts`: its parts are as they are.

    Raises:
        InputError: the model has no heads or cannot be rebuilt, or an option is out of range.
        PlanError: not even one head fits; the message says which node lacks how many bytes.
    """
    if request.model.artifact is not None:
        return place_parts(request, request.model.artifact)
    graph_of(request, "class-wise")
    model = request.model
    sizes = _Sizes(request)
    nodes = candidates(request)
    count = _count(request, len(nodes))
    subsets = map(tuple, spread(range(model.classes), count))
    homes = spread_nodes(count, nodes)
    fusion_node = request.cluster.nodes[request.fusion_node or request.input_node or homes[0].name]
    parts = [_Part(home, classes) for home, classes in zip(homes, subsets, strict=True)]
    heads = _given_heads(request, sizes, parts) or _most_heads(request, sizes, parts, fusion_node)
    placed = [
        PlacedPart(
            graph=sizes.shrink(kept, len(part.classes)),
            home=part.home,
            classes=part.classes,
            features=sizes.features(kept),
        )
        for part, kept in zip(parts, heads, strict=True)
    ]
    largest = max((part.graph for part in placed), key=_params)
    details = {
        "submodels": count,
        "heads": heads[0] if len(set(heads)) == 1 else heads,
        "heads_unsplit": sizes.all_heads,
        "part_bytes": largest.weight_bytes(model.precision),
        "part_macs": largest.macs,
    }
    return fused_plan(request, placed, sizes.fusion(heads), fusion_node, model.classes, details)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadsRow:
    """What sub-models of one number of heads come to.

    Attributes:
        heads: number that each sub-model keeps.
        part_bytes: weights of the largest sub-model.
        part_macs: its multiply-accumulates.
        latency_s: least latency of a request, in seconds.
        capacity_per_s: requests per second that keep the busiest part busy.
    """

    heads: int
    part_bytes: float
    part_macs: float
    latency_s: float
    capacity_per_s: float


def keeps_all_heads(plan: Plan) -> bool:
    """Return whether every sub-model of a plan is as wide as the whole model: nothing is pruned."""
    whole = plan.details.get("heads_unsplit")
    return whole is not None and plan.details.get("heads") == whole


def table_of_heads(request: PlacementRequest, samples: int = 1) -> list[HeadsRow]:
    """Return what each number of heads that fits would come to, all heads first."""
    found = []
    for kept in range(request.model.heads or 0, 0, -1):
        asked = replace(request, options={**request.options, "heads": kept})
        try:
            plan = class_wise(asked)
            verify(plan, request.cluster)
        except (InputError, PlanError):
            continue
        bounds = bottleneck(plan, request.cluster, samples)
        graphs = [task.graph for task in plan.branches[0].tasks if task.kind == "compute"]
        largest = max((one for one in graphs if one is not None), key=_params)
        found.append(
            HeadsRow(
                heads=kept,
                part_bytes=largest.weight_bytes(request.model.precision),
                part_macs=float(largest.macs),
                latency_s=bounds.latency_s,
                capacity_per_s=bounds.capacity_per_s,
            )
        )
    return found


def pruning_warnings(plan: Plan) -> list[str]:
    """Return what is not known of a plan of sub-models that nobody trained."""
    whole = plan.details.get("heads_unsplit")
    if plan.strategy != "class-wise" or whole is None:
        return []
    if keeps_all_heads(plan):
        return [
            f"each sub-model keeps {whole} of {whole} heads: it is a whole model, and the cluster "
            "gains nothing; choose fewer (placement.heads), `edgesim check` lists what each "
            "number comes to"
        ]
    return ["accuracy unknown: untrained shapes; `edgesim partition` trains them"]


@dataclass(frozen=True, slots=True)
class _Part:
    """A sub-model to be: where it runs, and the classes that it answers for."""

    home: Node
    classes: tuple[int, ...]


class _Sizes:
    """Sub-models and fusions of a model, by the heads that they keep."""

    def __init__(self, request: PlacementRequest) -> None:
        """Raise InputError where the model's widths cannot be scaled."""
        model = request.model
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
        self.all_heads = model.heads
        self._rebuild = model.rebuild
        self._widths = (model.width, model.mlp_width)
        self._classes = model.classes
        self._graphs: dict[tuple[int, int], Graph] = {}

    def shrink(self, kept: int, classes: int) -> Graph:
        """Return the sub-model that keeps ``kept`` heads and answers for ``classes`` classes."""
        if (kept, classes) not in self._graphs:
            width, mlp_width = (max(1, one * kept // self.all_heads) for one in self._widths)
            self._graphs[kept, classes] = self._rebuild(
                classes=classes, heads=kept, width=width, mlp_width=mlp_width
            )
        return self._graphs[kept, classes]

    def features(self, kept: int) -> int:
        """Return the elements that a sub-model sends: its class token, as wide as its stream."""
        return max(1, self._widths[0] * kept // self.all_heads)

    def fusion(self, heads: Sequence[int]) -> Graph:
        """Return the MLP that fuses sub-models of so many heads each."""
        features = sum(self.features(kept) for kept in heads)
        return mlp("fusion", (features, max(1, features // 2), self._classes))


def _params(graph: Graph) -> int:
    return graph.params


def _count(request: PlacementRequest, nodes: int) -> int:
    count = request.options.get("submodels")
    classes = request.model.classes
    if count is None:
        return min(nodes, classes)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(f"placement.submodels: expected a positive integer, got {count!r}")
    if count > classes:
        raise InputError(
            f"placement.submodels: {count} sub-models cannot share {classes} classes; "
            f"expected at most {classes}"
        )
    return count


def _budget(request: PlacementRequest) -> float | None:
    budget = request.options.get("memory_budget")
    if budget is None:
        return None
    if (
        isinstance(budget, bool)
        or not isinstance(budget, int | float)
        or not (isfinite(budget) and budget > 0)
    ):
        raise InputError(
            f"placement.memory_budget: expected a positive number of bytes, got {budget!r}"
        )
    return float(budget)


def _given_heads(
    request: PlacementRequest, sizes: _Sizes, parts: Sequence[_Part]
) -> list[int] | None:
    """Return the heads that the request asks for, by sub-model; None where it leaves them open."""
    asked = request.options.get("heads")
    if asked is None:
        return None
    if isinstance(asked, bool) or not isinstance(asked, int) or not 1 <= asked <= sizes.all_heads:
        raise InputError(
            f"placement.heads: expected an integer from 1 to {sizes.all_heads}, got {asked!r}"
        )
    budget = _budget(request)
    for part in parts:
        excess = _over_budget(request, sizes, part, asked, budget)
        if excess is not None:
            raise PlanError(excess)
    return [asked] * len(parts)


def _over_budget(
    request: PlacementRequest, sizes: _Sizes, part: _Part, kept: int, budget: float | None
) -> str | None:
    graph = sizes.shrink(kept, len(part.classes))
    needed = held_bytes(graph, part.home, request.model.precision)
    if budget is None or needed <= budget:
        return None
    heads = "head" if kept == 1 else "heads"
    return (
        f"placement.memory_budget: a sub-model of {kept} of {sizes.all_heads} {heads} on node "
        f"'{part.home.name}' takes {exact_text(needed)}, {exact_text(needed - budget)} more than "
        "the budget; raise it, use a smaller precision or batch, or a smaller model"
    )


def _most_heads(
    request: PlacementRequest, sizes: _Sizes, parts: Sequence[_Part], fusion_node: Node
) -> list[int]:
    """Return the largest numbers of heads that fit, by sub-model."""
    precision = request.model.precision
    budget = _budget(request)
    by_node: dict[str, list[_Part]] = {}
    for part in parts:
        by_node.setdefault(part.home.name, []).append(part)

    def held(name: str, kept: int) -> float:
        graphs = [sizes.shrink(kept, len(part.classes)) for part in by_node.get(name, [])]
        return sum(held_bytes(graph, request.cluster.nodes[name], precision) for graph in graphs)

    def misfit(name: str, kept: int, more: float = 0.0) -> str | None:
        lack = lacking(request.cluster.nodes[name], held(name, kept) + more)
        if lack is not None:
            return lack
        reasons = (
            _over_budget(request, sizes, part, kept, budget) for part in by_node.get(name, [])
        )
        return next((one for one in reasons if one is not None), None)

    most: dict[str, int] = {}
    for name in by_node:
        fitting = (kept for kept in range(sizes.all_heads, 0, -1) if misfit(name, kept) is None)
        kept = next(fitting, 0)
        if not kept:
            raise PlanError(f"not even one head fits: {misfit(name, 1)}")
        most[name] = kept
    home = fusion_node.name
    while True:
        heads = [most[part.home.name] for part in parts]
        fusion_bytes = held_bytes(sizes.fusion(heads), fusion_node, precision)
        lack = misfit(home, most.get(home, 1), fusion_bytes)
        if lack is None:
            return heads
        # Heads lost on the fusion's own node make most room there; the others only shrink it.
        loser = home if most.get(home, 1) > 1 else max(most, key=lambda name: most[name])
        if most[loser] == 1:
            raise PlanError(f"not even one head fits, for the fusion: {lack}")
        most[loser] -= 1
