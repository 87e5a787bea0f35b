"""Where each step of a way can run: at home, on a standby, on another replica, on a new home."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from edgesim.hardware import Cluster
from edgesim.placement.plan import Plan, Task
from edgesim.simulate.flows import Flows
from edgesim.simulate.work import Move, Station, Step, Way

MEANS = ("first try", "retry", "hedge", "standby", "reassigned")
"""What may have been done for a part, from the least to the most."""


@dataclass(eq=False)
class Choices:
    """The nodes that can run each step of one way, and the moves between any two of them.

    Attributes:
        way: whose steps.
        tasks: that its steps are of, in the same order.
        plan: that they are from.
        cluster: nodes and routes.
        flows: over them.
        samples: of a request.
        units: what the tasks are given up with, by the number of the step.
        into: numbers of the moves that enter each step.
        out_of: numbers of the moves that leave each step, in their order.
        entering: numbers of the moves of the request's input.
    """

    way: Way
    tasks: Sequence[Task]
    plan: Plan
    cluster: Cluster
    flows: Flows
    samples: int
    units: dict[int, str] = field(init=False)
    into: dict[int, list[int]] = field(init=False)
    out_of: dict[int, list[int]] = field(init=False)
    entering: list[int] = field(init=False)
    _options: dict[int, list[tuple[Step, str]]] = field(init=False)
    _moves: dict[tuple[int, str, str], Move] = field(default_factory=dict)

    def __post_init__(self) -> None:
        way = self.way
        self.units = {
            step.index: task.unit or task.name
            for step, task in zip(way.steps, self.tasks, strict=True)
        }
        self.into = {step.index: [] for step in way.steps}
        numbers = {move: number for number, move in enumerate(way.moves)}
        for move, number in numbers.items():
            if move.target is not None:
                self.into[move.target.index].append(number)
        # In the order in which they leave.
        self.out_of = {step.index: [numbers[move] for move in step.moves()] for step in way.steps}
        fanned = (move for _, moves in way.fan for move in moves)
        self.entering = [numbers[move] for move in (*way.local, *fanned)]
        self._options = {step.index: [(step, MEANS[0])] for step in way.steps}

    def options(self, step: Step) -> list[tuple[Step, str]]:
        """Return the step on each node that can run it, with what asking that node is called."""
        return self._options[step.index]

    def all_options(self) -> list[list[tuple[Step, str]]]:
        """Return the options of every step."""
        return list(self._options.values())

    def add(self, index: int, server: Station, means: str) -> None:
        """Let another node run a step, too."""
        home = self.way.steps[index]
        names = {one.server.node.name for one, _ in self._options[index]}
        if server.node.name in names:
            return
        step = Step(index, self.tasks[index], server, self.plan.precision, self.samples)
        step.inputs, step.last = home.inputs, home.last
        self._options[index].append((step, means))

    def remove(self, index: int, node: str, means: str) -> bool:
        """Take a node away that was added to a step; return whether it was there."""
        before = self._options[index]
        kept = [one for one in before if (one[0].server.node.name, one[1]) != (node, means)]
        self._options[index] = kept
        return len(kept) < len(before)

    def move(self, number: int, source: Step | None, target: Step | None) -> Move:
        """Return a move of the way between the nodes on which its ends are."""
        home = self.way.moves[number]
        start = home.source_node if source is None else source.server.node.name
        end = home.target_node if target is None else target.server.node.name
        # Without an input or output node the data is where the task is.
        if home.source is None and self.plan.input_node is None:
            start = end
        if home.target is None and self.plan.output_node is None:
            end = start
        key = (number, start, end)
        found = self._moves.get(key)
        if found is None:
            if (start, end) == (home.source_node, home.target_node):
                found = home
            else:
                found = Move(home.size, home.source, home.target, start, end)
                found.connect(self.flows, self.cluster)
            self._moves[key] = found
        return found

    def reachable(self, index: int, node: str) -> bool:
        """Whether a node could take a step's inputs and give its results, as all ends are now."""
        network = self.cluster.network
        for number in self.into[index]:
            move = self.way.moves[number]
            at_hand = move.source is None and self.plan.input_node is None
            if not at_hand and network.route(move.source_node, node) is None:
                return False
        for number in self.out_of[index]:
            move = self.way.moves[number]
            there = move.target is None and self.plan.output_node is None
            if not there and network.route(node, move.target_node) is None:
                return False
        return True
