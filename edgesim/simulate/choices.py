"""Where each task of a branch can run: its own node, a standby, another replica, a new node."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edgesim.hardware import Cluster
from edgesim.placement.plan import Plan, Task
from edgesim.simulate.attempts import FIRST, TrackedRequest
from edgesim.simulate.flows import Flows
from edgesim.simulate.traffic import Traffic
from edgesim.simulate.work import ReadyBranch, ReadyTask, ReadyTransfer, Station

MEASURES = ("first try", "retry", "hedge", "standby", "reassigned")
"""Recovery measures for a part of a request, the weakest first."""
RETRY, HEDGE = 1, 2


@dataclass(eq=False)
class Choices:
    """The nodes that can run each task of one branch, and the transfers between any two of them.

    Attributes:
        branch: the branch, prepared for simulation.
        tasks: tasks of the plan, in the order of the branch's.
        plan: plan of the branch.
        cluster: nodes and routes.
        flows: flows over the routes.
        traffic: samples and deadline of a request.
        units: what each task is given up with, by its index.
        titles: the unit of each task and its node, for people, by its index.
        sources: indices of the tasks outside whose results enter its unit, by its index.
        inputs: numbers of the transfers that enter each task, by its index.
        outputs: numbers of the transfers that leave each task, by its index, in their order.
        entering: numbers of the transfers of the request's input.
        input_bytes: bytes of all inputs of each task, by its index.
        standby: servers of the nodes with a copy of every part.
        branches: all branches of the plan; their nodes have the parts of one name, too.
    """

    branch: ReadyBranch
    tasks: Sequence[Task]
    plan: Plan
    cluster: Cluster
    flows: Flows
    traffic: Traffic
    standby: Sequence[Station]
    branches: Sequence[ReadyBranch]
    units: list[str] = field(init=False)
    titles: list[str] = field(init=False)
    sources: list[tuple[int, ...]] = field(init=False)
    inputs: list[list[int]] = field(init=False)
    outputs: list[list[int]] = field(init=False)
    entering: list[int] = field(init=False)
    input_bytes: list[float] = field(init=False)
    _options: dict[int, list[tuple[ReadyTask, int]]] = field(default_factory=dict)
    _transfers: dict[tuple[int, str, str], ReadyTransfer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        branch = self.branch
        self.units = units = [task.unit or task.name for task in self.tasks]
        # The task that a unit is named after computes; the others are its messages.
        nodes = {task.name: task.node for task in self.tasks}
        self.titles = [
            f"{unit} on {nodes.get(unit, task.node)}"
            for unit, task in zip(units, self.tasks, strict=True)
        ]
        entering: dict[str, dict[int, None]] = {unit: {} for unit in units}
        for one in branch.transfers:
            source, target = one.source, one.target
            if source and target and units[source.index] != units[target.index]:
                entering[units[target.index]][source.index] = None
        self.sources = [tuple(entering[unit]) for unit in units]
        numbers = {transfer: number for number, transfer in enumerate(branch.transfers)}
        self.inputs = [
            [number for transfer, number in numbers.items() if transfer.target is task]
            for task in branch.tasks
        ]
        self.outputs = [[numbers[one] for one in task.outputs()] for task in branch.tasks]
        remote = (transfer for _, transfers in branch.remote for transfer in transfers)
        self.entering = [numbers[transfer] for transfer in (*branch.local, *remote)]
        self.input_bytes = [
            sum(branch.transfers[number].size for number in entering) for entering in self.inputs
        ]

    def options(self, index: int) -> list[tuple[ReadyTask, int]]:
        """Return a task on every node that can run it, with the measure that each is.

        Made when first asked for: most tasks are only ever run on their own node.
        """
        found = self._options.get(index)
        if found is None:
            own = self.branch.tasks[index]
            found = self._options[index] = [(own, FIRST)]
            for server, measure in () if own.fusion or own.message else self._copies(own):
                self.add(index, server, measure)
        return found

    def _copies(self, own: ReadyTask) -> Iterator[tuple[Station, str]]:
        """Return the nodes that have the part of a task, too."""
        for server in self.standby:
            yield server, "standby"
        for other in self.branches:
            for task in other.tasks:
                if other is not self.branch.twins[0] and task.name == own.name:
                    yield task.server, "retry"

    def add(self, index: int, server: Station, measure: str) -> None:
        """Let another node run a task, too."""
        own, options = self.branch.tasks[index], self.options(index)
        if any(task.server is server for task, _ in options):
            return
        task = ReadyTask(index, self.tasks[index], server, self.plan.precision, self.traffic)
        task.inputs, task.last = own.inputs, own.last
        options.append((task, MEASURES.index(measure)))

    def remove(self, index: int, node: str, measure: str) -> None:
        """Take back a node that was added to a task."""
        removed = (node, MEASURES.index(measure))
        self._options[index] = [
            (task, number)
            for task, number in self.options(index)
            if (task.server.node.name, number) != removed
        ]

    def choose(
        self,
        request: TrackedRequest,
        task: ReadyTask,
        down: Collection[str],
        *,
        hedge: bool,
        allow_down: bool,
    ) -> tuple[ReadyTask, int] | None:
        """Return the node for the next attempt at a task, and the measure that this is.

        A node that is not known to be down comes first, then the one with the fewest attempts at
        this task, then the first. A hedge needs a node without an attempt in progress.

        Args:
            request: request of the task.
            task: task that is tried.
            down: names of the nodes that are known to be down.
            hedge: whether another attempt is in progress.
            allow_down: whether a node that is known to be down may be chosen.

        Returns:
            None where no node may be chosen.
        """
        options, asked = self.options(task.index), request.mark_trouble().asked
        if len(options) == 1 and not hedge:
            option, measure = options[0]
            if not allow_down and option.node in down:
                return None
            again = measure == FIRST and request.attempted(task) > 1
            return option, RETRY if again else measure
        best: tuple[tuple[bool, int, int], ReadyTask, int] | None = None
        busy: Collection[str] = {one.node for one in request.live(task)} if hedge else ()
        for order, (option, measure) in enumerate(options):
            name = option.node
            if name in busy:
                continue
            rank = (name in down, asked.get((task.index, name), 0), order)
            if best is None or rank < best[0]:
                best = (rank, option, measure)
        if best is None or (best[0][0] and not allow_down):
            return None
        (_, option, measure) = best
        if hedge:
            measure = HEDGE
        elif measure == FIRST and request.attempted(task) > 1:
            measure = RETRY
        return option, measure

    def transfer(
        self, number: int, source: ReadyTask | None, target: ReadyTask | None
    ) -> ReadyTransfer:
        """Return a transfer of the branch between the nodes on which its ends are."""
        own = self.branch.transfers[number]
        start = own.source_node if source is None else source.server.node.name
        end = own.target_node if target is None else target.server.node.name
        # Without an input or output node the data is where the task is.
        if own.source is None and self.plan.input_node is None:
            start = end
        if own.target is None and self.plan.output_node is None:
            end = start
        key = (number, start, end)
        found = self._transfers.get(key)
        if found is None:
            if (start, end) == (own.source_node, own.target_node):
                found = own
            else:
                found = ReadyTransfer(number, own.size, own.source, own.target, start, end)
                found.connect(self.flows, self.cluster)
            self._transfers[key] = found
        return found

    def reachable(self, index: int, node: str) -> bool:
        """Return whether a node has routes for a task's inputs and results, from and to where they
        are in the plan."""
        plan, transfers = self.plan, self.branch.transfers
        entering = [transfers[number] for number in self.inputs[index]]
        leaving = [transfers[number] for number in self.outputs[index]]
        ends = [(one.source_node, node) for one in entering if one.source or plan.input_node]
        ends += [(node, one.target_node) for one in leaving if one.target or plan.output_node]
        return all(self.cluster.network.route(*pair) is not None for pair in ends)


def links_to_nodes(
    choices: Mapping[ReadyBranch, Choices], cluster: Cluster, home: str
) -> dict[str, tuple[str, ...]]:
    """Return the names of the links from ``home`` to every other node that can run a task."""
    found = {}
    for one in choices.values():
        for task, _ in (option for own in one.branch.tasks for option in one.options(own.index)):
            name = task.node
            hops = cluster.network.route(home, name)
            if name != home and hops is not None:
                found[name] = tuple(hop.link for hop in hops)
    return found
