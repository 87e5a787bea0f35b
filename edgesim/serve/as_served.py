"""The plan as real nodes execute it, for the simulator: with the coordinator and all messages.

A plan has tasks and transfers. Real nodes have more: one process, the coordinator, asks every part
and the fusion, and whoever sends or takes a message spends processor time on it. Here all of that
becomes tasks, so that the simulation includes them under the load of the real run.

    begin → ask part-k ⇒ take part-k → part-k → give part-k ⇒ hear part-k
          → ask fusion ⇒ take fusion → fusion → give fusion ⇒ hear fusion → end

``→`` stays on one machine, ``⇒`` crosses the network. *begin*, *ask*, *hear* and *end* run on the
coordinator, one after another; *take* and *give* on the node, beside the one thread that computes.
A node's threads share the cores of its machine, and so do the coordinator and the node at home. Its
queue ends where the real one does, unless the scenario says where.

Times of messages are those of the devices' ``messaging``, which `edgesim profile` measures: without
a profile messages cost nothing but the network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from edgesim.graph import BYTES_PER_ELEMENT
from edgesim.hardware import (
    Asking,
    Cluster,
    Device,
    Faults,
    Hop,
    Link,
    Messaging,
    Network,
    Node,
    Variability,
)
from edgesim.hardware.message import Software
from edgesim.hardware.processor import Processor
from edgesim.placement import Plan
from edgesim.placement.bounds import Bottleneck, bottleneck
from edgesim.placement.plan import Branch, Task, Transfer
from edgesim.scenario.scenario import Scenario
from edgesim.serve.coordinator.work import Piece, Sizes, Work, find_work, message_sizes
from edgesim.serve.queues import real_queue
from edgesim.simulate import Recording

_MEASURED = Variability(kind="measured")
_AT_ONCE_BYTE_S = 1e15
"""Of what stays on one machine: what it costs is processor time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Processes:
    """Names of what a cluster gets for real nodes; none is another node's or link's.

    Attributes:
        home: the coordinator's node.
        coordinator: its process.
        messages: process that handles the messages of each node.
        within: the link between the processes of each node.
        machines: machines of nodes that share none with others.
    """

    home: str
    coordinator: str
    messages: Mapping[str, str]
    within: Mapping[str, str]
    machines: Mapping[str, str]

    @classmethod
    def of(cls, cluster: Cluster, home: str) -> _Processes:
        """Return the names for a cluster whose coordinator is at ``home``."""
        nodes = cluster.nodes
        own = [name for name, node in nodes.items() if node.host is None]
        return cls(
            home=home,
            coordinator=_named([home], " (coordinator)", nodes)[home],
            messages=_named(nodes, " (messages)", nodes),
            within=_named(nodes, " (within)", cluster.network.links),
            machines=_named(own, "", cluster.hosts),
        )

    def nodes(self) -> dict[str, str]:
        """Return the scenario's node of every process."""
        own = {name: name for name in self.messages}
        return own | _inverted(self.messages) | {self.coordinator: self.home}


def _named(nodes: Iterable[str], suffix: str, taken: Iterable[str]) -> dict[str, str]:
    """Return names for what belongs to nodes, all unlike each other and those that are taken."""
    used = set(taken)
    found = {}
    for node in nodes:
        name = node + suffix
        while name in used:
            name += "'"
        used.add(name)
        found[node] = name
    return found


