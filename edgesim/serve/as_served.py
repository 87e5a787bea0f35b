"""What real nodes will do, for the simulator: the plan with its coordinator and its messages.

A plan has tasks and transfers. Real nodes have more: one process, the coordinator, asks every part
and the fusion, and whoever sends or takes a message spends processor time on it. Here all of that
becomes tasks, so that the simulator plays it under the load of the real run.

    begin → ask part-k ⇒ take part-k → part-k → give part-k ⇒ hear part-k
          → ask fusion ⇒ take fusion → fusion → give fusion ⇒ hear fusion → end

``→`` stays on one machine, ``⇒`` crosses the network. *begin*, *ask*, *hear* and *end* run on the
coordinator, one after another; *take* and *give* on the node, beside the one thread that computes.
A node's threads share the cores of its machine, and so do the coordinator and the node at home.

Times of messages are those of the devices' ``messaging``, which `edgesim profile` measures: without
a profile messages cost nothing but the network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf

from edgesim.hardware import Cluster, Device, Faults, Hop, Link, Messaging, Network, Node
from edgesim.hardware.message import Software
from edgesim.hardware.processor import Processor
from edgesim.placement import Plan
from edgesim.placement.bounds import bottleneck
from edgesim.placement.plan import Branch, Task, Transfer
from edgesim.scenario.scenario import Scenario
from edgesim.serve.coordinator.work import Piece, Work, find_work
from edgesim.serve.message_sizes import Sizes, message_sizes
from edgesim.simulate import Recording
from edgesim.simulate.streams import spread_of

_COORDINATOR = "{} (coordinator)"
_MESSAGES = "{} (messages)"
_WITHIN = "{} (within)"
_AT_ONCE_BYTE_S = 1e15
"""Of what stays on one machine: what it costs is processor time."""
_STEPS = ("ask", "take", "give", "hear")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A plan as real nodes play it.

    Attributes:
        plan: with the coordinator's and the messages' tasks.
        cluster: with the coordinator, and the part of every node that handles messages.
        capacity_per_s: requests per second that keep the busiest node, machine or link busy.
        bounded_by: its name in the scenario.
    """

    plan: Plan
    cluster: Cluster
    capacity_per_s: float
    bounded_by: str
    _scenario: Cluster

    def fold(self, recording: Recording) -> Recording:
        """Return a recording of this plan under the names of the scenario's own.

        Nodes have what they computed; handling messages is told in the breakdown of latency, as
        part of the transfers.
        """
        missing: Counter[frozenset[str]] = Counter()
        for names, many in recording.missing.items():
            missing[frozenset(_piece_of(name) for name in names)] += many
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
                span._replace(node=_node_of(span.node), target=_node_of(span.target))
                for span in recording.spans
            ),
            missing=dict(missing),
        )


def as_served(scenario: Scenario, plan: Plan) -> Served:
    """Return what real nodes do with a scenario's plan.

    Raises:
        InputError: the scenario is not one for real nodes.
    """
    work = find_work(scenario, plan)
    samples, requests = scenario.traffic.samples, scenario.traffic.requests
    sizes = message_sizes(work, plan, samples=samples, requests=requests)
    cluster = _cluster(scenario.cluster, work.home)
    served = _Tasks(work, plan, scenario.cluster, sizes, samples).plan()
    bounds = bottleneck(served, cluster, samples)
    return Served(
        plan=served,
        cluster=cluster,
        capacity_per_s=bounds.capacity_per_s,
        bounded_by=_node_of(bounds.resource),
        _scenario=scenario.cluster,
    )


