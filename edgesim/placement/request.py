"""The request to a placement strategy: a model, a cluster, and the options of the scenario."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Annotated, Protocol

from pydantic import BeforeValidator, WithJsonSchema

from edgesim.artifact import Artifact
from edgesim.common.fields import NAME_PATTERN, Name
from edgesim.common.validation import spec
from edgesim.graph import BYTES_PER_ELEMENT, Graph
from edgesim.hardware import Cluster, Node
from edgesim.placement.payload import Decoding, Payload
from edgesim.placement.plan import Branch, Plan, Task, Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model to place: an operator graph, or an explicit task graph.

    Attributes:
        name: catalog name, or the scenario's name for an explicit task graph.
        precision: precision of weights, activations and arithmetic.
        graph: operators of the whole model; None for an explicit task graph.
        rebuild: builds a variant of the same architecture with other options
            (``classes=2, heads=3, width=192, mlp_width=768``); None where the model is fixed.
        heads: attention heads of the whole model, where it has any.
        width: residual width of the whole model, where it has one.
        mlp_width: feed-forward width of the whole model, where it has one.
        classes: number of outputs of the whole model.
        artifact: artifact of ``edgesim partition``; ``graph`` is its unsplit model.
        tasks: tasks of an explicit task graph.
        transfers: transfers of an explicit task graph.
        is_catalog: whether its name, or its artifact or tasks, make it again; a graph from
            elsewhere lies beside results.
        how: how its graph came to be, such as ``traced in 3.1 s``; empty where it was at hand.
    """

    name: str
    precision: str = "fp32"
    graph: Graph | None = None
    rebuild: Callable[..., Graph] | None = None
    heads: int | None = None
    width: int | None = None
    mlp_width: int | None = None
    classes: int = 1000
    artifact: Artifact | None = None
    tasks: tuple[Task, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    is_catalog: bool = True
    how: str = ""

    @classmethod
    def of_graph(cls, graph: Graph, precision: str, how: str = "") -> Model:
        """Return a graph from elsewhere as a model: its operators are as they are."""
        return cls(
            name=graph.name,
            precision=precision,
            graph=graph,
            classes=max(1, graph.output_elements),
            is_catalog=False,
            how=how,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementRequest:
    """Everything that a strategy may use.

    Attributes:
        model: model to place.
        cluster: nodes and network.
        input_node: node where requests enter; None gives every first task its input at hand.
        inputs: all nodes where requests enter, where they are several: a strategy places for the
            first, ``input_node``, and the others use its plan.
        fusion_node: node where parts are fused.
        nodes: candidate nodes, in order; all nodes unless the scenario says otherwise.
        options: the strategy's own keys of the scenario, already typed
            (``submodels``, ``heads``, ``memory_budget``, ``objective``).
        standby: nodes that hold copies, for when others fail.
        payload: image that travels in place of the input's raw tensor; None where that travels.
    """

    model: Model
    cluster: Cluster
    input_node: str | None = None
    inputs: tuple[str, ...] = ()
    fusion_node: str | None = None
    nodes: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    standby: tuple[str, ...] = ()
    payload: Payload | None = None

    @property
    def decoding(self) -> Decoding | None:
        """What a node decodes before a task that gets the input; None where that is a tensor."""
        graph = self.model.graph
        if self.payload is None or graph is None:
            return None
        return Decoding(self.payload.encoding, prod(graph.input_shape[1:]))

    def input_bytes(self, elements: float) -> float:
        """Return the bytes of an input of so many elements, as it travels."""
        if self.payload is not None:
            return self.payload.bytes
        return elements * BYTES_PER_ELEMENT[self.model.precision]

    def decoding_s(self, node: Node) -> float:
        """Return the seconds in which a node decodes the input; 0 of a tensor.

        Raises:
            InputError: its device has no rate of the encoding.
        """
        return 0.0 if self.decoding is None else self.decoding.cost(node.device, 1).time_s

    def transfers(
        self, transfers: Iterable[tuple[str | None, str | None, float]]
    ) -> tuple[Transfer, ...]:
        """Return transfers of (source, target, elements) in the model's precision.

        Those of the input and of the answer, where an end is None, are left out where the input is
        at hand.
        """
        width = BYTES_PER_ELEMENT[self.model.precision]
        return tuple(
            Transfer(
                source=source,
                target=target,
                bytes=self.input_bytes(elements) if source is None else elements * width,
            )
            for source, target, elements in transfers
            if self.input_node is not None or (source is not None and target is not None)
        )

    def plan(
        self, strategy: str, branches: tuple[Branch, ...], details: Mapping[str, object]
    ) -> Plan:
        """Return a plan that answers where requests enter.

        Tasks that get the input decode it, where it is an encoded image.
        """
        if self.decoding is not None:
            branches = tuple(_decoded(branch, self.decoding) for branch in branches)
        return Plan(
            strategy=strategy,
            precision=self.model.precision,
            branches=branches,
            input_node=self.input_node,
            output_node=self.input_node,
            details=details,
        )


def _decoded(branch: Branch, decoding: Decoding) -> Branch:
    """Return a branch whose tasks that get the input decode it first."""
    first = {one.target for one in branch.transfers if one.source is None}
    tasks = (
        replace(task, decoding=decoding) if task.name in first else task for task in branch.tasks
    )
    return replace(branch, tasks=tuple(tasks))


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class NoKeys:
    """Keys of ``placement`` for a strategy that takes none beside ``strategy``."""


_NAME_SCHEMA = {"type": "string", "pattern": NAME_PATTERN}
Inputs = Annotated[
    tuple[Name, ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [_NAME_SCHEMA, {"type": "array", "items": _NAME_SCHEMA}]}),
]


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class ModelKeys(NoKeys):
    """Keys of ``placement`` for a strategy that places a whole model.

    Attributes:
        input: name of the node where requests enter and answers return; of several, each has a
            stream of requests of its own.
        nodes: names of the nodes to place on, in order; all but input and fusion unless given.
    """

    input: Inputs = ()
    nodes: tuple[Name, ...] = ()


def takes(keys: type[NoKeys]) -> Callable[[Strategy], Strategy]:
    """Say which keys of ``placement`` a strategy takes; one that does not say it takes any.

    Args:
        keys: a section of YAML (`edgesim.common.validation.spec`) whose fields are called like
            their keys and may all be left out. Those beside `ModelKeys` and ``fusion`` become
            `PlacementRequest.options`.
    """

    def mark(strategy: Strategy) -> Strategy:
        strategy.keys = keys  # type: ignore[attr-defined]
        return strategy

    return mark


class Strategy(Protocol):
    """A placement strategy; third parties add theirs through ``edgesim.strategies``."""

    def __call__(self, request: PlacementRequest) -> Plan:
        """Return a plan that fits.

        Raises:
            PlanError: nothing fits; the message names the node and how many bytes it lacks.
        """