def _inverted(names: Mapping[str, str]) -> dict[str, str]:
    return {value: key for key, value in names.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A plan as real nodes execute it.

    Attributes:
        plan: the plan with tasks of the coordinator and of messages.
        cluster: the cluster with the coordinator, and a process for the messages of each node.
        bounds: bottleneck and least latency of this plan, with the scenario's names; the time on a
            node is that of its computing thread.
    """

    plan: Plan
    cluster: Cluster
    bounds: Bottleneck
    _scenario: Cluster
    _nodes: Mapping[str, str]

    def fold(self, recording: Recording) -> Recording:
        """Return a recording of this plan under the names of the scenario's own.

        Nodes have what they computed; handling messages is in the breakdown of latency, as
        part of the transfers.
        """
        pieces = {task.name: task.unit for task in self.plan.branches[0].tasks}
        missing: Counter[frozenset[str]] = Counter()
        for names, many in recording.missing.items():
            missing[frozenset(pieces[name] for name in names)] += many
        faults = recording.faults
        if faults is not None:
            links = self._scenario.network.links
            own = (*self._scenario.nodes, *links)
            faults = replace(
                faults,
                events=tuple(event for event in faults.events if event.target in own),
                nodes={name: faults.nodes[name] for name in self._scenario.nodes},
                links={name: row for name, row in faults.links.items() if name in links},
            )
        return replace(
            recording,
            faults=faults,
            nodes={name: recording.nodes[name] for name in self._scenario.nodes},
            links={name: recording.links[name] for name in self._scenario.network.links},
            spans=tuple(
                span._replace(
                    node=self._nodes[span.node],
                    target=self._nodes[span.target] if span.target else "",
                )
                for span in recording.spans
            ),
            missing=dict(missing),
        )


def as_served(scenario: Scenario, plan: Plan) -> Served:
    """Return a scenario's plan as real nodes execute it.

    Raises:
        InputError: the scenario is not one for real nodes.
    """
    work = find_work(scenario, plan)
    samples, requests = scenario.traffic.samples, scenario.traffic.requests
    sizes = message_sizes(work, samples=samples, requests=requests)
    processes = _Processes.of(scenario.cluster, work.home)
    cluster = _cluster(scenario.cluster, processes)
    served = _Tasks(work, plan, scenario.cluster, processes, sizes, samples).plan()
    bounds = bottleneck(served, cluster, samples)
    of_scenario = {
        "node": processes.nodes(),
        "host": _inverted(processes.machines),
        "link": _inverted(processes.within),
    }
    network = scenario.cluster.network
    return Served(
        plan=served,
        cluster=cluster,
        bounds=replace(
            bounds,
            node_s={name: bounds.node_s[name] for name in scenario.cluster.nodes},
            link_s={name: bounds.link_s[name] for name in network.links},
            resource=of_scenario[bounds.resource_kind].get(bounds.resource, bounds.resource),
        ),
        _scenario=scenario.cluster,
        _nodes=of_scenario["node"],
    )


@dataclass(slots=True)
class _Tasks:
    """Collects the tasks and transfers of a request."""

    work: Work
    placed: Plan
    cluster: Cluster
    processes: _Processes
    sizes: Sizes
    samples: int
    tasks: list[Task] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)

    @property
    def asking(self) -> Asking:
        """Processor time of the coordinator."""
        return self.cluster.nodes[self.work.home].device.messaging.asking

    def plan(self) -> Plan:
        """Return the plan."""
        by_name = {task.name: task for task in self.placed.branches[0].tasks}
        # Half of what a request costs by itself comes before the parts are asked, half after.
        own_s = self.asking.per_request_s / 2
        home = self.processes.coordinator
        self._add("begin", "begin", home, own_s)
        parts = self.work.parts
        for piece in parts:
            asked = self.sizes.asked[piece.name]
            ask = f"ask {piece.name}"
            self._add(ask, piece.name, home, self._asks_s(asked), optional=True)
            self.transfers.append(_local("begin", ask))
        for piece in parts:
            self._at_node(piece, by_name[piece.name])
            self._heard(piece)
        asked = self.sizes.asked["fusion"]
        self._add("ask fusion", "fusion", home, self._asks_s(asked))
        self.transfers += [_local(f"hear {piece.name}", "ask fusion") for piece in parts]
        self._at_node(self.work.fusion, by_name["fusion"])
        self._heard(self.work.fusion)
        self._add("end", "end", home, own_s)
        self.transfers.append(_local("hear fusion", "end"))
        return replace(
            self.placed,
            branches=(Branch(tasks=tuple(self.tasks), transfers=tuple(self.transfers)),),
            input_node=None,
            output_node=None,
        )

    def _at_node(self, piece: Piece, task: Task) -> None:
        """Add a piece between the message that asks for it and the one that answers."""
        name, optional = piece.name, task.optional
        node = self.processes.messages[piece.node]
        software = Software.of(self.cluster.nodes[piece.node].device.messaging)
        asked, answered = self.sizes.asked[name], self.sizes.answered[name]
        self._add(f"take {name}", name, node, software.time_s(asked), optional=optional)
        self.tasks.append(replace(task, unit=name))
        self._add(f"give {name}", name, node, software.time_s(answered), optional=optional)
        self.transfers += [
            Transfer(source=f"ask {name}", target=f"take {name}", bytes=asked / self.samples),
            _local(f"take {name}", name),
            _local(name, f"give {name}"),
        ]

    def _heard(self, piece: Piece) -> None:
        name, size = piece.name, self.sizes.answered[piece.name]
        optional = piece in self.work.parts
        home = self.processes.coordinator
        self._add(f"hear {name}", name, home, self._asks_s(size), optional=optional)
        self.transfers.append(
            Transfer(source=f"give {name}", target=f"hear {name}", bytes=size / self.samples)
        )

    def _asks_s(self, size: int) -> float:
        return Software.of(self.asking).time_s(size)

    def _add(
        self, name: str, piece: str, node: str, time_s: float, *, optional: bool = False
    ) -> None:
        # The processors of messages do one FLOP a second: seconds stand in for operations.
        flop = time_s / self.samples
        # A part has one deadline, from the first word of the question to the answer: its unit.
        self.tasks.append(
            Task(
                name=name, node=node, kind="message", flop=flop, cores=1, optional=optional,
                unit=piece,
            )
        )  # fmt: skip


def _local(source: str, target: str) -> Transfer:
    return Transfer(source=source, target=target, bytes=0.0)


def _cluster(cluster: Cluster, processes: _Processes) -> Cluster:
    """Return a cluster with the coordinator, and with what handles each node's messages."""
    hosts = dict(cluster.hosts)
    for name, machine in processes.machines.items():
        hosts[machine] = cluster.nodes[name].device.cores
    nodes: dict[str, Node] = {}
    for name, node in cluster.nodes.items():
        host = node.host or processes.machines[name]
        measured = node.variability.kind == "none" and bool(node.device.spread)
        nodes[name] = replace(
            node,
            host=host,
            variability=_MEASURED if measured else node.variability,
            faults=_scheduled(node.faults),
            queue=real_queue(node.queue),
        )
        beside = [processes.messages[name]]
        if name == processes.home:
            beside.append(processes.coordinator)
        for other in beside:
            nodes[other] = Node(
                name=other,
                device=_messenger(other, node.device),
                host=host,
                # The coordinator's own failures would be the whole run's.
                faults=None if other == processes.coordinator else _scheduled(node.faults),
                restart_s=node.restart_s,
                # What disturbs computing disturbs messages too.
                variability=_MEASURED if measured else Variability(kind="none"),
            )
    links = dict(cluster.network.links)
    for name in processes.within.values():
        links[name] = Link(name=name, bandwidth_byte_s=_AT_ONCE_BYTE_S, latency_s=0.0)
    faults = []
    for fault in cluster.faults:
        faults.append(fault)
        if fault.node is not None:
            # One process computes and handles messages.
            faults.append(replace(fault, node=processes.messages[fault.node]))
    network = Network(links=links, routes=_Routes(cluster.network, processes))
    return Cluster(nodes=nodes, network=network, hosts=hosts, faults=tuple(faults))


def _scheduled(faults: Faults | None) -> Faults | None:
    """Return the part of a node's faults that is at known times, as in a real run."""
    if faults is None or not faults.schedule:
        return None
    return Faults(schedule=faults.schedule)


def _messenger(name: str, device: Device) -> Processor:
    """Return the device that handles messages: a second of its time is one FLOP."""
    return Processor(
        name=name,
        peak_flop_s=dict.fromkeys(BYTES_PER_ELEMENT, 1.0),
        messaging=Messaging(delay_s=device.messaging.delay_s),
        cooling=device.messaging.cooling,
        spread=device.spread,
    )


class _Routes(Mapping[tuple[str, str], tuple[Hop, ...]]):
    """Routes between processes: those of their nodes, and one within each node.

    Transfers between a node's computing thread and its message thread take no time.
    """

    def __init__(self, network: Network, processes: _Processes) -> None:
        self._network = network
        self._node = processes.nodes()
        self._within = processes.within

    def __getitem__(self, ends: tuple[str, str]) -> tuple[Hop, ...]:
        source, target = (self._node[end] for end in ends)
        if source != target:
            found = self._network.route(source, target)
            if found is None:
                raise KeyError(ends)
            return found
        if source in ends:
            return ()
        return (Hop(self._within[source], True),)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((source, target) for source in self._node for target in self._node)

    def __len__(self) -> int:
        return len(self._node) ** 2