class _Tasks:
    """Collects what a request does."""

    def __init__(
        self, work: Work, plan: Plan, cluster: Cluster, sizes: Sizes, samples: int
    ) -> None:
        self._work = work
        self._plan = plan
        self._cluster = cluster
        self._sizes = sizes
        self._samples = samples
        self._tasks: list[Task] = []
        self._transfers: list[Transfer] = []
        self._coordinator = _COORDINATOR.format(work.home)
        self._asking = cluster.nodes[work.home].device.messaging.asking

    def plan(self) -> Plan:
        """Return the plan."""
        by_name = {task.name: task for task in self._plan.branches[0].tasks}
        # Half of what a request costs by itself comes before the parts are asked, half after.
        own_s = self._asking.per_request_s / 2
        self._add("begin", self._coordinator, own_s, after=())
        parts = self._work.parts
        for piece in parts:
            asked = self._sizes.asked[piece.name]
            self._add(f"ask {piece.name}", self._coordinator, self._asks_s(asked), optional=True)
            self._transfers.append(_local("begin", f"ask {piece.name}"))
        for piece in parts:
            self._at_node(piece, by_name[piece.name])
            self._heard(piece)
        asked = self._sizes.asked["fusion"]
        self._add("ask fusion", self._coordinator, self._asks_s(asked))
        self._transfers += [_local(f"hear {piece.name}", "ask fusion") for piece in parts]
        self._at_node(self._work.fusion, by_name["fusion"])
        self._heard(self._work.fusion)
        self._add("end", self._coordinator, own_s, after=("hear fusion",))
        return replace(
            self._plan,
            branches=(Branch(tasks=tuple(self._tasks), transfers=tuple(self._transfers)),),
            input_node=None,
            output_node=None,
        )

    def _at_node(self, piece: Piece, task: Task) -> None:
        """Add a piece between the message that asks for it and the one that answers."""
        name, optional = piece.name, task.optional
        node = _MESSAGES.format(piece.node)
        software = Software.of(self._cluster.nodes[piece.node].device.messaging)
        asked, answered = self._sizes.asked[name], self._sizes.answered[name]
        self._add(f"take {name}", node, software.time_s(asked), optional=optional)
        self._tasks.append(replace(task, unit=name))
        self._add(f"give {name}", node, software.time_s(answered), optional=optional)
        self._transfers += [
            Transfer(source=f"ask {name}", target=f"take {name}", bytes=asked / self._samples),
            _local(f"take {name}", name),
            _local(name, f"give {name}"),
        ]

    def _heard(self, piece: Piece) -> None:
        name, size = piece.name, self._sizes.answered[piece.name]
        optional = piece in self._work.parts
        self._add(f"hear {name}", self._coordinator, self._asks_s(size), optional=optional)
        self._transfers.append(
            Transfer(source=f"give {name}", target=f"hear {name}", bytes=size / self._samples)
        )

    def _asks_s(self, size: int) -> float:
        return Software.of(self._asking).time_s(size)

    def _add(
        self,
        name: str,
        node: str,
        time_s: float,
        *,
        after: tuple[str, ...] = (),
        optional: bool = False,
    ) -> None:
        # The processors of messages do one FLOP a second: seconds stand in for operations.
        flop = time_s / self._samples
        task = Task(
            name=name, node=node, kind="message", flop=flop, cores=1, optional=optional,
            # A part has one deadline, from the first word of the question to the answer.
            unit=_piece_of(name),
        )  # fmt: skip
        self._tasks.append(task)
        self._transfers += [_local(one, name) for one in after]


def _local(source: str, target: str) -> Transfer:
    return Transfer(source=source, target=target, bytes=0.0)


def _cluster(cluster: Cluster, home: str) -> Cluster:
    """Return a cluster with the coordinator, and with what handles each node's messages."""
    hosts = dict(cluster.hosts)
    nodes: dict[str, Node] = {}
    place: dict[str, str] = {}
    for name, node in cluster.nodes.items():
        host = node.host or name
        if node.host is None:
            # A scenario may call a machine like a node.
            while host in hosts:
                host += "'"
            hosts[host] = node.device.cores
        measured = node.variability == "none" and bool(spread_of(node.device))
        nodes[name] = replace(
            node,
            host=host,
            variability="measured" if measured else node.variability,
            faults=_scheduled(node.faults),
        )
        beside = [_MESSAGES.format(name)]
        if name == home:
            beside.append(_COORDINATOR.format(name))
        for other in beside:
            nodes[other] = Node(
                name=other,
                device=_messenger(other, node.device),
                host=host,
                faults=_scheduled(node.faults),
                restart_s=node.restart_s,
                # What disturbs computing disturbs messages too.
                variability="measured" if measured else "none",
            )
        place.update(dict.fromkeys((name, *beside), name))
    coordinator = _COORDINATOR.format(home)
    # Its own failures would be the whole run's.
    nodes[coordinator] = replace(nodes[coordinator], faults=None)
    within = {
        name: Link(name=_WITHIN.format(name), bandwidth_byte_s=_AT_ONCE_BYTE_S, latency_s=0.0)
        for name in cluster.nodes
    }
    links = {**cluster.network.links, **{link.name: link for link in within.values()}}
    network = Network(links=links, routes=_Routes(cluster.network, place))
    faults = []
    for fault in cluster.faults:
        faults.append(fault)
        if fault.target in cluster.nodes:
            # One process computes and handles messages.
            faults.append(replace(fault, node=_MESSAGES.format(fault.target)))
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
        peak_flop_s=dict.fromkeys(device.precisions(), 1.0),
        memory_bandwidth_byte_s=inf,
        messaging=Messaging(delay_s=device.messaging.delay_s),
        cooling=device.messaging.cooling,
        spread=spread_of(device),
    )


class _Routes(Mapping[tuple[str, str], tuple[Hop, ...]]):
    """Routes between processes: those of their nodes, and a way within each node.

    A node's thread that computes and the one that handles its messages hand over at once.
    """

    def __init__(self, network: Network, place: Mapping[str, str]) -> None:
        self._network = network
        self._place = place

    def __getitem__(self, ends: tuple[str, str]) -> tuple[Hop, ...]:
        source, target = (self._place[end] for end in ends)
        if source != target:
            found = self._network.route(source, target)
            if found is None:
                raise KeyError(ends)
            return found
        if source in ends:
            return ()
        return (Hop(_WITHIN.format(source), True),)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((source, target) for source in self._place for target in self._place)

    def __len__(self) -> int:
        return len(self._place) ** 2


def _piece_of(task: str) -> str:
    """Return the part, or the fusion, that a task is of."""
    step, _, name = task.partition(" ")
    return name if step in _STEPS and name else task


def _node_of(name: str) -> str:
    """Return the scenario's node, or machine, that a process is on."""
    return name.partition(" (")[0]
