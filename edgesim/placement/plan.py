"""A plan: tasks on nodes and the transfers between them; what is simulated and what is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field, StrictBool, StrictInt

from edgesim.common.fields import WHOLE, Count, Name
from edgesim.common.quantities import Bytes, Flop
from edgesim.common.validation import ReadAs, key, spec
from edgesim.graph import Graph
from edgesim.hardware import Cost, Device
from edgesim.placement.payload import Decoding


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class ExplicitTask:
    """A task of an explicit task graph; it takes flop / peak of its node.

    Attributes:
        flop: number of operations; one multiply-accumulate is two.
        node: name of the node that runs the task.
        memory_bytes: memory that the task holds on its node, in bytes.
        cores: number of the node's cores; all unless given.
        priority: order on a node with `queue: priority`; the lower number first.
        optional: whether requests are answered without the task, degraded.
    """

    flop: Flop
    node: Annotated[Name, Field(examples=["pi-0"])]
    memory_bytes: Bytes = 0.0
    cores: Count | None = None
    priority: Annotated[StrictInt, Field(ge=-1_000_000, le=1_000_000), WHOLE] = 0
    optional: StrictBool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(ExplicitTask):
    """One piece of work of a request.

    Attributes:
        name: unique in its branch.
        kind: ``compute``, ``fusion`` or ``message`` (software at one end of a transfer).
        graph: operators that it runs; None where only ``flop`` is known.
        flop: operations of an explicit task.
        classes: class indices that a class-wise part answers for.
        part: number of the class-wise part that it runs; None for anything else.
        unit: tasks of one name are given up together when their deadline passes; empty for a
            task by itself.
        decoding: what its node decodes before it; None where it takes tensors.
    """

    name: str
    kind: str = "compute"
    graph: Graph | None = None
    flop: float = 0.0
    classes: tuple[int, ...] = ()
    part: int | None = None
    unit: str = ""
    decoding: Decoding | None = None

    def cost(self, device: Device, precision: str, samples: int, requests: int = 1) -> Cost:
        """Return the cost of one execution on ``requests`` requests of ``samples`` samples each."""
        every = requests * samples
        if self.graph is not None:
            cost = device.graph_cost(self.graph, precision, every)
        else:
            cost = device.flop_cost(self.flop * every, precision, self.cores)
        return cost if self.decoding is None else self.decoding.before(cost, device, every)


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Bytes from one task to another.

    In a plan, ``source`` None is the request's input, held by the plan's input node; ``target``
    None is the answer, delivered to the plan's output node.

    Attributes:
        source: name of the task that sends.
        target: name of the task that receives.
        bytes: size of the data for each sample, in bytes.
    """

    source: Annotated[str | None, ReadAs(Name), key("from")]
    target: Annotated[str | None, ReadAs(Name), key("to")]
    bytes: Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """All tasks and transfers that answer a request; tasks in topological order."""

    tasks: tuple[Task, ...]
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Branches of tasks on nodes, of which one answers a request.

    Attributes:
        strategy: name of the strategy that made it.
        precision: precision of weights, activations and arithmetic.
        branches: alternatives; each request goes to the least loaded whose nodes are up.
        input_node: node where requests enter; None where every first task has its input at hand.
        output_node: node where answers are delivered; None where the last task ends the request.
        inputs: nodes where requests enter and their answers return, where they are several; the
            first is ``input_node``.
        details: figures of the strategy for people (heads, cut positions, objective).
        standby_bytes: memory that copies of its parts hold on each standby node, in bytes.
    """

    strategy: str
    precision: str
    branches: tuple[Branch, ...]
    input_node: str | None = None
    output_node: str | None = None
    inputs: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    standby_bytes: Mapping[str, float] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[Plan, ...]:
        """The plan as requests see it that enter at each of its inputs."""
        if len(self.inputs) < 2:
            return (self,)
        out = self.output_node is not None
        return tuple(
            replace(self, input_node=name, output_node=name if out else None, inputs=())
            for name in self.inputs
        )

    def memory_bytes(self) -> dict[str, float]:
        """Return the bytes that the plan's tasks hold on each node."""
        held: dict[str, float] = {}
        for branch in self.branches:
            for task in branch.tasks:
                held[task.node] = held.get(task.node, 0.0) + task.memory_bytes
        return held

    def ends(self, transfer: Transfer, where: Mapping[str, str]) -> tuple[str, str]:
        """Return the nodes at a transfer's two ends; the same twice where nothing travels.

        ``where`` has the node of each task. Without an input or output node the data is where the
        task is.
        """
        start = self.input_node if transfer.source is None else where[transfer.source]
        end = self.output_node if transfer.target is None else where[transfer.target]
        return start or end or "", end or start or ""
